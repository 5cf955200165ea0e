#!/usr/bin/env python3
"""One video through each pair of detectors that is available: `python -m benchmarks.detectors`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.run import REFERENCE_VIDEOS
from utils.console import notice, run_script
from utils.errors import InputError
from utils.landmark_files.io import read_landmarks
from utils.run.classification import classify_files
from utils.run.extraction_job import ExtractionOptions
from utils.run.video_extraction import VideoExtractor
from utils.shared import FACE_DETECTORS, LANDMARK_DETECTORS, LEFT_EYE, RIGHT_EYE
from utils.tracking.face_tracks import FaceTrack


class _Keeping(VideoExtractor):
    """Remembers the landmarks in frame pixels of the last video's main face."""

    main: FaceTrack

    def _write(self, video, output, faces, *others):  # noqa: ANN001, ANN002, ANN202
        self.main = faces[0]
        return super()._write(video, output, faces, *others)


def difference(one: FaceTrack, other: FaceTrack) -> float:
    """Mean distance of landmarks, in distances between the eyes, over frames that both have."""
    _, here, there = np.intersect1d(one.numbers, other.numbers, return_indices=True)
    ours, theirs = one.landmarks[here], other.landmarks[there]
    eyes = theirs[:, LEFT_EYE].mean(axis=1) - theirs[:, RIGHT_EYE].mean(axis=1)
    off = np.linalg.norm(ours - theirs, axis=2).mean(axis=1)
    return float((off / np.linalg.norm(eyes, axis=1)).mean())


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.detectors", description=__doc__)
    add = parser.add_argument
    add("--videos", nargs="+", type=Path, help="default: the reference videos")
    add("--model_weights", type=Path, help="where detectors' and sets' files are looked for")
    add("--weights", nargs="+", default=["bundled"], help="sets to label with")
    given = parser.parse_args()
    videos = given.videos or sorted(REFERENCE_VIDEOS.glob("*.mp4"))
    sets = " | ".join(given.weights)
    print(f"| video | --fd | --ld | frames with a face | from the first row | frames/s | {sets} |")
    print("|---" * (6 + len(given.weights)) + "|")
    for video in videos:
        first: FaceTrack | None = None
        for landmark_detector in LANDMARK_DETECTORS[1:] + LANDMARK_DETECTORS[:1]:
            for face_detector in FACE_DETECTORS:
                try:
                    row, track = measure(video, face_detector, landmark_detector, given, first)
                except InputError as error:
                    notice(f"{face_detector} and {landmark_detector} left out: {error}")
                    continue
                first = first or track
                print(row, flush=True)
    return 0


def measure(
    video: Path,
    face_detector: str,
    landmark_detector: str,
    given: argparse.Namespace,
    first: FaceTrack | None,
) -> tuple[str, FaceTrack]:
    """A row of the table, and the main face. Raises InputError where a detector can't be had."""
    with tempfile.TemporaryDirectory() as folder:
        options = ExtractionOptions(
            face_detector=face_detector,
            landmark_detector=landmark_detector,
            model_weights=given.model_weights,
        )
        extractor, output = _Keeping(options), Path(folder) / f"{video.stem}.txt"
        start = time.perf_counter()
        report = extractor.extract(video, output, show_progress=False)
        seconds = time.perf_counter() - start
        if report.error:
            raise InputError(report.error)
        track = read_landmarks(output)
        labels = []
        for name in given.weights:
            folder_of_sets = given.model_weights or Path("model_weights")
            _, (result,) = classify_files([output], name, folder_of_sets, None, None)
            labels.append(f"{result.label} {result.score:.2f}")
    off = difference(extractor.main, first) if first else 0.0
    cells = [video.name, face_detector, landmark_detector, str(track.header.frames_with_face)]
    cells += [f"{off:.1%}" if first else "", f"{report.frames / seconds:.0f}", *labels]
    return "| " + " | ".join(cells) + " |", extractor.main


if __name__ == "__main__":
    sys.exit(run_script("benchmarks.detectors", main))
