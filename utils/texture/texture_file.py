"""Texture files: the measurements of `TextureMeter`, one row per row of the landmark file.

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
from .texture_rows import FIELDS, MEASURES

SUFFIX = ".texture.npz"
VERSION = 2
SHORTER_VERSION = 1  # rows (49, 9), of releases before 1.11
_ROW_BYTES = FIELDS * len(MEASURES) * np.dtype(np.float16).itemsize
_HEADER_BYTES = 1024  # of an array in an .npz


@dataclass(frozen=True)
class TextureTrack:
    """The texture of one face through one video.

    Attributes:
        rows: float16 (frames, 49, 10), as `TextureMeter.measure` makes them; NaN where missing.
        stride: each row was compared with the one so many frames before.
    """

    rows: np.ndarray
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


def _read(path: Path, copy: Path, lines: int) -> TextureTrack | None:
    """See `read_texture`; `copy`: of the file, on this machine."""
    try:
        with zipfile.ZipFile(copy) as archive:
            if archive.getinfo("rows.npy").file_size > lines * _ROW_BYTES + _HEADER_BYTES:
                raise ValueError("rows of another landmark file")
            if sum(one.file_size for one in archive.infolist()) > lines * _ROW_BYTES + (1 << 14):
                raise ValueError("more than texture in it")
        with np.load(copy, allow_pickle=False) as content:
            version, stride = int(content["version"]), int(content["stride"])
            rows = content["rows"]
        if version == SHORTER_VERSION:
            return None
        if version != VERSION or not 1 <= stride <= 1000:
            raise ValueError(f"version {version}, stride {stride}")
        if rows.dtype != np.float16 or rows.shape != (lines, FIELDS, len(MEASURES)):
            raise ValueError("rows of another landmark file")
    except ZIP_ERRORS as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path}: not the texture of its landmark file ({reason}); extract it again"
        ) from None
    return TextureTrack(rows, stride)
