#!/usr/bin/env python3
"""What befalls a long run, done to both scripts: `python -m benchmarks.faults -h`.

After each fault a rerun must complete the work, and every landmark file, result and page must be
what an undisturbed run writes, byte for byte.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import psutil

from benchmarks.measure import PROJECT
from utils.console import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_TERMINATED, EXIT_USAGE, run_script

FLAGS = ("--fd", "blazeface", "--ld", "mediapipe", "--timeout", "60")
RESULTS = ("--json", "r.json", "--jsonl", "r.jsonl", "--csv", "r.csv", "--report", "report")
LEAVING_SECONDS = 60.0  # after which nothing of a killed run is alive
LOG_LINE = re.compile(r"\S+ [\d.]+ \d{4}-\d\d-\d\dT\S+ frames=\d+ with_face=\d+ trusted=\S+.*")
Landmarks = dict[str, bytes]


@dataclass(frozen=True)
class Place:
    """A folder of videos and where one run of them writes."""

    folder: Path

    @property
    def videos(self) -> Path:
        return self.folder / "videos"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    def landmarks(self) -> Landmarks:
        return {path.name: path.read_bytes() for path in sorted(self.out.glob("*"))}

    def classify(self, *flags: str) -> subprocess.Popen:
        """Starts a classification with all outputs, in a session of its own."""
        command = [sys.executable, PROJECT / "classify.py", "videos", "-o", "out", *RESULTS, *flags]
        return subprocess.Popen(
            [str(part) for part in command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            cwd=self.folder,
            env={**os.environ, "LRNET_PROGRESS": "0", "LRNET_OFFLINE": "1"},
        )

    def results(self) -> Landmarks:
        """All that a classification wrote, by name."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        named = {str(path.relative_to(self.folder)): path for path in files}
        unstable = ("videos/", "landmark_logs.txt")
        return {
            name: path.read_bytes() for name, path in named.items() if not name.startswith(unstable)
        }

    def left_behind(self) -> list[str]:
        """Processes of a run that ended which do not leave by themselves."""
        end = time.monotonic() + LEAVING_SECONDS
        while True:
            left = [
                " ".join(one.info["cmdline"])[:80]
                for one in psutil.process_iter(["cmdline", "cwd"])
                if one.info["cwd"] == str(self.folder)
            ]
            if not left or time.monotonic() > end:
                return left
            time.sleep(0.5)

    def start(self, *flags: str, out: Path | None = None) -> subprocess.Popen:
        """Starts a run in a session of its own."""
        where = ["-i", self.videos, "-o", out or self.out, "-l", self.log]
        command = [sys.executable, PROJECT / "extract_landmarks.py", *where, *FLAGS, *flags]
        return subprocess.Popen(
            [str(part) for part in command],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "LRNET_PROGRESS": "0"},
        )

    def run(self, *flags: str, out: Path | None = None) -> tuple[int, list[str]]:
        """Exit status and stderr's lines of a run to its end."""
        return outcome(self.start(*flags, out=out))


def outcome(process: subprocess.Popen) -> tuple[int, list[str]]:
    """Exit status and stderr's lines of a run, once it has ended."""
    errors = process.communicate()[1]
    return process.returncode, errors.splitlines()


def make_videos(folder: Path, count: int, frames: int = 36) -> None:
    """Short videos of the samples' faces; the first shows both, and so ends in two files."""
    folder.mkdir(parents=True)
    samples = sorted((PROJECT / "input").glob("*.mp4"))[:2]
    pictures = [_frames(sample, frames + count) for sample in samples]
    for number in range(count):
        shown = [one[number : number + frames] for one in pictures]
        chosen = [np.hstack(pair) for pair in zip(*shown, strict=True)] * 2
        _write(folder / f"video{number}.mp4", chosen if number == 0 else shown[number % 2])


def _frames(sample: Path, count: int) -> list[np.ndarray]:
    with av.open(str(sample)) as container:
        frames = zip(range(count), container.decode(video=0), strict=False)
        return [cv2.resize(f.to_ndarray(format="bgr24"), (320, 320)) for _, f in frames]


def _write(path: Path, frames: Sequence[np.ndarray]) -> None:
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", 25)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        output.mux(stream.encode())


