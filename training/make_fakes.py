#!/usr/bin/env python3
"""Makes fakes of real videos, and landmark files of both: `python -m training.make_fakes -h`.

Each version of a video is cut, resized and re-compressed; real clips go the same way as
fake ones, so that neither size nor compression tells them apart.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import yaml

from training.h264 import H264Video
from training.made_fakes import KINDS, FaceVideo, face_width
from utils.console import notice, progress, run_script
from utils.errors import InputError
from utils.FaceDetector import make_face_detector
from utils.landmark_utils import detect_faces
from utils.LandmarkDetector import make_landmark_detector
from utils.run.executor import WorkerDied
from utils.run.extraction import list_videos
from utils.run.extraction_job import ExtractionOptions
from utils.run.video_extraction import VideoExtractor
from utils.scaling.worker_processes import WorkerProcesses
from utils.tracking.face_tracker import FaceTracker
from utils.tracking.people import group_by_identity
from utils.video.frames import Video
from utils.video.shots import mark_shots

REAL = "real"
FRAMES = 300  # of a video are used, from a random place on
FACE_PIXELS = 90, 230  # the face's width is drawn between these
MARGIN = 0.6  # of the face's size, kept around it
DETECTORS = ExtractionOptions(face_detector="blazeface", landmark_detector="mediapipe", faces=1)
QUALITY = 18, 34  # x264's crf is drawn between these


@lru_cache(maxsize=8)
def read_face(path: Path) -> FaceVideo:
    """The face of a whole video, cut out at the video's own resolution.

    Raises:
        InputError: no video, or no face in it.
    """
    with Video(path) as video:
        shown = list(islice(mark_shots(video.frames()), 4 * FRAMES))
    detectors = (
        make_face_detector(DETECTORS.face_detector),
        make_landmark_detector(DETECTORS.landmark_detector),
    )
    found = detect_faces(shown, FaceTracker(*detectors, fps=video.fps), video.fps)
    segment = group_by_identity(found)[0].segments[0]
    low, high = segment.landmarks.min(axis=(0, 1)), segment.landmarks.max(axis=(0, 1))
    margin = MARGIN * np.ptp(segment.landmarks, axis=1).max(axis=1).mean()
    x0, y0 = np.maximum(0, low - margin).astype(int)
    x1, y1 = np.ceil(high + margin).astype(int)
    cut = [shown[number].picture[y0:y1, x0:x1] for number in segment.numbers]
    return FaceVideo(path.stem, cut, segment.landmarks - (x0, y0), video.fps)


def version_of(face: FaceVideo, random: np.random.Generator, pixels: float) -> FaceVideo:
    """A stretch of a video, its face `pixels` wide."""
    start = int(random.integers(0, max(1, len(face.frames) - FRAMES + 1)))
    scale = min(1.0, pixels / face_width(face.landmarks))
    width, height = (2 * round(scale * side / 2) for side in face.size)
    frames = [
        cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
        for frame in face.frames[start : start + FRAMES]
    ]
    factors = np.array([width, height]) / face.size
    return FaceVideo(face.name, frames, face.landmarks[start : start + FRAMES] * factors, face.fps)


def write_version(
    path: Path, video: FaceVideo, frames: Iterable[np.ndarray], random: np.random.Generator
) -> None:
    """Compresses frames of a video's size and rate."""
    crf = int(random.integers(*QUALITY))
    with H264Video(path, video.size, video.fps, crf, "veryfast") as write:
        for frame in frames:
            write(frame)


@dataclass(frozen=True)
class Version:
    """One landmark file to make: which video, what is done to it, and which try of that it is."""

    videos: tuple[Path, ...]
    target: int
    kind: str
    number: int
    path: Path
    seed: int

    def random(self) -> np.random.Generator:
        kind = [REAL, *KINDS].index(self.kind)
        return np.random.default_rng([self.seed, self.target, kind, self.number])


def read_other(version: Version, random: np.random.Generator) -> FaceVideo:
    """Another video's face, where one can be read, else the same video's."""
    target = version.videos[version.target]
    others = [path for path in version.videos if path != target] or [target]
    first = int(random.integers(len(others)))
    for path in [*others[first:], *others[:first]]:
        try:
            return read_face(path)
        except InputError:  # said where that video's own turn comes
            continue
    return read_face(target)


def make_version(version: Version) -> str:
    """Writes the landmark file; what went wrong, or nothing."""
    random, target = version.random(), version.videos[version.target]
    try:
        pixels = random.uniform(*FACE_PIXELS)
        video = version_of(read_face(target), random, pixels)
        frames: Iterable[np.ndarray] = video.frames
        if version.kind != REAL:
            other = version_of(read_other(version, random), random, pixels)
            frames = KINDS[version.kind](video, other, random)
        with tempfile.TemporaryDirectory() as scratch:
            compressed = Path(scratch) / "version.mp4"
            write_version(compressed, video, frames, random)
            extractor = VideoExtractor(DETECTORS)
            return extractor.extract(compressed, version.path, show_progress=False).error
    except InputError as error:
        return str(error)


def list_versions(given: argparse.Namespace) -> list[Version]:
    """What is still to be made; a file's name begins with its footage's group."""
    videos = tuple(list_videos([given.videos]))
    groups = yaml.safe_load(given.groups.read_text(encoding="utf-8")) if given.groups else {}
    versions = []
    for target, video in enumerate(videos):
        footage = video.stem.replace("_", "-")
        group = groups.get(video.stem, footage)
        for kind in given.kinds:
            folder = given.output / (REAL if kind == REAL else f"fake/{kind}")
            for number in range(given.versions):
                path = folder / f"{group}_{footage}_{number:02d}.txt"
                versions.append(Version(videos, target, kind, number, path, given.seed))
    return [version for version in versions if not version.path.exists()]


def make_all(versions: list[Version], workers: int) -> int:
    """Makes the versions; how many failed."""
    failed = 0
    done = WorkerProcesses(workers).run(make_version, versions)
    for version, error in progress(done, desc="make", unit="video", total=len(versions)):
        if isinstance(error, WorkerDied):
            error = f"{version.path}: making it killed its worker ({error}); the others go on"
        if error:
            failed += 1
            notice(error)
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(prog="training.make_fakes", description=__doc__)
    add = parser.add_argument
    kinds = [REAL, *KINDS]
    add("--videos", type=Path, required=True, help="folder of real videos")
    add("--output", type=Path, required=True, help="folder for real/ and fake/KIND/")
    add("--groups", type=Path, help="YAML of video name: group; else each video is its own")
    add("--kinds", nargs="+", choices=kinds, default=kinds, metavar="KIND", help=", ".join(kinds))
    add("--versions", type=int, default=4, help="of each kind of each video (4)")
    add("--workers", type=int, default=1, help="processes (1)")
    add("--seed", type=int, default=7)
    given = parser.parse_args()
    versions = list_versions(given)
    failed = make_all(versions, given.workers)
    notice(f"{len(versions) - failed} landmark files made in {given.output}; {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(run_script("training.make_fakes", main))
