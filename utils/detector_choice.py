"""Which detectors a run uses: what the user asked for, or what can be had."""

from __future__ import annotations


def choose_device(asked: str) -> str:
    return "cpu"


def choose_detectors(face_detector: str | None, landmark_detector: str | None) -> tuple[str, str]:
    return face_detector or "dlib", landmark_detector or "dlib"