class Faults:
    """Does one kind of fault after another to fresh copies of the same videos.

    Args:
        folder: an empty one; videos: how many each run has; seed: of the moments.
    """

    def __init__(self, folder: Path, videos: int = 3, seed: int = 0) -> None:
        self._folder = folder
        self._random = np.random.default_rng(seed)
        self._number = 0
        first = Place(folder / "undisturbed")
        make_videos(first.videos, videos)
        self.seconds = np.inf  # the fastest of some: a signal after a run's end hits nothing
        for _ in range(3):
            shutil.rmtree(first.out, ignore_errors=True)
            began = time.monotonic()
            status, lines = first.run()
            self.seconds = min(self.seconds, time.monotonic() - began)
        self.undisturbed = first.landmarks()
        faces = sum(name.endswith(".txt") for name in self.undisturbed)
        assert status == 0 and faces == videos + 1, lines
        self._results: Landmarks = {}
        self._classify_seconds = 0.0

    @contextlib.contextmanager
    def place(self) -> Iterator[Place]:
        self._number += 1
        place = Place(self._folder / str(self._number))
        shutil.copytree(self._folder / "undisturbed" / "videos", place.videos)
        yield place
        shutil.rmtree(place.folder, ignore_errors=True)

    def wrong_after_rerun(self, place: Place, *flags: str) -> list[str]:
        """What is wrong after a rerun; empty where the work is complete."""
        status, lines = place.run(*flags)
        wrong = [] if status == 0 else [f"the rerun ends in {status}: {lines}"]
        landmarks = place.landmarks()
        for name in sorted(landmarks.keys() | self.undisturbed.keys()):
            if landmarks.get(name) != self.undisturbed.get(name):
                wrong.append(f"{name}: {'differs' if name in landmarks else 'is missing'}")
        lines = place.log.read_text(encoding="utf-8").splitlines()
        wrong += [f"log: {line}" for line in lines if not LOG_LINE.fullmatch(line)]
        logged = {line.split()[0] for line in lines}
        wrong += [f"{v.name}: not logged" for v in place.videos.iterdir() if v.name not in logged]
        return wrong

    def ended(self, how: signal.Signals, status: int, *flags: str) -> tuple[bool, list[str]]:
        """Whether a run was ended by a signal at a random moment, and what is wrong after that."""
        with self.place() as place:
            process = place.start(*flags)
            time.sleep(self._random.uniform(0, self.seconds))
            with contextlib.suppress(ProcessLookupError):
                (os.killpg if how == signal.SIGKILL else os.kill)(process.pid, how)
            errors = process.communicate()[1].splitlines()
            hit = process.returncode != 0
            wrong = []
            # before our own handlers stand, Python and the system answer in their ways
            if process.returncode not in (0, status, -how) and not errors:
                wrong.append(f"ends in {process.returncode} without a word")
            if how != signal.SIGKILL and process.returncode == status:
                left = [path.name for path in place.out.glob(".*")]
                wrong += [f"left behind: {name}" for name in left]
                if len(errors) != 1:
                    wrong.append(f"said {errors}")
            return hit, wrong + self.wrong_after_rerun(place, *flags)

    def classification_killed(self, *flags: str) -> tuple[bool, list[str]]:
        """Whether `classify.py` with all outputs was killed at a random moment, and what is wrong
        after a rerun."""
        if not self._results:
            with self.place() as place:
                began = time.monotonic()
                place.classify().communicate()
                self._classify_seconds = time.monotonic() - began
                self._results = place.results()
        with self.place() as place:
            process = place.classify(*flags)
            time.sleep(self._random.uniform(0, self._classify_seconds))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            wrong = [f"still runs: {name}" for name in place.left_behind()]
            rerun = place.classify(*flags)
            errors = rerun.communicate()[1]
            if rerun.returncode:
                wrong.append(f"the rerun ends in {rerun.returncode}: {errors}")
            results = place.results()
            for name in sorted(results.keys() | self._results.keys()):
                known = _in_any_order(name, self._results.get(name))
                if _in_any_order(name, results.get(name)) != known:
                    wrong.append(f"{name}: {'differs' if name in results else 'is missing'}")
            return process.returncode != 0, wrong

    def disk_full(self) -> tuple[bool, list[str]]:
        """No file may be larger than some bytes: that ends writing as a full disk does."""
        with self.place() as place:
            size = int(self._random.integers(100, 30_000))
            process = place.start()
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, size))
            status, lines = outcome(process)
            return status != 0, self._one_line_each(place, status, lines)

    def small_disk(self) -> tuple[bool, list[str]]:
        """Landmarks go to a file system of 32 KB."""
        with self.place() as place, _mounted(place.out, "size=32k"):
            status, lines = place.run()
            wrong = self._one_line_each(place, status, lines, rerun=False)
            kept = place.landmarks()
            wrong += [f"{n}: differs" for n, c in kept.items() if c != self.undisturbed.get(n)]
            return status != 0, wrong

    def read_only(self) -> tuple[bool, list[str]]:
        with self.place() as place, _mounted(place.out, "ro"):
            status, lines = place.run()
            return status != 0, self._one_line_each(place, status, lines, rerun=False)

    def _one_line_each(
        self, place: Place, status: int, lines: list[str], rerun: bool = True
    ) -> list[str]:
        wrong = [f"a traceback: {lines}"] if any("Traceback" in line for line in lines) else []
        if status not in (0, EXIT_FAILED, EXIT_USAGE):
            wrong.append(f"ends in {status}: {lines}")
        if len(lines) > 2 * len(self.undisturbed):
            wrong.append(f"said {lines}")
        if status and not any("cannot be written" in line or "File too" in line for line in lines):
            wrong.append(f"does not say why: {lines}")
        return wrong + (self.wrong_after_rerun(place) if rerun else [])

    def vanishing_input(self) -> tuple[bool, list[str]]:
        """Videos are moved away at a random moment, and come back before the rerun."""
        with self.place() as place:
            process = place.start()
            time.sleep(self._random.uniform(0, self.seconds))
            away = place.videos.rename(place.folder / "away")
            status, errors = outcome(process)
            away.rename(place.videos)
            wrong = [f"said {errors}"] if any("Traceback" in line for line in errors) else []
            return status != 0, wrong + self.wrong_after_rerun(place)

    def side_by_side(self, runs: int) -> tuple[bool, list[str]]:
        """Several runs at once write to one folder and one log."""
        with self.place() as place:
            processes = [place.start() for _ in range(runs)]
            errors = [process.communicate()[1] for process in processes]
            ended = [process.returncode for process in processes]
            wrong = [] if not any(ended) else [f"runs ended in {ended}: {errors}"]
            return True, wrong + self.wrong_after_rerun(place)


