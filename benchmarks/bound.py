#!/usr/bin/env python3
"""How near extraction comes to what its parts allow: `python -m benchmarks.bound -h`.

Each part is measured alone, on one thread, in this run. What they cost together, dealt out among
the cores, is the least time that any arrangement of them can take; and one video's meshes come one
after the other, since each looks where the frame before had the face, if on all cores. Between two
of them lies what is done with their answers.

Cores share their memory and may share their clock and their arithmetic units, so that two do less
than twice the work of one. Each part is therefore measured once more while every
other core does the same, and the bound set by these costs is reported beside the first.

A machine's speed may vary by a half within minutes. So a round measures everything once, and what
was reached is held against the bound of its own round.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import kept_busy, measure
from benchmarks.run import REFERENCE_VIDEOS
from utils.console import EXIT_DONE, run_script
from utils.errors import InputError
from utils.LandmarkDetector.mediapipe_mesh import MediaPipeMesh

MESH, BOXES = "MediaPipe's mesh", "face boxes"
REST = "tracking, re-identification, normalizing, writing"
DETECT_EVERY = MediaPipeMesh.detect_every  # frames
VIDEOS = 8  # in the run with a worker a core


@dataclass(frozen=True)
class Round:
    """What was measured of a video within a minute or two.

    Attributes:
        parts: by name (2,) seconds a frame on one thread: alone, and while every other core does
            the same.
        mesh_on_all: seconds a frame of the mesh on all cores, or on one if that is faster.
        frames: of the video.
        wholes: by name the seconds that an extraction took, and (2,) the least that it could.
    """

    parts: dict[str, np.ndarray]
    mesh_on_all: float
    frames: float
    wholes: dict[str, tuple[float, np.ndarray]]


def seconds_a_frame(case: str, *arguments: object, cores: int) -> np.ndarray:
    """Of one part on one thread: alone, and while every other core does the same."""
    alone = measure(case, *arguments, repeats=1)
    with kept_busy(case, *arguments, copies=cores - 1):
        beside = measure(case, *arguments, repeats=1)
    return np.array([alone.seconds / alone.units, beside.seconds / beside.units])


def measure_round(video: Path, cores: int) -> Round:
    cases: dict[str, tuple[Any, ...]] = {
        "decoding": ("decode", video, 1),
        "cuts and dissolves": ("find_cuts", video),
        MESH: ("mesh", video),
        BOXES: ("detect_faces", video, DETECT_EVERY, "blazeface"),
        REST: ("follow", video),
    }
    parts = {name: seconds_a_frame(*case, cores=cores) for name, case in cases.items()}
    on_all = measure("mesh", video, cores, repeats=1)
    one = measure("extract", video, "mediapipe", "warm", repeats=1)
    many = measure("extract_many", video, VIDEOS, cores, "mediapipe", repeats=1)
    together = sum(parts.values()) / cores
    mesh = min(on_all.seconds / on_all.units, parts[MESH][0])
    in_a_row = mesh + parts[BOXES][0] + parts[REST][0]
    wholes = {
        "one process": (one.seconds, one.units * np.maximum(together, in_a_row)),
        f"{VIDEOS} videos, {cores} workers, their start too": (
            many.seconds,
            VIDEOS * one.units * together,
        ),
    }
    return Round(parts, mesh, one.units, wholes)


def print_result(video: Path, rounds: list[Round], cores: int) -> None:
    """Prints a table of the medians, and of the shares of the bound within each round."""
    print(f"\n| {video.stem}, {rounds[0].frames:.0f} frames | alone | all {cores} cores at work |")
    print("|---|---|---|")
    for name in rounds[0].parts:
        alone, beside = 1000 * np.median([one.parts[name] for one in rounds], axis=0)
        print(f"| {name}, ms a frame | {alone:.2f} | {beside:.2f} |")
    mesh = 1000 * np.median([one.mesh_on_all for one in rounds])
    print(f"| {MESH} on {cores} threads | {mesh:.2f} | |")
    for name in rounds[0].wholes:
        took = np.array([one.wholes[name][0] for one in rounds])
        least = np.array([one.wholes[name][1] for one in rounds])
        shares = [
            f"{np.median(of_rounds):.2f} ({', '.join(f'{share:.2f}' for share in of_rounds)})"
            for of_rounds in (least / took[:, None]).T
        ]
        print(f"| {name}: {np.median(took):.2f} s; share of the bound | {' | '.join(shares)} |")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.bound", description=__doc__)
    parser.add_argument("--videos", nargs="+", type=Path, help="default: the reference videos")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    videos = given.videos or sorted(REFERENCE_VIDEOS.glob("*.mp4"))
    if not videos:
        raise InputError(f"{REFERENCE_VIDEOS}: no videos; name some with --videos")
    cores = os.cpu_count() or 1
    for video in videos:
        rounds = [measure_round(video, cores) for _ in range(given.rounds)]
        print_result(video, rounds, cores)
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(run_script("benchmarks.bound", main))
