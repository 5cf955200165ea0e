#!/usr/bin/env python3
"""Many clients of the local page at once: `python -m benchmarks.serve_load -h`.

Each client sends its files one after another, most of them landmark files, every tenth a video,
while another one asks for the page four times a second. Told: whether each file has its verdict,
how long the page took to answer, and the server's memory by eighths of the run.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

from benchmarks.measure import PROJECT
from utils.console import EXIT_DONE, EXIT_FAILED, print_result, run_script

ASK_SECONDS, PARTS = 0.25, 8
STOP_SECONDS = 60.0  # how long the server may take to end
MOST_PAGE_SECONDS = 0.2
LANDMARKS = (PROJECT / "landmarks" / "sample_fake.txt").read_bytes()
VIDEO = PROJECT / "input" / "sample_fake.mp4"


def ask(address: str, data: bytes | None = None) -> bytes:
    method = "GET" if data is None else "POST"
    request = urllib.request.Request(address, data, method=method)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return answer.read()


@contextmanager
def running_server(folder: Path, *flags: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The local page as a user starts it, and its address.

    Args:
        folder: of its jobs.
    """
    command = [sys.executable, str(PROJECT / "classify.py"), "--serve", "127.0.0.1:0"]
    command += ["--serve_path", str(folder), *flags]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        match = re.search(r"http://\S+/", process.stderr.readline())
        assert match, "the server did not start"
        yield process, match[0]
    finally:
        process.terminate()
        process.communicate(timeout=STOP_SECONDS)


class Watch(threading.Thread):
    """Asks for the page, and looks at the server's memory, until it is told to stop."""

    def __init__(self, address: str, process: psutil.Process) -> None:
        super().__init__(daemon=True)
        self._address, self._process = address, process
        self._stopped = threading.Event()
        self.seconds: list[float] = []
        self.megabytes: list[float] = []

    def run(self) -> None:
        while not self._stopped.wait(ASK_SECONDS):
            began = time.monotonic()
            ask(self._address)
            self.seconds.append(time.monotonic() - began)
            self.megabytes.append(self._process.memory_info().rss / 1e6)

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def send(address: str, client: int, files: int) -> list[str]:
    """Sends a client's files; the numbers of its jobs."""
    sent = []
    for number in range(files):
        is_video = (client + number) % 10 == 0
        name = f"{client}-{number}{VIDEO.suffix if is_video else '.txt'}"
        content = VIDEO.read_bytes() if is_video else LANDMARKS
        sent.append(json.loads(ask(f"{address}api/jobs?name={name}", content))["id"])
    return sent


def wait_for_all(address: str) -> list[dict]:
    while True:
        jobs = json.loads(ask(f"{address}api/jobs"))["jobs"]
        if all(job["state"] in ("done", "failed") for job in jobs):
            return jobs
        time.sleep(1)


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.serve_load", description=__doc__)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--files", type=int, default=10, help="of each client")
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_server(Path(folder), "--workers", str(given.workers)) as (process, address),
    ):
        watch = Watch(address, psutil.Process(process.pid))
        watch.start()
        began = time.monotonic()
        with ThreadPoolExecutor(given.clients) as clients:
            parts = clients.map(lambda one: send(address, one, given.files), range(given.clients))
            sent = [job for part in parts for job in part]
        uploaded = time.monotonic() - began
        jobs = wait_for_all(address)
        seconds = time.monotonic() - began
        watch.stop()
    right = sum(job["state"] == "done" and job["label"] == "Fake" for job in jobs)
    lost = set(sent) - {job["id"] for job in jobs}
    slow = np.quantile(watch.seconds, (0.5, 0.95, 1)) * 1000
    memory = " ".join(f"{np.median(part):.0f}" for part in np.array_split(watch.megabytes, PARTS))
    print_result(
        f"sent {len(sent)} in {uploaded:.1f} s, {right} with their verdict, {len(lost)} lost"
    )
    print_result(f"all done after {seconds:.0f} s; server's memory by eighths, MB: {memory}")
    print_result(f"page, ms: median {slow[0]:.0f}, 95 % {slow[1]:.0f}, slowest {slow[2]:.0f}")
    fine = right == len(sent) and not lost and slow[2] <= 1000 * MOST_PAGE_SECONDS
    return EXIT_DONE if fine else EXIT_FAILED


if __name__ == "__main__":
    sys.exit(run_script("benchmarks.serve_load", main))
