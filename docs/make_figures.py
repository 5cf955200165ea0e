#!/usr/bin/env python3
"""Draws the figures of README.md: `python -m docs.make_figures` (report.png needs Chromium)."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from utils.console import notice, run_script
from utils.errors import InputError
from utils.landmark_files.crop_boxes import denormalize
from utils.landmark_files.io import read_landmarks
from utils.network.clips import stream_values, subtract_moving_average
from utils.report.colours import FAKE_RGB, REAL_RGB
from utils.run.extraction_job import ExtractionOptions
from utils.run.video_extraction import VideoExtractor
from utils.video.frames import Video
from utils.video.visualization import draw_landmarks

DOCS = Path(__file__).resolve().parent
INPUT = DOCS.parent / "input"
FRAMES, LANDMARK = 60, 62  # what is drawn over time: one clip, the inner upper lip
REPORT_SIZE = (900, 1600)  # pixels of the screenshot


def _extract(video: Path, folder: Path, calibration: str) -> Path:
    output = folder / f"{video.stem}.{calibration}.txt"
    dlib = ExtractionOptions(
        face_detector="dlib", landmark_detector="dlib", calibration=calibration
    )
    extractor = VideoExtractor(dlib)
    report = extractor.extract(video, output, show_progress=False)
    if report.error:
        raise InputError(report.error)
    return output


def draw_way_of_the_data(path: Path) -> None:
    """A frame with its landmarks; detection against calibration; what each stream reads."""
    from matplotlib.figure import Figure

    videos = {"real": INPUT / "sample_real.mp4", "fake": INPUT / "sample_fake.mp4"}
    colours = {"real": np.array(REAL_RGB) / 255, "fake": np.array(FAKE_RGB) / 255}
    figure = Figure((11, 2.9), layout="constrained")
    picture, calibrated, g1, g2 = figure.subplots(1, 4)
    with tempfile.TemporaryDirectory() as name:
        for label, video in videos.items():
            files = {kind: _extract(video, Path(name), kind) for kind in ("none", "published")}
            tracks = {kind: read_landmarks(file) for kind, file in files.items()}
            clip = tracks["published"].landmarks[:FRAMES].reshape(1, FRAMES, -1).astype("f")
            for axes, stream in ((g1, "g1"), (g2, "g2")):
                values = 100 * stream_values("convolutional", stream, clip)[0, :, 2 * LANDMARK + 1]
                axes.plot(values, color=colours[label], label=label, linewidth=1)
            if label == "real":
                for kind, style in (("none", ":"), ("published", "-")):
                    pixels = 200 * tracks[kind].landmarks[:FRAMES, LANDMARK, 1]
                    course = subtract_moving_average(pixels.reshape(1, -1, 1))[0, :, 0]
                    said = "calibrated" if kind == "published" else "as detected"
                    calibrated.plot(course, style, color="0.2", linewidth=1, label=said)
                boxes = tracks["none"].crop_boxes
                assert boxes is not None
                with Video(video) as opened:
                    frame = next(iter(opened.pictures()))
                placed = denormalize(tracks["none"].landmarks, boxes)[0]
                drawn = draw_landmarks(frame, placed, (0, 0, 255), 3)
                picture.imshow(cv2.cvtColor(drawn, cv2.COLOR_BGR2RGB))
    picture.set_axis_off()
    titles = (
        (picture, "68 landmarks a frame", ""),
        (calibrated, "flow and Kalman filter calm them", "pixels of the 400-pixel crop"),
        (g1, "g1: the face's shape,\nhead motion and slow course off", "% of eye distance"),
        (g2, "g2: changes from frame to frame", "% of eye distance"),
    )
    for axes, title, unit in titles:
        axes.set_title(title, fontsize="small")
        axes.set_ylabel(unit, fontsize="small")
        axes.tick_params(labelsize="small")
        if unit:
            axes.set_xlabel("frame", fontsize="small")
            axes.legend(fontsize="x-small")
    figure.savefig(path, dpi=100)


def photograph_report(path: Path) -> None:
    """A screenshot of the sample's page in headless Chromium."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        notice("report.png is not drawn: no chromium")
        return
    with tempfile.TemporaryDirectory() as name:
        classify = [sys.executable, str(DOCS.parent / "classify.py")]
        flags = ["-i", str(INPUT / "sample_fake.mp4"), "--report", "report"]
        subprocess.run([*classify, *flags], check=True, cwd=name, capture_output=True)
        page = (Path(name) / "report" / "sample_fake.html").as_uri()
        headless = ["--headless=new", "--no-sandbox", "--hide-scrollbars", "--disable-gpu"]
        headless.append("--virtual-time-budget=3000")  # the preview's first frame
        size = f"--window-size={REPORT_SIZE[0]},{REPORT_SIZE[1]}"
        command = [program, *headless, size, f"--screenshot={path}", page]
        subprocess.run(command, check=True, capture_output=True)


def main() -> int:
    draw_way_of_the_data(DOCS / "how_it_works.png")
    photograph_report(DOCS / "report.png")
    return 0


if __name__ == "__main__":
    sys.exit(run_script("docs.make_figures", main))
