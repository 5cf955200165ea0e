"""Landmarks made steady: crop, optical flow, Kalman filter."""
