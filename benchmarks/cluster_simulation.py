#!/usr/bin/env python3
"""Does the driver of a cluster keep up? `python -m benchmarks.cluster_simulation -h` tells.

The tasks do nothing.

DFDC has 128,154 videos. A share of the tasks may kill their workers the first time: nothing may be
lost, and nothing that was done may be done twice.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

import psutil

from utils.console import EXIT_DONE, EXIT_FAILED, progress, run_script
from utils.scaling.cluster import Cluster, ClusterOptions

PARTS = 8  # of a run, at whose ends the driver's memory is looked at


def pass_through(deaths: Path, every: int, number: int) -> int:
    """A task that does nothing; every so-manieth kills its worker when it is begun first."""
    if every and number % every == 0:
        begun = deaths / str(number)
        if not begun.exists():
            begun.touch()
            os.abort()
    return number


def simulate(tasks: int, failing: float, workers: int) -> int:
    """Prints the figures of one run; how many tasks were lost or came twice."""
    every = round(1 / failing) if failing else 0
    memory, marks = [], {round(tasks * part / PARTS) for part in range(1, PARTS + 1)}
    came: Counter[int] = Counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        Cluster(ClusterOptions(workers=workers)) as cluster,
    ):
        work = partial(pass_through, Path(folder), every)
        done = cluster.run(work, range(tasks))
        began = time.monotonic()
        for count, (number, result) in enumerate(progress(done, total=tasks, unit="task"), 1):
            came[number] += number == result
            if count in marks:
                memory.append(psutil.Process().memory_info().rss / 1e6)
        seconds = time.monotonic() - began
        deaths = len(list(Path(folder).iterdir()))
    wrong = sum(came[number] != 1 for number in range(tasks))
    print(
        f"{tasks} tasks, {workers} workers, {deaths} deaths: {seconds:.0f} s, "
        f"{tasks / seconds:.0f} tasks a second, {wrong} lost or done twice; the driver's MB by "
        f"eighths: {' '.join(f'{used:.0f}' for used in memory)}"
    )
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.cluster_simulation", description=__doc__)
    parser.add_argument("--tasks", type=int, default=128_000)
    parser.add_argument("--failing", type=float, default=0.0, help="share that kills its worker")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    wrong = simulate(given.tasks, given.failing, given.workers)
    return EXIT_FAILED if wrong else EXIT_DONE


if __name__ == "__main__":
    sys.exit(run_script("benchmarks.cluster_simulation", main))
