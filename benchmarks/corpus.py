#!/usr/bin/env python3
"""A corpus of bad videos through extract_landmarks.py: `python -m benchmarks.corpus -h`.

Each must end in landmarks or in one line that names it; nothing else may be said.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import PROJECT
from utils.console import native_stderr_muted, run_script
from utils.landmark_files.io import face_number

FLAGS = ("--ld", "mediapipe", "--fd", "blazeface")


def extract(videos: Sequence[Path], folder: Path, workers: int) -> tuple[int, list[str]]:
    """Exit status and stderr's lines of one run over the videos; landmarks go to `folder`/out."""
    listed = folder / "list.txt"
    listed.write_text("".join(f"{video}\n" for video in videos), encoding="utf-8")
    where = ["-i", f"@{listed}", "-o", str(folder / "out"), "-l", str(folder / "log.txt")]
    command = [sys.executable, str(PROJECT / "extract_landmarks.py"), *where, *FLAGS]
    ran = subprocess.run(
        [*command, "--workers", str(workers), "--timeout", "60"],
        capture_output=True,
        text=True,
        env={"PATH": "", "LRNET_PROGRESS": "0", "HOME": str(folder)},
    )
    return ran.returncode, ran.stderr.splitlines()


def judge(videos: Sequence[Path], out: Path, lines: Sequence[str]) -> tuple[int, list[str]]:
    """How many ended in landmarks, and what is wrong, a line each."""
    made = {face_number(path)[0].name.removesuffix(".txt") for path in out.glob("*.txt")}
    wrong, extracted = [], 0
    for video in videos:
        said = [line for line in lines if line.startswith(f"{video}:")]
        if video.stem in made or video.name in made:
            extracted += 1
        elif len(said) != 1:
            wrong.append(f"{video.name}: no landmarks and {len(said)} lines")
    wrong += [line for line in lines if "Traceback" in line or "Error:" in line]
    known = {str(video) for video in videos}
    wrong += [
        f"unexplained: {line}"
        for line in lines[:-1]
        if not any(line.startswith(f"{name}:") for name in known)
    ]
    return extracted, wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.corpus", description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    sys.path.insert(0, str(PROJECT / "tests"))
    from bad_videos import make_corpus

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "videos").mkdir()
        with native_stderr_muted():  # encoders greet
            videos = make_corpus(folder / "videos")
        began = time.monotonic()
        status, lines = extract(videos, folder, given.workers)
        extracted, wrong = judge(videos, folder / "out", lines)
        seconds = time.monotonic() - began
        print(
            f"{len(videos)} videos, {extracted} with landmarks, {len(wrong)} wrong, {seconds:.0f} s"
        )
        print(*wrong, sep="\n")
        print(f"status {status}; {lines[-1] if lines else 'nothing was said'}")
    return 1 if wrong or status not in (0, 1) else 0


if __name__ == "__main__":
    sys.exit(run_script("benchmarks.corpus", main))
