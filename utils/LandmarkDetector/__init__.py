"""Landmark detectors: a frame and a face box in, 68 landmarks out. One module a detector."""

from __future__ import annotations

from utils.LandmarkDetector.interface import LandmarkDetector

LANDMARK_DETECTORS = ("fan", "dlib")


def make_landmark_detector(name: str, device: str = "cpu") -> LandmarkDetector:
    """Builds a landmark detector once, for any number of videos.

    Args:
        name: one of `LANDMARK_DETECTORS`.
        device: `cpu` or `cuda`; dlib's runs on the CPU whatever it says.

    Raises:
        InputError: the detector's model cannot be had.
    """
    if name == "dlib":
        from utils.LandmarkDetector.dlib_predictor import DlibPredictor

        return DlibPredictor()
    raise ValueError(f"unknown landmark detector {name!r}")
