"""Landmark detectors: each takes a frame and a face region and returns 68 landmarks."""

from __future__ import annotations

from pathlib import Path

from ..cores import Cores
from ..shared import LANDMARK_DETECTORS
from ..weights.detector_models import DETECTOR_FILES, obtain_models
from .interface import LandmarkDetector


def make_landmark_detector(
    name: str,
    device: str = "cpu",
    model_weights: Path | None = None,
    precision: str = "fp32",
    cores: Cores | None = None,
) -> LandmarkDetector:
    """Builds a landmark detector once, for any number of videos.

    Args:
        name: one of `utils.shared.LANDMARK_DETECTORS`.
        device: `cpu` or `cuda`; dlib's and MediaPipe's always run on the CPU.
        model_weights: a folder in which model files are looked for first.
        precision: `fp32` or `bf16`, of FAN.
        cores: that MediaPipe's mesh may use, one by default; what it finds does not depend on them.

    Raises:
        InputError: the detector's model is not available.
    """
    if name not in LANDMARK_DETECTORS:
        raise ValueError(f"unknown landmark detector {name!r}")
    files = obtain_models(DETECTOR_FILES[name], model_weights)
    if name == "fan":
        from .fan import BATCH_ON_CPU, BATCH_ON_GPU, FanLandmarkDetector, FanNetwork

        batch_size = BATCH_ON_CPU if device == "cpu" else BATCH_ON_GPU
        return FanLandmarkDetector(FanNetwork(files[0], device, precision), batch_size)
    if name == "mediapipe":
        from .mediapipe_mesh import MediaPipeMesh

        return MediaPipeMesh(files[0], cores or Cores())
    from .dlib_predictor import DlibPredictor

    return DlibPredictor(files[0])
