#!/usr/bin/env python3
"""How near extraction comes to what its parts allow: `python -m benchmarks.bound -h`.

Each part is measured alone, on one thread, in this run. What they cost together, dealt out among
the cores, is the least time that any arrangement of them can take; and one video's mesh cannot be
dealt out, since it looks where the frame before had the face.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from benchmarks.measure import measure
from benchmarks.run import REFERENCE_VIDEOS
from utils.console import EXIT_DONE, run_script
from utils.errors import InputError

MESH = "MediaPipe's mesh"
DETECT_EVERY = 12  # frames, MediaPipe's own
VIDEOS = 8  # in the run with a worker a core


def seconds_a_frame(video: Path, repeats: int) -> dict[str, float]:
    """By part, on one thread."""
    every_frame = {
        "decoding": measure("decode", video, 1, repeats=repeats),
        "cuts and dissolves": measure("find_cuts", video, repeats=repeats),
        MESH: measure("mesh", video, repeats=repeats),
        "face boxes": measure("detect_faces", video, DETECT_EVERY, "blazeface", repeats=repeats),
    }
    return {name: cost.seconds / cost.units for name, cost in every_frame.items()}


def tell(video: Path, repeats: int, cores: int) -> None:
    """Prints a table of a video's parts, the bounds and what was reached."""
    parts = seconds_a_frame(video, repeats)
    one = measure("extract", video, "mediapipe", "warm", repeats=repeats)
    many = measure("extract_many", video, VIDEOS, cores, "mediapipe", repeats=1)
    together = sum(parts.values())
    bound = one.units * max(together / cores, parts[MESH] + parts["face boxes"])
    bound_of_many = VIDEOS * one.units * together / cores
    print(f"\n| {video.stem}, {one.units:.0f} frames, {cores} cores | |\n|---|---|")
    for name, seconds in parts.items():
        print(f"| {name}, alone | {1000 * seconds:.2f} ms a frame |")
    for name, least, cost in (
        ("one process", bound, one),
        (f"{VIDEOS} videos, {cores} workers, their start too", bound_of_many, many),
    ):
        reached = f"bound {least:.2f} s, took {cost.seconds:.2f} s: {least / cost.seconds:.2f}"
        print(f"| {name} | {reached} |", flush=True)


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
