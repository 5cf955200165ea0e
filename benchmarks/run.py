#!/usr/bin/env python3
"""Speed and memory of both scripts, side by side in one run: `make bench`."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

from benchmarks.measure import PROJECT, Cost, measure, run_once
from utils.console import notice, run_script
from utils.errors import InputError

REFERENCE_VIDEOS = PROJECT.parent / "shared" / "reference" / "videos"


@dataclass(frozen=True)
class Row:
    """A line of the table: what was measured, and its ratio to what (`ratio` 0: none)."""

    name: str
    cost: Cost
    ratio: float = 0.0
    to: str = ""


def video_rows(video: Path, repeats: int) -> Iterator[Row]:
    """One video through every part of extraction."""
    name = video.stem
    decoding = measure("decode", video, repeats=repeats)
    opencv = measure("decode_opencv", video, repeats=repeats)
    yield Row(f"{name}: decode only, OpenCV", opencv)
    yield Row(f"{name}: decode only", decoding, decoding.rate / opencv.rate, "OpenCV")
    cuts = measure("find_cuts", video, repeats=repeats)
    yield Row(f"{name}: finding cuts alone", cuts)
    mesh = measure("mesh", video, repeats=repeats)
    yield Row(f"{name}: MediaPipe's mesh alone", mesh)
    for flag in ("mediapipe", "stable", "per-frame", "thorough"):
        cost = measure("extract", video, flag, repeats=repeats)
        yield Row(f"{name}: extract, {flag}", cost, cost.rate / decoding.rate, "decode only")
    every = measure("detect_faces", video, 1, repeats=repeats)
    yield Row(f"{name}: face detector on every frame", every)
    fifth = measure("detect_faces", video, 5, repeats=repeats)
    yield Row(f"{name}: face detector on every 5th", fifth, fifth.rate / every.rate, "every frame")
    yield Row(f"{name}: calibration alone", measure("calibrate", video, repeats=repeats))


def length_rows(video: Path, repeats: int) -> Iterator[Row]:
    """Cost against length: the video looped."""
    first: Cost | None = None
    with tempfile.TemporaryDirectory() as folder:
        for times in (1, 4, 16):
            looped = loop_video(video, times, Path(folder) / f"{times}.mp4")
            cost = measure("extract", looped, repeats=1 if times > 4 else repeats)
            first = first or cost
            yield Row(
                f"{video.stem} x {times}: extract", cost, cost.peak_mb / first.peak_mb, "memory x 1"
            )


def loop_video(video: Path, times: int, path: Path) -> Path:
    """A video that shows `video` several times, its packets copied."""
    import imageio_ffmpeg

    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    inputs = ["-v", "error", "-stream_loop", str(times - 1), "-i", str(video)]
    run_once([ffmpeg, *inputs, "-an", "-c", "copy", str(path)])
    return path


def worker_rows(video: Path, repeats: int) -> Iterator[Row]:
    one = measure("extract_many", video, 8, 1, repeats=repeats)
    yield Row(f"8 x {video.stem}: 1 worker", one)
    two = measure("extract_many", video, 8, 2, repeats=repeats)
    yield Row(f"8 x {video.stem}: 2 workers", two, two.rate / one.rate, "1 worker")


def classify_rows(repeats: int) -> Iterator[Row]:
    one: Cost | None = None
    for count in (1, 100, 1000):
        cost = measure("classify", count, repeats=repeats)
        one = one or cost
        yield Row(f"classify {count} files", cost, cost.seconds / one.seconds, "time of 1")


def help_rows(repeats: int) -> Iterator[Row]:
    for script in ("extract_landmarks.py", "classify.py"):
        runs = [run_once([sys.executable, str(PROJECT / script), "-h"]) for _ in range(repeats)]
        cpu = statistics.median(run[2] for run in runs)
        yield Row(f"{script} -h", Cost(cpu, 1, max(run[1] for run in runs), cpu))


def fan_rows(repeats: int) -> Iterator[Row]:
    import torch

    frames, batches = (512, (1, 32, 128)) if torch.cuda.is_available() else (8, (1, 4, 8))
    library = measure("fan_library", frames, repeats=repeats)
    yield Row("FAN, face-alignment's own call", library)
    for precision, batch in product(("fp32", "bf16"), batches):
        cost = measure("fan_ours", frames, batch, precision, repeats=repeats)
        name = f"FAN, ours, {precision}, batch {batch}"
        yield Row(name, cost, cost.rate / library.rate, "face-alignment")


def table(rows: list[Row]) -> str:
    lines = [
        "| what | seconds | a second | CPU s | peak MB | ratio | to |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cost = row.cost
        ratio = f"{row.ratio:.2f}" if row.ratio else ""
        lines.append(
            f"| {row.name} | {cost.seconds:.2f} | {cost.rate:.1f} | {cost.cpu_seconds:.1f} "
            f"| {cost.peak_mb:.0f} | {ratio} | {row.to} |"
        )
    return "\n".join(lines)


def draw(rows: list[Row], path: Path) -> None:
    """Bars of all ratios."""
    from matplotlib.figure import Figure

    rows = [row for row in rows if row.ratio]
    figure = Figure(figsize=(9, 0.35 * len(rows) + 1), layout="constrained")
    axes = figure.add_subplot()
    bars = axes.barh([f"{row.name} / {row.to}" for row in rows], [row.ratio for row in rows])
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.invert_yaxis()
    axes.set_xlabel("ratio within this run")
    figure.savefig(path, dpi=110)


PARTS = ("videos", "length", "workers", "classify", "help", "fan")


def measure_parts(parts: list[str], videos: list[Path], repeats: int) -> Iterator[Row]:
    if "videos" in parts:
        for video in videos:
            yield from video_rows(video, repeats)
    if "length" in parts:
        yield from length_rows(videos[0], repeats)
    if "workers" in parts:
        for video in videos:
            yield from worker_rows(video, max(1, repeats // 2))
    if "classify" in parts:
        yield from classify_rows(repeats)
    if "help" in parts:
        yield from help_rows(repeats)
    if "fan" in parts:
        yield from fan_rows(max(1, repeats // 2))


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.run", description=__doc__)
    parser.add_argument("--videos", nargs="+", type=Path, help="default: the reference videos")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, default=PROJECT / "benchmarks" / "results")
    given = parser.parse_args()
    videos = given.videos or sorted(REFERENCE_VIDEOS.glob("*.mp4"))
    videos = videos or sorted((PROJECT / "input").glob("*.mp4"))
    if missing := [video for video in videos if not video.is_file()]:
        raise InputError(f"{missing[0]}: no such file")
    rows = []
    for row in measure_parts(given.only, videos, given.repeats):
        notice(f"{row.name}: {row.cost.rate:.1f} a second, {row.cost.peak_mb:.0f} MB")
        rows.append(row)
    given.output.mkdir(parents=True, exist_ok=True)
    content = json.dumps([asdict(row) for row in rows], indent=1)
    (given.output / "results.json").write_text(content, encoding="utf-8")
    draw(rows, given.output / "ratios.png")
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(run_script("benchmarks.run", main))
