#!/usr/bin/env python3
"""How far scores move when a video changes but what it shows does not:
`python -m training.robustness -h`.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from utils.console import progress, run_script, say
from utils.run.classification import classify_files
from utils.run.extraction import list_videos
from utils.run.video_extraction import ExtractionOptions, VideoExtractor
from utils.weights.sets import PROJECT_WEIGHTS

# What is done to a video, as FFmpeg's output options; all are encoded by x264 but the original.
CHANGES: dict[str, tuple[str, ...]] = {
    "crf 23": ("-crf", "23"),
    "crf 28": ("-crf", "28"),
    "crf 34": ("-crf", "34"),
    "half the size": ("-crf", "20", "-vf", "scale=trunc(iw/4)*2:trunc(ih/4)*2"),
    "twice the size": ("-crf", "20", "-vf", "scale=iw*2:ih*2"),
    "mirrored": ("-crf", "18", "-vf", "hflip"),
    "25 frames a second": ("-crf", "18", "-vf", "fps=25"),
    "30 frames a second": ("-crf", "18", "-vf", "fps=30"),
}
ORIGINAL, OTHER_DETECTOR = "original", "dlib's landmarks"


def change_video(video: Path, options: tuple[str, ...], path: Path) -> None:
    """Writes a changed copy of a video."""
    import subprocess

    import imageio_ffmpeg

    program = imageio_ffmpeg.get_ffmpeg_exe()
    coded = ("-an", *options, "-c:v", "libx264", "-preset", "fast", "-pix_fmt", "yuv420p")
    subprocess.run([program, "-v", "error", "-y", "-i", str(video), *coded, str(path)], check=True)


def extract_versions(videos: list[Path], folder: Path) -> dict[Path, tuple[str, str]]:
    """Landmark file -> name of the video and what was done to it."""
    mesh = VideoExtractor(
        ExtractionOptions(face_detector="blazeface", landmark_detector="mediapipe", faces=1)
    )
    dlib = VideoExtractor(ExtractionOptions(faces=1))
    made: dict[Path, tuple[str, str]] = {}
    for video in progress(videos, desc="robustness", unit="video"):
        jobs = [(ORIGINAL, video, mesh), (OTHER_DETECTOR, video, dlib)]
        for name, options in CHANGES.items():
            copy = folder / f"{video.stem}.{name.replace(' ', '_')}.mp4"
            change_video(video, options, copy)
            jobs.append((name, copy, mesh))
        for name, path, extractor in jobs:
            output = folder / f"{video.stem}.{name.replace(' ', '_')}.txt"
            report = extractor.extract(path, output, show_progress=False)
            if report.error:
                say(report.error)
            else:
                made[output] = (video.name, name)
    return made


def main() -> int:
    parser = argparse.ArgumentParser(prog="training.robustness", description=__doc__)
    add = parser.add_argument
    add("--videos", nargs="+", type=Path, required=True, help="videos, or folders of them")
    add("--weights", default="bundled")
    add("--model_weights", type=Path, default=PROJECT_WEIGHTS)
    add("--output", type=Path, help="CSV of all scores")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = extract_versions(list_videos(given.videos), Path(folder))
        _, results = classify_files(list(made), given.weights, given.model_weights, None, 0.5)
    scores: dict[str, dict[str, float]] = defaultdict(dict)
    for result in results:
        video, change = made[result.path]
        if result.score is not None:
            scores[change][video] = result.score
    original = scores.pop(ORIGINAL)
    print("| change | videos | median move | 95th percentile | largest |")
    print("|---|---|---|---|---|")
    for change, of in scores.items():
        moves = np.abs([of[video] - original[video] for video in of if video in original])
        middle, high = np.percentile(moves, [50, 95])
        print(f"| {change} | {len(moves)} | {middle:.3f} | {high:.3f} | {moves.max():.3f} |")
    if given.output:
        with given.output.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["video", "change", "score"])
            for change, of in {ORIGINAL: original, **scores}.items():
                writer.writerows([video, change, f"{score:.4f}"] for video, score in of.items())
    return 0


if __name__ == "__main__":
    sys.exit(run_script("training.robustness", main))
