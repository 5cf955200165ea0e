#!/usr/bin/env python3
"""How near extraction comes to what its parts allow: `python -m benchmarks.bound -h`.

Each part is measured alone, on one thread, in this run. What they cost together, dealt out among
the cores, is the least time that any arrangement of them can take; and one video's meshes come one
after the other, since each looks where the frame before had the face, if on all cores. Between two
of them lies what is done with their answers.

Cores share their memory and may share their clock and their arithmetic units, so that two do less
than twice the work of one, whatever they run. Each part is therefore measured once more while every
other core does the same, and the bound that these costs set is told beside the first.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np

from benchmarks.measure import kept_busy, measure
from benchmarks.run import REFERENCE_VIDEOS
from utils.console import EXIT_DONE, run_script
from utils.errors import InputError
from utils.LandmarkDetector.mediapipe_mesh import MediaPipeMesh

MESH, BOXES = "MediaPipe's mesh", "face boxes"
REST = "following, telling who is who, normalizing, writing"
DETECT_EVERY = MediaPipeMesh.detect_every  # frames
VIDEOS = 8  # in the run with a worker a core


def seconds_a_frame(case: str, *arguments: object, cores: int, repeats: int) -> np.ndarray:
    """Of one part on one thread: alone, and while every other core does the same."""
    alone = measure(case, *arguments, repeats=repeats)
    with kept_busy(case, *arguments, copies=cores - 1):
        beside = measure(case, *arguments, repeats=repeats)
    return np.array([alone.seconds / alone.units, beside.seconds / beside.units])


def parts_of(video: Path, cores: int, repeats: int) -> dict[str, np.ndarray]:
    """By part, (2,) seconds a frame: alone and with every core at work."""
    cases = {
        "decoding": ("decode", video, 1),
        "cuts and dissolves": ("find_cuts", video),
        MESH: ("mesh", video),
        BOXES: ("detect_faces", video, DETECT_EVERY, "blazeface"),
        REST: ("follow", video),
    }
    return {
        name: seconds_a_frame(*case, cores=cores, repeats=repeats) for name, case in cases.items()
    }


def tell(video: Path, repeats: int, cores: int) -> None:
    """Prints a table of a video's parts, the bounds and what was reached."""
    parts = parts_of(video, cores, repeats)
    one = measure("extract", video, "mediapipe", "warm", repeats=repeats)
    many = measure("extract_many", video, VIDEOS, cores, "mediapipe", repeats=repeats)
    together = sum(parts.values())
    print(f"\n| {video.stem}, {one.units:.0f} frames | alone | all {cores} cores at work |")
    print("|---|---|---|")
    for name, (alone, beside) in parts.items():
        print(f"| {name}, ms a frame | {1000 * alone:.2f} | {1000 * beside:.2f} |")
    on_all = measure("mesh", video, cores, repeats=repeats)
    mesh = min(on_all.seconds / on_all.units, parts[MESH][0])
    print(f"| {MESH} on {cores} threads | {1000 * mesh:.2f} | |")
    in_a_row = mesh + parts[BOXES][0] + parts[REST][0]
    bound = one.units * np.maximum(together / cores, in_a_row)
    bound_of_many = VIDEOS * one.units * together / cores
    for name, least, cost in (
        ("one process", bound, one),
        (f"{VIDEOS} videos, {cores} workers, their start too", bound_of_many, many),
    ):
        reached = (f"{seconds:.2f} s: {seconds / cost.seconds:.2f}" for seconds in least)
        print(f"| {name}: {cost.seconds:.2f} s; bound, and share reached | {' | '.join(reached)} |")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.bound", description=__doc__)
    parser.add_argument("--videos", nargs="+", type=Path, help="default: the reference videos")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    videos = given.videos or sorted(REFERENCE_VIDEOS.glob("*.mp4"))
    if not videos:
        raise InputError(f"{REFERENCE_VIDEOS}: no videos; name some with --videos")
    for video in videos:
        tell(video, given.repeats, os.cpu_count() or 1)
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(run_script("benchmarks.bound", main))
