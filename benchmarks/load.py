#!/usr/bin/env python3
"""Many files in one run: `python -m benchmarks.load -h`.

Memory and file handles of the whole process tree are looked at all the while; by eighths of the
run, so that what grows is seen.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.faults import make_videos
from benchmarks.measure import PROJECT
from utils.console import EXIT_DONE, EXIT_FAILED, run_script

LOOK_SECONDS = 1.0
PARTS = 8
LINKS = 10_000
FLAGS = ("--fd", "blazeface", "--ld", "mediapipe", "--workers", "2")


@dataclass
class Watched:
    """What a process tree held, a value a look."""

    status: int = 0
    seconds: float = 0.0
    megabytes: list[float] = field(default_factory=list)
    handles: list[int] = field(default_factory=list)

    def by_parts(self, values: list) -> str:
        return " ".join(f"{np.median(part):.0f}" for part in np.array_split(values, PARTS))


def watch(command: list[object], **options: Any) -> Watched:
    """Runs a command to its end and looks at it every second."""
    watched, began = Watched(), time.monotonic()
    process = subprocess.Popen([str(part) for part in command], **options)
    while process.poll() is None:
        time.sleep(LOOK_SECONDS)
        try:
            tree = [psutil.Process(process.pid)]
            tree += tree[0].children(recursive=True)
            watched.megabytes.append(sum(one.memory_info().rss for one in tree) / 1e6)
            watched.handles.append(sum(one.num_fds() for one in tree))
        except psutil.Error:  # one ended meanwhile
            continue
    watched.status, watched.seconds = process.returncode, time.monotonic() - began
    return watched


def links(one: Path, folder: Path, count: int, name: Callable[[int], str]) -> None:
    """A file under many names; each copy of it has as many as file systems allow."""
    folder.mkdir()
    for number in range(count):
        if number % LINKS == 0:
            original = shutil.copyfile(one, folder / name(number))
        else:
            os.link(original, folder / name(number))


def extract_many(folder: Path, count: int) -> bool:
    """Prints the figures of one run over short videos; whether all of it is there."""
    make_videos(folder / "one", 2, frames=10)
    links(folder / "one" / "video1.mp4", folder / "videos", count, lambda n: f"clip{n:05d}.mp4")
    out, log = folder / "out", folder / "log.txt"
    command = [sys.executable, PROJECT / "extract_landmarks.py", "-i", folder / "videos"]
    watched = watch([*command, "-o", out, "-l", log, *FLAGS], stderr=subprocess.DEVNULL)
    files = {path.name for path in out.iterdir()}
    lines = log.read_text(encoding="utf-8").splitlines()
    whole = len(files) == len(lines) == len({line.split()[0] for line in lines}) == count
    print_result(f"{count} videos of 10 frames, two workers", watched)
    print(f"{len(files)} landmark files, {len(lines)} log lines, status {watched.status}")
    return whole and watched.status == 0


def classify_many(folder: Path, count: int) -> bool:
    """Prints the figures of one run over landmark files; whether each has a line."""
    one = sorted((PROJECT / "landmarks").glob("*.txt"))[0]
    links(one, folder / "landmarks", count, lambda n: f"face{n:06d}.txt")
    command = [sys.executable, PROJECT / "classify.py", "-i", folder / "landmarks"]
    with (folder / "lines.txt").open("w") as lines:
        watched = watch(
            [*command, "--csv", folder / "rows.csv"], stdout=lines, stderr=subprocess.DEVNULL
        )
    said = len((folder / "lines.txt").read_text(encoding="utf-8").splitlines())
    print_result(f"{count} landmark files", watched)
    print(f"{said} lines, status {watched.status}")
    return said == count and watched.status == 0


def print_result(name: str, watched: Watched) -> None:
    print(
        f"{name}: {watched.seconds:.0f} s; MB of the process tree by eighths of the run: "
        f"{watched.by_parts(watched.megabytes)}; file handles: {watched.by_parts(watched.handles)}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.load", description=__doc__)
    parser.add_argument("--videos", type=int, default=5000)
    parser.add_argument("--files", type=int, default=100_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        whole = extract_many(Path(name), given.videos) if given.videos else True
        whole = (classify_many(Path(name), given.files) if given.files else True) and whole
    return EXIT_DONE if whole else EXIT_FAILED


if __name__ == "__main__":
    sys.exit(run_script("benchmarks.load", main))
