"""Face detectors: each takes a frame and returns face boxes. One module per detector."""

from __future__ import annotations

from pathlib import Path

from ..weights.detector_models import (
    DETECTOR_FILES,
    FACE_LANDMARKER,
    ModelFile,
    find_model,
    obtain_models,
)
from .interface import FaceDetector


def face_detector_files(name: str, model_weights: Path | None = None) -> tuple[ModelFile, ...]:
    """The model files that a face detector needs, as it is set up.

    BlazeFace comes out of MediaPipe's task file unless both files of face-alignment's are on disk.

    Raises:
        InputError: its settings cannot be used.
    """
    if name == "retinaface":
        from .retinaface import read_settings

        wanted = read_settings().trained_model
        published = [*DETECTOR_FILES["retinaface"], *DETECTOR_FILES["retinaface-resnet50"]]
        known = {file.name: file for file in published}
        return (known.get(Path(wanted).name, ModelFile(wanted)),)
    if name == "blazeface" and not all(
        find_model(file, model_weights) for file in DETECTOR_FILES[name]
    ):
        return (FACE_LANDMARKER,)
    return DETECTOR_FILES.get(name, ()) if name != "dlib" else ()


def make_face_detector(
    name: str, device: str = "cpu", model_weights: Path | None = None
) -> FaceDetector:
    """Builds a face detector once, for any number of videos.

    Args:
        name: one of `utils.shared.FACE_DETECTORS`.
        device: `cpu` or `cuda`; dlib's always runs on the CPU.
        model_weights: a folder in which model files are looked for first.

    Raises:
        InputError: the detector's model is not available, or its settings cannot be used.
    """
    wanted = face_detector_files(name, model_weights)
    files = obtain_models(wanted, model_weights)
    if name == "blazeface":
        from .blazeface import BlazeFaceDetector, LiteBlazeFace, TorchBlazeFace

        if wanted == (FACE_LANDMARKER,):
            return BlazeFaceDetector(LiteBlazeFace(files[0]))
        return BlazeFaceDetector(TorchBlazeFace(files[0], files[1], device))
    if name == "retinaface":
        from .retinaface import RetinaFaceDetector, read_settings

        return RetinaFaceDetector(files[0], read_settings(), device)
    if name == "dlib":
        from .dlib_hog import DlibHogDetector

        return DlibHogDetector()
    raise ValueError(f"unknown face detector {name!r}")
