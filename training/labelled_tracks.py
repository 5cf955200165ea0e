"""Labelled landmark tracks: what a detector is trained and measured on."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.calibration.calibrated_track import face_crops, normalize_landmarks
from utils.errors import InputError
from utils.landmark_files.io import read_landmarks
from utils.shared import FAMILIES, LANDMARKS
from utils.tracking.face_tracks import track_of_landmarks

DLIB, MEDIAPIPE = "dlib", "mediapipe"
DLIB_UNITS = 200  # the dlib archive's integers are normalized landmarks times this
MEDIAPIPE_UNITS = 16  # the MediaPipe archive's are pixels of the frame times this
POINTS_KEPT = 78  # of a MediaPipe track: the 68, then the irises
REAL = "real"
FOLDER_LABELS = {REAL: False, "fake": True}
# How the archives' `manipulation` begins, and the family that is; what fits nowhere is a swap.
_BEGINNINGS = {
    "faceswap": "swap",
    "lipsync": "lip-sync",
    "lip-sync": "lip-sync",
    "video dubbing": "lip-sync",
    "talking head / dubbing": "lip-sync",
    "talking head": "talking head",
    "image-to-video": "talking head",
    "diffusion": "talking head",
    "reenactment/talking": "talking head",
    "reenactment": "reenactment",
}


@dataclass(frozen=True)
class LabelledTrack:
    """One face through one video, and whether it is fake.

    Attributes:
        name: unique within its archive.
        landmarks: (frames, 68, 2) float32, normalized.
        fake: the label.
        group: tracks that share a person, original footage or driving motion.
        source: the repository or data set that it comes from.
        dataset, manipulation: in its archive's words; `none` for a real one.
        detector: of the landmarks.
        fps: frames per second.
        eye_pixels: median distance between the eyes in the video, 0 where unknown.
    """

    name: str
    landmarks: np.ndarray
    fake: bool
    group: str
    source: str
    dataset: str
    manipulation: str
    detector: str = DLIB
    fps: float = 25.0
    eye_pixels: float = 0.0

    @property
    def family(self) -> str:
        """`real`, or one of `utils.shared.FAMILIES`."""
        return family_of(self.manipulation) if self.fake else REAL


def family_of(manipulation: str) -> str:
    """The family of fakes that a manipulation belongs to; the longest known beginning decides."""
    known = [start for start in _BEGINNINGS if manipulation.lower().startswith(start)]
    return _BEGINNINGS[max(known, key=len)] if known else FAMILIES[0]


def _open_archive(folder: Path, name: str) -> tuple[list[dict], Path]:
    table, archive = folder / f"{name}.csv", folder / f"{name}.npz"
    for path in (table, archive):
        if not path.is_file():
            raise InputError(f"{path}: no such file; name the folder of {table.name}")
    with table.open(newline="", encoding="utf-8") as rows:
        return list(csv.DictReader(rows)), archive


def read_dlib_archive(folder: Path) -> list[LabelledTrack]:
    """Reads `tracks.csv` and `tracks.npz`: integer differences, first row from 0 (normalized).

    Raises:
        InputError: one of the two files is missing.
    """
    rows, archive = _open_archive(folder, "tracks")
    with np.load(archive) as arrays:
        return [
            LabelledTrack(
                name=row["id"],
                landmarks=_summed(arrays[row["id"]], LANDMARKS) / DLIB_UNITS,
                fake=row["label"] == "fake",
                group=row["group"],
                source=row["dataset"],
                dataset=row["dataset"],
                manipulation=row["manipulation"],
                fps=float(row["fps"]),
            )
            for row in rows
        ]


def read_mediapipe_archive(folder: Path) -> list[LabelledTrack]:
    """Reads `tracks_mediapipe.csv` and `.npz`: differences of points in sixteenths of a pixel.

    They are normalized as `extract_landmarks.py --ld mediapipe` does: stable crop, nothing rounded.

    Raises:
        InputError: one of the two files is missing.
    """
    rows, archive = _open_archive(folder, "tracks_mediapipe")
    tracks = []
    with np.load(archive) as arrays:
        for row in rows:
            pixels = _summed(arrays[row["id"]], POINTS_KEPT)[:, :LANDMARKS] / MEDIAPIPE_UNITS
            size = int(float(row["width"])), int(float(row["height"]))
            face = track_of_landmarks(pixels, np.ones(len(pixels), bool), *size)
            normalized = normalize_landmarks(face, face_crops(face, "stable")).landmarks
            tracks.append(
                LabelledTrack(
                    name=row["id"],
                    landmarks=normalized.astype(np.float32),
                    fake=row["label"] == "fake",
                    group=row["group"],
                    source=row["source"],
                    dataset=row["dataset"],
                    manipulation=row["manipulation"],
                    detector=MEDIAPIPE,
                    fps=float(row["fps"]),
                    eye_pixels=face.eye_pixels,
                )
            )
    return tracks


def _summed(steps: np.ndarray, points: int) -> np.ndarray:
    return np.cumsum(steps.astype(np.int64), axis=0).reshape(-1, points, 2).astype(np.float32)


def read_archives(folder: Path) -> list[LabelledTrack]:
    """The tracks of both archives, whichever are there.

    Raises:
        InputError: there is none.
    """
    tracks: list[LabelledTrack] = []
    if (folder / "tracks_mediapipe.csv").is_file():
        tracks += read_mediapipe_archive(folder)
    if (folder / "tracks.csv").is_file():
        tracks += read_dlib_archive(folder)
    if not tracks:
        raise InputError(f"{folder}: neither tracks.csv nor tracks_mediapipe.csv is there")
    return tracks


def read_landmark_folder(folder: Path) -> list[LabelledTrack]:
    """Reads `real/*.txt` and `fake/*.txt` (or deeper) below a folder such as `datasets/FF++/train`.

    A folder below `real` or `fake` names the manipulation; the file's stem up to the first `_` is
    its group, as FF++ names its videos (`000_003`: both come from footage 000).

    Raises:
        InputError: no landmark file is found, or one cannot be read.
    """
    tracks = []
    for label, fake in FOLDER_LABELS.items():
        for path in sorted((folder / label).rglob("*.txt")):
            track = read_landmarks(path)
            below = path.relative_to(folder / label).parts[:-1]
            tracks.append(
                LabelledTrack(
                    name=str(path.relative_to(folder)),
                    landmarks=track.landmarks.astype(np.float32),
                    fake=fake,
                    group=path.stem.split("_")[0],
                    source=folder.parent.name,
                    dataset=folder.parent.name,
                    manipulation="/".join(below) if fake and below else "fake" if fake else "none",
                    detector=track.header.landmark_detector or DLIB,
                    fps=track.header.fps or 25.0,
                    eye_pixels=track.header.eye_pixels or 0.0,
                )
            )
    if not tracks:
        raise InputError(f"{folder}: no landmark files in real/ and fake/ below it")
    return tracks


def long_enough(tracks: Sequence[LabelledTrack], clip_length: int) -> list[LabelledTrack]:
    """The tracks that hold a clip of so many frames."""
    return [track for track in tracks if len(track.landmarks) >= clip_length]
