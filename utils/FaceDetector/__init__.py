"""Face detectors: a frame in, face boxes out. One module a detector, one name each."""

from __future__ import annotations

from utils.FaceDetector.interface import FaceDetector

FACE_DETECTORS = ("blazeface", "retinaface", "dlib")


def make_face_detector(name: str, device: str = "cpu") -> FaceDetector:
    """Builds a face detector once, for any number of videos.

    Args:
        name: one of `FACE_DETECTORS`.
        device: `cpu` or `cuda`; dlib's runs on the CPU whatever it says.

    Raises:
        InputError: the detector's model cannot be had.
    """
    if name == "dlib":
        from utils.FaceDetector.dlib_hog import DlibHogDetector

        return DlibHogDetector()
    raise ValueError(f"unknown face detector {name!r}")
