"""Labelled landmark tracks: what a detector is trained and measured on."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from utils.errors import InputError
from utils.landmark_files.formats import ALIGNED, NORMALIZED, align
from utils.landmark_files.text import read_landmarks
from utils.shared import LANDMARKS

ARCHIVE_UNITS = 200  # the archive's integers are normalized landmarks times this
FOLDER_LABELS = {"real": False, "fake": True}


@dataclass(frozen=True)
class LabelledTrack:
    """One face through one video, and whether it is fake.

    Attributes:
        name: unique within its source.
        landmarks: (frames, 68, 2) float32.
        fake: the label.
        group: tracks that share a person, original footage or driving motion.
        dataset, manipulation: where it comes from; `none` for a real one.
        fps: frames a second.
    """

    name: str
    landmarks: np.ndarray
    fake: bool
    group: str
    dataset: str
    manipulation: str
    fps: float = 25.0


def read_track_archive(folder: Path) -> list[LabelledTrack]:
    """Reads `tracks.csv` and `tracks.npz`: integer differences, first row from 0 (normalized).

    Raises:
        InputError: one of the two files is missing.
    """
    table, archive = folder / "tracks.csv", folder / "tracks.npz"
    for path in (table, archive):
        if not path.is_file():
            raise InputError(f"{path}: no such file; name the folder of tracks.csv and tracks.npz")
    tracks = []
    with table.open(newline="", encoding="utf-8") as rows, np.load(archive) as arrays:
        for row in csv.DictReader(rows):
            values = np.cumsum(arrays[row["id"]].astype(np.int64), axis=0) / ARCHIVE_UNITS
            tracks.append(
                LabelledTrack(
                    name=row["id"],
                    landmarks=values.reshape(-1, LANDMARKS, 2).astype(np.float32),
                    fake=row["label"] == "fake",
                    group=row["group"],
                    dataset=row["dataset"],
                    manipulation=row["manipulation"],
                    fps=float(row["fps"]),
                )
            )
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
                    dataset=folder.parent.name,
                    manipulation="/".join(below) if fake and below else "fake" if fake else "none",
                    fps=float(track.header.get("fps", 25)),
                )
            )
    if not tracks:
        raise InputError(f"{folder}: no landmark files in real/ and fake/ below it")
    return tracks


def in_format(tracks: Sequence[LabelledTrack], landmark_format: str) -> list[LabelledTrack]:
    """Normalized tracks in the format that a set wants."""
    return [
        replace(track, landmarks=landmarks_in_format(track.landmarks, landmark_format))
        for track in tracks
    ]


def landmarks_in_format(landmarks: np.ndarray, landmark_format: str) -> np.ndarray:
    """Normalized landmarks (frames, 68, 2) in another format, float32."""
    if landmark_format == NORMALIZED:
        return landmarks
    assert landmark_format == ALIGNED
    return align(landmarks).astype(np.float32)


def long_enough(tracks: Sequence[LabelledTrack], clip_length: int) -> list[LabelledTrack]:
    """The tracks that hold a clip of so many frames."""
    return [track for track in tracks if len(track.landmarks) >= clip_length]


def split_by_group(
    tracks: Sequence[LabelledTrack], share: float, seed: int
) -> tuple[list[LabelledTrack], list[LabelledTrack]]:
    """Training and validation tracks; no group is in both, and every dataset keeps its share.

    Args:
        share: of the groups of each dataset, for validation.
    """
    random = np.random.default_rng(seed)
    held: set[str] = set()
    for dataset in sorted({track.dataset for track in tracks}):
        groups = sorted({track.group for track in tracks if track.dataset == dataset})
        wanted = int(share * len(groups) + random.random())  # a fraction is drawn for
        held.update(random.permutation(groups)[:wanted].tolist())
    return (
        [track for track in tracks if track.group not in held],
        [track for track in tracks if track.group in held],
    )
