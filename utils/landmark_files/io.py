"""Reads and writes landmark files: `# key: value` header lines, then 136 numbers per frame."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from dataclasses import dataclass, field
from itertools import count, takewhile
from pathlib import Path

import numpy as np

from ..atomic_write import AtomicFile
from ..errors import InputError
from ..locations import is_remote, storage_errors
from ..shared import FORMATS, LANDMARKS, VALUES_PER_FRAME
from ..texture.texture_file import texture_path
from .crop_boxes import parse_boxes
from .formats import detect_format
from .header import FORMAT_KEY, VERSION_KEY, LandmarkHeader
from .segments import FileSegment, parse_segments

VERSION = "1"
SUFFIX = ".txt"
MIN_EXTENT = 1e-3  # of a face, in the units of its file, along each axis
_ANOTHER_FACE = re.compile(r"\.face(\d{1,6})$")


@dataclass(frozen=True)
class LandmarkTrack:
    """One face through one video.

    Attributes:
        landmarks: (frames, 68, 2) float64, in the units of `format`.
        format: `normalized` or `aligned`.
        header: the file's header.
    """

    landmarks: np.ndarray
    format: str
    header: LandmarkHeader = field(default_factory=LandmarkHeader)

    @property
    def segments(self) -> list[FileSegment]:
        """Which frames of the video the lines are. Raises InputError where the header does not fit
        them."""
        return parse_segments(self.header.segments, len(self.landmarks))

    @property
    def crop_boxes(self) -> np.ndarray | None:
        """Left, top and side (frames, 3) of each line's crop, or None. Raises InputError as
        above."""
        return parse_boxes(self.header.crop_boxes, len(self.landmarks))


def read_header(path: Path) -> LandmarkHeader:
    """A landmark file's header; empty where it has none.

    Raises:
        OSError: the file cannot be read.
    """
    return LandmarkHeader.parse(_header_lines(path))


def _header_lines(path: Path) -> dict[str, str]:
    header = {}
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for line in lines:
            if not line.startswith("#"):
                break
            key, colon, value = line[1:].partition(":")
            if colon:
                header[key.strip()] = value.strip()
    return header


def _read_values(path: Path) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "input contained no data": checked below
            with path.open(encoding="utf-8-sig") as source:
                values = np.loadtxt(source, ndmin=2)
    except (ValueError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0].split("; use")[0]
        raise InputError(f"{path}: not a landmark file ({reason})") from None
    if values.size == 0:
        raise InputError(f"{path}: holds no landmarks; extract them again")
    if values.shape[1] != VALUES_PER_FRAME:
        raise InputError(
            f"{path}: {values.shape[1]} numbers per line where 68 landmarks make {VALUES_PER_FRAME}"
        )
    broken = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if broken.size:
        raise InputError(
            f"{path}: frame {broken[0]} holds NaN or infinite numbers; extract it again"
        )
    return values


def read_landmarks(path: Path) -> LandmarkTrack:
    """Reads a landmark file, with or without a header.

    Raises:
        InputError: no such file, not numbers, another width, NaN, or an unknown format or version.
    """
    if not is_remote(path) and path.exists() and not path.is_file():
        raise InputError(f"{path}: not a file")
    try:
        with storage_errors(path, "read"):
            lines = _header_lines(path)
            values = _read_values(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    version = lines.get(VERSION_KEY, VERSION)
    if version != VERSION:
        raise InputError(f"{path}: landmark file version {version}; this program reads {VERSION}")
    landmarks = values.reshape(-1, LANDMARKS, 2)
    file_format = lines.get(FORMAT_KEY) or detect_format(landmarks)
    if file_format not in FORMATS:
        raise InputError(f"{path}: unknown landmark format {file_format!r}")
    collapsed = np.flatnonzero((np.ptp(landmarks, axis=1) < MIN_EXTENT).any(axis=1))
    if collapsed.size:
        raise InputError(
            f"{path}: the landmarks of frame {collapsed[0]} lie in one place or on a line; leave "
            "frames without a face out"
        )
    return LandmarkTrack(landmarks, file_format, LandmarkHeader.parse(lines))


def write_landmarks(path: Path, track: LandmarkTrack) -> None:
    """Writes a landmark file whole or not at all: a temporary name in its folder, then a rename.

    Five decimals a number; the header begins with version and format.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    header = {VERSION_KEY: VERSION, FORMAT_KEY: track.format} | track.header.format()
    with AtomicFile(path) as file:
        for key, value in header.items():
            file.write(f"# {key}: {value}\n")
        np.savetxt(file, track.landmarks.reshape(len(track.landmarks), -1), fmt="%.5f")


def face_path(main: Path, number: int) -> Path:
    """Where face `number` of a video goes whose main face, number 1, goes to `main`."""
    return main if number == 1 else main.with_name(f"{main.stem}.face{number}{SUFFIX}")


def face_number(path: Path) -> tuple[Path, int]:
    """The main face's file and the number of the face, from a file's name."""
    match = _ANOTHER_FACE.search(path.stem)
    if match is None:
        return path, 1
    return path.with_name(path.stem[: match.start()] + SUFFIX), int(match[1])


def other_face_files(main: Path) -> list[Path]:
    """The files of a video's other faces beside the main one's, in their order.

    Faces are numbered without a gap, and are written and removed so that none arises.
    """
    paths = (face_path(main, number) for number in count(2))
    return list(takewhile(lambda path: path.is_file(), paths))


def remove_stale_outputs(main: Path, faces: int) -> None:
    """Removes what stands where the files of a video's `faces` are to be written: the main one's,
    without which nothing counts as complete, and those of more faces, the last first.

    Raises:
        OSError: a file cannot be removed.
    """
    for stale in (main, *reversed(other_face_files(main)[faces - 1 :])):
        stale.unlink(missing_ok=True)
        texture_path(stale).unlink(missing_ok=True)


def output_names(videos: list[Path]) -> list[str]:
    """File names for the landmarks of videos: `<stem>.txt`, or `<name>.txt` where stems meet.

    A stem that reads like another face of some video (`a.face2`) keeps its suffix too.

    Raises:
        InputError: two videos of different folders have one file name.
    """
    for name, times in Counter(video.name for video in videos).items():
        if times > 1:
            raise InputError(f"{name}: given from two folders; extract them with different -o")
    stems = Counter(video.stem for video in videos)
    names = [
        video.stem
        if stems[video.stem] == 1 and not _ANOTHER_FACE.search(video.stem)
        else video.name
        for video in videos
    ]
    # "a.mp4.mkv" has the stem that "a.mp4" takes as its name beside "a.avi"
    taken = Counter(names)
    names = [
        name if taken[name] == 1 else video.name for name, video in zip(names, videos, strict=True)
    ]
    return [name + SUFFIX for name in names]