def _in_any_order(name: str, content: bytes | None) -> list[bytes] | None:
    """The lines of a file; of `.jsonl`, whose lines come as videos are done, sorted."""
    if content is None:
        return None
    lines = content.splitlines()
    return sorted(lines) if name.endswith(".jsonl") else lines


@contextlib.contextmanager
def _mounted(folder: Path, options: str) -> Iterator[None]:
    """A small file system of its own; only root may mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    subprocess.run(mount, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def may_mount() -> bool:
    with tempfile.TemporaryDirectory() as name:
        try:
            with _mounted(Path(name) / "mounted", "size=32k"):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False


def kinds(faults: Faults, rounds: int) -> Iterator[tuple[str, int, Callable]]:
    """Name, number of rounds and the fault itself."""
    two: tuple[str, ...] = ("--workers", "2")
    few = max(1, rounds // 5)
    for name, flags in (("one worker", ()), ("two workers", two)):
        for how, status, times in (
            (signal.SIGKILL, -9, rounds),
            (signal.SIGTERM, EXIT_TERMINATED, few),
            (signal.SIGINT, EXIT_INTERRUPTED, few),
        ):
            yield (
                f"{how.name}, {name}",
                times,
                lambda how=how, status=status, flags=flags: faults.ended(how, status, *flags),
            )
    for name, given, times in (
        ("one worker", (), rounds),
        ("two workers", two, few),
        ("Ray", ("--ray",), few),
    ):
        yield (
            f"SIGKILL, classification with all outputs, {name}",
            times,
            lambda given=given: faults.classification_killed(*given),
        )
    yield "no file over a random size", few, faults.disk_full
    if may_mount():
        yield "output on a disk of 32 KB", few, faults.small_disk
        yield "output on a read-only disk", 1, faults.read_only
    yield "input vanishes", few, faults.vanishing_input
    for runs in (2, 4):
        times = max(1, 2 * few if runs == 2 else few // 2)
        yield f"{runs} runs at once", times, lambda runs=runs: faults.side_by_side(runs)


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50, help="kills; of other faults a fifth")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="faults whose names hold this")
    given = parser.parse_args()
    failed = False
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a background shell
    with tempfile.TemporaryDirectory() as name:
        faults = Faults(Path(name), seed=given.seed)
        print(f"an undisturbed run takes {faults.seconds:.1f} s\n")
        print("| fault | rounds | hit the run | wrong |\n|---|---|---|---|")
        for kind, rounds, fault in kinds(faults, given.rounds):
            if given.only not in kind:
                continue
            came = [fault() for _ in range(rounds)]
            wrong = [line for _, lines in came for line in lines]
            hits = sum(hit for hit, _ in came)
            print(f"| {kind} | {rounds} | {hits} | {'; '.join(wrong) or 0} |", flush=True)
            failed = failed or bool(wrong)
    return EXIT_FAILED if failed else 0


if __name__ == "__main__":
    sys.exit(run_script("benchmarks.faults", main))
