"""Runs a command and watches what it costs: time, CPU time and memory of its whole process tree."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.cases import KEEP_BUSY

PROJECT = Path(__file__).resolve().parent.parent
SAMPLE_SECONDS = 0.05


@dataclass(frozen=True)
class Cost:
    """Medians over runs: seconds of the work alone, its units, peak memory, CPU seconds."""

    seconds: float
    units: float
    peak_mb: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Units a second."""
        return self.units / self.seconds


def _watch_memory(process: psutil.Process, peak: list[float], done: threading.Event) -> None:
    while not done.wait(SAMPLE_SECONDS):
        used = 0
        for member in [process, *_children(process)]:
            try:
                used += member.memory_info().rss
            except psutil.Error:
                continue
        peak[0] = max(peak[0], used / 1e6)


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _start(command: list[str], stderr: int = subprocess.PIPE, **more: str) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "LRNET_OFFLINE": "1", **more}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment
    )


def run_once(command: list[str]) -> tuple[str, float, float]:
    """What a command prints, its tree's peak memory in MB, and its CPU seconds."""
    before = os.times()
    process = _start(command)
    peak, done = [0.0], threading.Event()
    watcher = threading.Thread(target=_watch_memory, args=(psutil.Process(process.pid), peak, done))
    watcher.start()
    printed, errors = process.communicate()
    done.set()
    watcher.join()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: {errors[-500:]}")
    after = os.times()
    cpu = after.children_user + after.children_system
    return printed, peak[0], cpu - before.children_user - before.children_system


@contextmanager
def kept_busy(case: str, *arguments: object, copies: int) -> Iterator[None]:
    """Does the work of a case again and again, in `copies` processes, until the block ends."""
    processes = [
        _start(_command(case, *arguments), subprocess.DEVNULL, **{KEEP_BUSY: "1"})
        for _ in range(copies)
    ]
    try:
        for process in processes:
            # it says when its set-up is over
            if process.stdout is None or not process.stdout.readline():
                raise RuntimeError(f"{case} {arguments}: ended in its set-up")
        yield
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def _command(case: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", "benchmarks.cases", case, *map(str, arguments)]


def measure(case: str, *arguments: object, repeats: int) -> Cost:
    """The median cost of a case of `benchmarks.cases`."""
    costs = []
    for _ in range(repeats):
        printed, peak, cpu = run_once(_command(case, *arguments))
        said = json.loads(printed.splitlines()[-1])
        costs.append(Cost(said["seconds"], said["units"], peak, cpu))
    return Cost(
        *(
            statistics.median(getattr(cost, name) for cost in costs)
            for name in ("seconds", "units", "peak_mb", "cpu_seconds")
        )
    )
