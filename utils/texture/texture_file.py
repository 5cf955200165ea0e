"""Texture files: the measurements of `TextureMeter` and `ActivationMeter`, one row each per row of
the landmark file.

`<stem>.texture.npz` lies beside `<stem>.txt` and is written before it.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..atomic_write import partial_path
from ..errors import ZIP_ERRORS, InputError
from ..locations import local_copy, storage_errors
from .texture_rows import CHANNELS, FIELDS, MEASURES

SUFFIX = ".texture.npz"
VERSION = 3
EARLIER_VERSIONS = (1, 2)  # with fewer measures, of releases before 1.12
# Shapes of a row of each array.
_SHAPES = {"rows": (FIELDS, len(MEASURES)), "activations": (CHANNELS,)}
_ROW_BYTES = sum(int(np.prod(shape)) for shape in _SHAPES.values()) * np.dtype(np.float16).itemsize
_HEADER_BYTES = 1 << 14  # of all arrays in an .npz, at most


@dataclass(frozen=True)
class TextureTrack:
    """The texture of one face through one video.

    Attributes:
        rows: float16 (frames, 49, 10), as `TextureMeter.measure` makes them; NaN where missing.
        activations: float16 (frames, 96), as `ActivationMeter.measure` makes them.
        stride: each row was compared with the one so many frames before.
    """

    rows: np.ndarray
    activations: np.ndarray
    stride: int = 1


def texture_path(landmarks: Path) -> Path:
    """Where the texture of a landmark file lies."""
    return landmarks.with_name(landmarks.name.removesuffix(".txt") + SUFFIX)


def write_texture(path: Path, track: TextureTrack) -> None:
    """Writes a texture file whole or not at all.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    partial = partial_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("xb") as file:
            np.savez_compressed(
                file,
                version=np.int64(VERSION),
                stride=np.int64(track.stride),
                rows=track.rows.astype(np.float16),
                activations=track.activations.astype(np.float16),
            )
        partial.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        partial.unlink(missing_ok=True)


def read_texture(landmarks: Path, lines: int) -> TextureTrack | None:
    """The texture beside a landmark file of so many lines; None where there is none, or one with
    fewer measures by an earlier release.

    Raises:
        InputError: the file cannot be read, or does not belong to the landmark file.
    """
    path = texture_path(landmarks)
    with storage_errors(path, "read"):
        if not path.is_file():
            return None
    with local_copy(path) as copy:
        return _read(path, copy, lines)


def is_of_earlier_release(landmarks: Path) -> bool:
    """Whether the texture beside a landmark file, on this machine, is one that `read_texture`
    passes over."""
    path = texture_path(landmarks)
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("version.npy").file_size > _HEADER_BYTES:
                return False
            with archive.open("version.npy") as file:
                return int(np.lib.format.read_array(file, allow_pickle=False)) in EARLIER_VERSIONS
    except ZIP_ERRORS:  # none is there, or what its reader will refuse
        return False


def _read(path: Path, copy: Path, lines: int) -> TextureTrack | None:
    """See `read_texture`; `copy`: of the file, on this machine."""
    try:
        with zipfile.ZipFile(copy) as archive:
            if (
                sum(one.file_size for one in archive.infolist())
                > lines * _ROW_BYTES + _HEADER_BYTES
            ):
                raise ValueError("more than texture in it")
        with np.load(copy, allow_pickle=False) as content:
            version, stride = int(content["version"]), int(content["stride"])
            if version in EARLIER_VERSIONS:
                return None
            arrays = {name: content[name] for name in _SHAPES}
        if version != VERSION or not 1 <= stride <= 1000:
            raise ValueError(f"version {version}, stride {stride}")
        for name, array in arrays.items():
            if array.dtype != np.float16 or array.shape != (lines, *_SHAPES[name]):
                raise ValueError(f"{name} of another landmark file")
    except ZIP_ERRORS as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path}: not the texture of its landmark file ({reason}); extract it again"
        ) from None
    return TextureTrack(**arrays, stride=stride)
