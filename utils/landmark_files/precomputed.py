"""Landmarks from other programs: OpenFace's CSV or a NumPy .npz, one file per video."""

from __future__ import annotations

import csv
import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..limits import MAX_PRECOMPUTED_GAP
from ..shared import LANDMARKS

SUFFIXES = (".csv", ".npz")
# Memory stays within so many times what the file itself takes: landmarks of a video compress by 20
# at most, and OpenFace leaves few frames out.
MAX_EXPANSION, MAX_GAP_RATIO, SMALL = 200, 100, 1 << 20
MAX_COLUMNS = 2000


@dataclass(frozen=True)
class PrecomputedTrack:
    """Landmarks from elsewhere.

    Attributes:
        path: the file.
        landmarks: (frames, 68, 2) in frame pixels, sub-pixel where the program was.
        detected: (frames,) bool.
        score: the program's mean confidence in detected frames; 1 where it gives none.
    """

    path: Path
    landmarks: np.ndarray
    detected: np.ndarray
    score: float


def find_precomputed(video: Path, folder: Path) -> Path:
    """The file for a video: `<stem>.csv`, `<stem>.npz`, or the same after its full name.

    Raises:
        InputError: there is none, or both.
    """
    for name in (video.name, video.stem):
        found = [folder / (name + suffix) for suffix in SUFFIXES]
        found = [path for path in found if path.is_file()]
        if len(found) > 1:
            raise InputError(f"{video}: {found[0]} and {found[1]} both exist; keep one of them")
        if found:
            return found[0]
    wanted = " or ".join(video.stem + suffix for suffix in SUFFIXES)
    raise InputError(f"{video}: no {wanted} in {folder}")


def read_precomputed(path: Path) -> PrecomputedTrack:
    """Reads landmarks from elsewhere.

    Raises:
        InputError: the file lacks a column or array, or holds something else in it.
    """
    try:
        track = _read_csv(path) if path.suffix == ".csv" else _read_npz(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except KeyError as error:
        raise InputError(f"{path}: lacks {error}") from None
    except (ValueError, TypeError, OverflowError, EOFError, csv.Error) as error:
        raise InputError(f"{path}: cannot be used ({error})") from None
    except (zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        raise InputError(f"{path}: a damaged .npz ({error})") from None
    if track.landmarks.shape[1:] != (LANDMARKS, 2):
        raise InputError(f"{path}: landmarks are {track.landmarks.shape}, not (frames, 68, 2)")
    if track.detected.shape != track.landmarks.shape[:1]:
        raise InputError(f"{path}: {len(track.detected)} x detected, {len(track.landmarks)} frames")
    if not np.isfinite(track.landmarks[track.detected]).all():
        raise InputError(f"{path}: a frame with a face holds NaN or infinite landmarks")
    return track


def _check_sizes(path: Path) -> None:
    """Raises ValueError where an array is larger than what its part of the file can hold."""
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.file_size > MAX_EXPANSION * info.compress_size + SMALL:
                raise ValueError(f"{info.filename} expands to {info.file_size} bytes")
            with archive.open(info) as member:
                version = np.lib.format.read_magic(member)
                read = {
                    (1, 0): np.lib.format.read_array_header_1_0,
                    (2, 0): np.lib.format.read_array_header_2_0,
                }.get(version)
                if read is None:
                    raise ValueError(f"{info.filename} is an array of version {version}")
                shape, _, dtype = read(member)
            if math.prod(shape) * dtype.itemsize > info.file_size:
                raise ValueError(f"{info.filename} announces {shape} and holds less")


def _read_npz(path: Path) -> PrecomputedTrack:
    _check_sizes(path)
    with np.load(path, allow_pickle=False) as arrays:
        landmarks = np.asarray(arrays["landmarks"], np.float64)
        return PrecomputedTrack(path, landmarks, np.asarray(arrays["detected"], bool), 1.0)


def _read_csv(path: Path) -> PrecomputedTrack:
    """OpenFace's FeatureExtraction: one row per frame; success 0 means that it shows no face."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        reader.fieldnames = [name.strip() for name in reader.fieldnames or []]
        if len(reader.fieldnames) > MAX_COLUMNS:
            raise ValueError(f"{len(reader.fieldnames)} columns; OpenFace writes some 700")
        rows = list(reader)
    if not rows:
        raise ValueError("no frames")
    columns = [f"{axis}_{point}" for point in range(LANDMARKS) for axis in "xy"]
    landmarks = np.array([[float(row[name]) for name in columns] for row in rows])
    success = np.array([float(row["success"]) > 0 for row in rows])
    confidence = np.array([float(row.get("confidence") or 1) for row in rows])
    # `frame` counts from 1; a row that is missing is a frame without a face
    numbers = [int(float(row.get("frame") or index)) for index, row in enumerate(rows, start=1)]
    places = np.array(numbers) - 1
    if len(set(numbers)) != len(numbers) or places.min() < 0:
        raise ValueError("a frame has more than one row; extract a single face")
    frames = int(places.max()) + 1
    if frames > len(rows) + min(MAX_PRECOMPUTED_GAP, MAX_GAP_RATIO * len(rows)):
        raise ValueError(f"frame {frames} in a table of {len(rows)} rows")
    track = np.zeros((frames, LANDMARKS, 2))
    detected = np.zeros(frames, bool)
    track[places] = landmarks.reshape(-1, LANDMARKS, 2)
    detected[places] = success
    score = float(confidence[success].mean()) if success.any() else 0.0
    return PrecomputedTrack(path, track, detected, score)
