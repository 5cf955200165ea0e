"""Chooses detectors and device: what the user asked for, or what is available."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

from ..errors import InputError
from ..FaceDetector import face_detector_files
from ..weights.detector_models import DETECTOR_FILES, FACE_LANDMARKER, obtain_models

DEFAULT_FACE_DETECTOR, DEFAULT_LANDMARK_DETECTOR = "blazeface", "fan"
FALLBACK = "mediapipe"  # of the landmark detector; BlazeFace comes with it


def choose_detectors(
    face_detector: str | None,
    landmark_detector: str | None,
    model_weights: Path | None,
    notice: Callable[[str], None],
) -> tuple[str, str]:
    """Face and landmark detector, their model files on disk.

    Args:
        face_detector, landmark_detector: what the user asked for, or None.
        model_weights: a folder in which model files are looked for first.
        notice: called with one line when one detector replaces another, and how to get it.

    Raises:
        InputError: a detector that was asked for is not available.
    """
    face_detector = face_detector or DEFAULT_FACE_DETECTOR
    obtain_models(face_detector_files(face_detector, model_weights), model_weights)
    if landmark_detector:
        obtain_models(DETECTOR_FILES[landmark_detector], model_weights)
        return face_detector, landmark_detector
    try:
        obtain_models(DETECTOR_FILES[DEFAULT_LANDMARK_DETECTOR], model_weights)
        return face_detector, DEFAULT_LANDMARK_DETECTOR
    except InputError as error:
        obtain_models(DETECTOR_FILES[FALLBACK], model_weights)
        fetch = f"python -m utils.weights {DEFAULT_LANDMARK_DETECTOR}"
        notice(
            f"using the landmark detector {FALLBACK} in place of {DEFAULT_LANDMARK_DETECTOR}, "
            f"since {error}; `{fetch}` fetches what is missing"
        )
        return face_detector, FALLBACK


def runs_on_pytorch(detectors: tuple[str, str], model_weights: Path | None = None) -> bool:
    """Whether one of the detectors runs on a GPU where there is one; MediaPipe's networks, its
    BlazeFace among them, run on the CPU."""
    if "blazeface" in detectors and FACE_LANDMARKER not in face_detector_files(
        "blazeface", model_weights
    ):
        return True
    return "retinaface" in detectors or "fan" in detectors


def choose_device(
    asked: str,
    detectors: tuple[str, str],
    notice: Callable[[str], None],
    model_weights: Path | None = None,
) -> str:
    """`cpu` or `cuda` for `auto`, `cpu` or `cuda`. PyTorch, whose import takes seconds, is asked
    only where it matters.

    Raises:
        InputError: `cuda` was asked for and is not there.
    """
    if asked == "cpu" or (asked == "auto" and not runs_on_pytorch(detectors, model_weights)):
        device = "cpu"
    else:
        device = _cuda_or_cpu()
        if asked == "cuda" and device == "cpu":
            raise InputError("--device cuda: PyTorch finds no CUDA device; use --device cpu")
    if "fan" in detectors and device == "cpu":
        notice("FAN manages about 2 frames per second on two CPU cores, --ld mediapipe over 100")
    return device


def _cuda_or_cpu() -> str:
    if importlib.util.find_spec("torch") is None:
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
