#!/usr/bin/env python3
"""Broken files for every reader: `python -m benchmarks.fuzz -h`.

A seeded mutator changes small valid files; a reader must read them or say InputError, soon and
within a bound of memory. What else it does is printed with the number that makes it again.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.console import progress, run_script
from utils.errors import InputError
from utils.landmark_files.header import LandmarkHeader
from utils.landmark_files.io import LandmarkTrack, read_landmarks, write_landmarks
from utils.landmark_files.precomputed import read_precomputed
from utils.shared import LANDMARKS
from utils.weights.litert import read_network
from utils.weights.sets import MANIFEST, read_manifest

MEMORY = 6 << 30  # bytes that the process may have
SLOW_SECONDS = 10.0
TOKENS = (
    *(b"nan", b"inf", b"1e999", b"-1", b"999999999999", b"\x00", b"\xff\xfe", b"\n", b"#", b":"),
    *(b"# segments: 0-999999999999@0", b"../", b"&a", b"*a", b"!!python/object:os.system", b'"'),
)


@dataclass(frozen=True)
class Reader:
    """A reader, a valid file for it, and how often it is tried in a full run."""

    name: str
    file_name: str
    content: bytes
    read: Callable[[Path], object]
    times: int


def mutate(content: bytes, random: np.random.Generator) -> bytes:
    """One to eight changes: bits, bytes, cuts, doublings, tokens."""
    changed = bytearray(content)
    for _ in range(int(random.integers(1, 9))):
        place = int(random.integers(0, len(changed) + 1))
        end = min(len(changed), place + int(random.integers(1, 64)))
        match int(random.integers(0, 6)):
            case 0 if place < len(changed):
                changed[place] ^= 1 << int(random.integers(0, 8))
            case 1:
                changed[place:end] = random.bytes(end - place)
            case 2:
                del changed[place:end]
            case 3:
                changed[place:place] = changed[place:end] * int(random.integers(1, 4))
            case 4:
                changed[place:end] = TOKENS[int(random.integers(0, len(TOKENS)))]
            case _:
                del changed[place:]
    return bytes(changed)


def _read_text(path: Path) -> None:
    track = read_landmarks(path)
    track.segments, track.crop_boxes  # noqa: B018 - what they raise counts


def _read_weights(architecture: str) -> Callable[[Path], None]:
    from utils.network.two_stream import build_stream
    from utils.weights.stream_weights import load_stream_weights

    model = build_stream(architecture, units=4)
    return lambda path: load_stream_weights(model, architecture, path)


def readers(folder: Path) -> list[Reader]:
    """All readers, each with a small file that it accepts."""
    random = np.random.default_rng(0)
    landmarks = random.uniform(-1, 1, (3, LANDMARKS, 2))
    header = LandmarkHeader(fps=25, segments="0-2@0.000", crop_boxes="0:1,2,30 2:1,3,30")
    write_landmarks(folder / "a.txt", LandmarkTrack(landmarks, "normalized", header))
    np.savez(folder / "a.npz", landmarks=landmarks, detected=np.ones(3, bool))
    columns = [f"{axis}_{point}" for point in range(LANDMARKS) for axis in "xy"]
    rows: list[list[object]] = [["frame", "confidence", "success", *columns]]
    rows += [[n, 0.9, 1, *frame.ravel().round(2)] for n, frame in enumerate(landmarks, 1)]
    table = "\n".join(",".join(map(str, row)) for row in rows).encode()
    with zipfile.ZipFile(folder / "a.task", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("face_detector.tflite", bytes(500))
    entry = "{format: any, clip_length: 60, architecture: convolutional, units: 4, score: mean, "
    entry += "unclear: [0.2, 0.8], ranges: {fps: [23, null]}, "
    entry += "files: {g1: {name: a, size: 3}, g2: {name: b}}}"
    manifest = f"sets:\n  mine: {entry}\nensembles:\n  two: {{members: [mine]}}\n".encode()
    return [
        Reader("landmarks", "x.txt", (folder / "a.txt").read_bytes(), _read_text, 120_000),
        Reader("OpenFace", "x.csv", table, read_precomputed, 40_000),
        Reader("npz", "x.npz", (folder / "a.npz").read_bytes(), read_precomputed, 30_000),
        Reader("manifest", MANIFEST, manifest, lambda path: read_manifest(path.parent), 3_000),
        Reader(
            "task",
            "x.task",
            (folder / "a.task").read_bytes(),
            lambda path: read_network(path, "face_detector.tflite"),
            10_000,
        ),
        *_weight_readers(folder),
    ]


def _weight_readers(folder: Path) -> list[Reader]:
    import torch

    from utils.network.two_stream import build_stream

    build_stream("convolutional", units=4).save_weights(folder / "a.weights.h5")
    torch.save({"rnn.weight": torch.zeros(4, 4)}, folder / "a.pth")
    kept = (folder / "a.weights.h5").read_bytes(), (folder / "a.pth").read_bytes()
    return [
        Reader("h5", "x.weights.h5", kept[0], _read_weights("convolutional"), 3_000),
        Reader("pth", "x.pth", kept[1], _read_weights("gru-residual"), 3_000),
    ]


def fuzz(reader: Reader, times: int, seed: int, folder: Path) -> list[str]:
    """What went wrong, a line each: neither read nor refused, or too slowly."""
    wrong = []
    path = folder / reader.file_name
    for number in progress(range(times), desc=reader.name, leave=False):
        random = np.random.default_rng([seed, number])
        path.write_bytes(mutate(reader.content, random))
        began = time.monotonic()
        try:
            reader.read(path)
        except InputError as error:
            if "\n" in str(error):
                wrong.append(f"{reader.name} {number}: more than a line")
        except Exception as error:
            wrong.append(f"{reader.name} {number}: {type(error).__name__}: {str(error)[:100]}")
        if time.monotonic() - began > SLOW_SECONDS:
            wrong.append(f"{reader.name} {number}: {time.monotonic() - began:.0f} s")
    path.unlink(missing_ok=True)
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=1.0, help="of a full run's inputs")
    given = parser.parse_args()
    total = 0
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "made").mkdir()
        made = readers(folder / "made")
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        for reader in made:
            times = max(1, round(reader.times * given.share))
            found = fuzz(reader, times, given.seed, folder)
            print(f"{reader.name}: {times} inputs, {len(found)} neither read nor refused")
            total, wrong = total + times, wrong + found
    print(f"{total} inputs, seed {given.seed}: {len(wrong)} wrong")
    print(*wrong, sep="\n", end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(run_script("benchmarks.fuzz", main))
