"""Landmark calibration: face crop, optical flow, Kalman filter."""
