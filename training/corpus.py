"""The labelled videos of a list to landmark and texture files, by the product's own extraction.

The list has one row per face, as `videos.tsv` of the training material: name, label, family,
dataset, repository, group, and where a file shows several faces the crop (x, y, width, height) of
the one that is meant. Files that are there are left alone, so that a run that was ended goes on.

With `--changed`, about half of the rows, as copies: re-encoded, some smaller, some twice as fast.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from utils.console import EXIT_DONE, notice, run_script
from utils.errors import InputError
from utils.landmark_files.io import read_landmarks
from utils.run.executor import WorkerDied
from utils.run.extraction_job import ExtractionOptions
from utils.run.face_clips import FaceClips, read_clips
from utils.run.video_extraction import VideoExtractor
from utils.scaling.worker_processes import WorkerProcesses
from utils.video.file_types import DEFAULT_FPS
from utils.video.frames import TimedFrame, Video
from utils.weights.sets import WeightSet

DETECTORS = ExtractionOptions(face_detector="blazeface", landmark_detector="mediapipe", faces=1)
MAX_FRAMES = 300  # of a video
COPY_FRAMES = 120  # of a changed copy


@dataclass(frozen=True)
class CorpusRow:
    """A labelled face.

    Attributes:
        name: of its files; fake: its label; family: `real` or one of `utils.shared.FAMILIES`.
        source: the repository that it comes from; group: person, footage or driving motion.
        file: of the video; crop: x, y, width, height, or empty for the whole picture.
    """

    name: str
    fake: bool
    family: str
    manipulation: str
    dataset: str
    source: str
    group: str
    file: str
    crop: tuple[int, ...]


@dataclass(frozen=True)
class CorpusTrack:
    """A row with what was extracted of it: landmarks (frames, 68, 2) by segment, and the clips that
    a set reads of it, or None where there is none."""

    row: CorpusRow
    fps: float
    eye_pixels: float
    face_pixels: float
    frame_pixels: float  # the shorter side of the frame
    landmarks: list[np.ndarray]
    clips: FaceClips | None = None


def read_rows(table: Path) -> list[CorpusRow]:
    """The rows of a list of videos. Raises InputError where it lacks a column."""
    try:
        with table.open(encoding="utf-8", newline="") as lines:
            return [
                CorpusRow(
                    row["name"],
                    row["label"] == "fake",
                    row["family"],
                    row["manipulation"],
                    row["dataset"],
                    row["repository"],
                    row["group"],
                    (row["sha256"][:16] or row["blob"]) + Path(row["path"]).suffix.lower(),
                    tuple(int(float(part)) for part in row["crop"].split(",") if part),
                )
                for row in csv.DictReader(lines, delimiter="\t")
            ]
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{table}: not a list of labelled videos ({error})") from None


@dataclass(frozen=True)
class Change:
    """What is done to a copy: x264's constant rate factor, the scale, every how manyth frame."""

    crf: int
    scale: float
    step: int


def change_of(name: str) -> Change | None:
    """The change of a row's copy, drawn from its name; None for the half that has no copy."""
    drawn = hashlib.sha256(name.encode()).digest()
    if drawn[0] % 2:
        return None
    return Change(
        (28, 32, 35)[drawn[1] % 3], (1.0, 1.0, 0.6)[drawn[2] % 3], 1 + (drawn[3] % 4 == 0)
    )


class CorpusVideo(Video):
    """The first frames of a video as a row means them: cropped, and changed if they are."""

    def __init__(self, path: Path, row: CorpusRow, change: Change | None = None) -> None:
        super().__init__(path)
        self._crop = row.crop or (0, 0, self.width, self.height)
        self._change = change
        self.width, self.height = self._crop[2:]

    def frames(self) -> Iterator[TimedFrame]:
        x, y, width, height = self._crop
        most, step = (COPY_FRAMES, self._change.step) if self._change else (MAX_FRAMES, 1)
        for frame in islice(super().frames(), 0, most * step, step):
            part = frame.picture[y : y + height, x : x + width]
            if self._change:
                size = [
                    max(2, round(side * self._change.scale / 2) * 2) for side in part.shape[1::-1]
                ]
                part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
            yield TimedFrame(np.ascontiguousarray(part), frame.time)


def encode(video: Video, change: Change, path: Path) -> None:
    """Writes the frames of a changed copy by x264."""
    import av

    with av.open(str(path), "w") as container:
        rate = Fraction(video.fps).limit_denominator(1001)
        stream = container.add_stream("libx264", rate=rate)
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(change.crf), "preset": "veryfast"}
        for number, picture in enumerate(video.pictures()):
            if number == 0:
                stream.height, stream.width = picture.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())


def extract_row(job: tuple[CorpusRow, Path, Path, Change | None]) -> str:
    """Extracts a row into a folder; what is wrong with it, or nothing."""
    row, videos, output, change = job
    extractor, main = _extractor(), output / f"{row.name}.txt"
    try:
        with CorpusVideo(videos / row.file, row, change) as video:
            if change is None:
                return extractor.extract_opened(video, main, False).error
            with tempfile.TemporaryDirectory() as folder:
                copy = Path(folder) / f"{row.name}.mp4"
                encode(video, change, copy)
                return extractor.extract(copy, main, False).error
    except InputError as error:
        return str(error)


@cache
def _extractor() -> VideoExtractor:
    return VideoExtractor(DETECTORS)


def read_tracks(
    rows: list[CorpusRow], folder: Path, weights: WeightSet | None = None
) -> Iterator[CorpusTrack]:
    """What was extracted of rows; those without a file are left out.

    Args:
        weights: the set whose clips are read; None: none are.
    """
    for row in rows:
        path = folder / f"{row.name}.txt"
        if not path.is_file():
            continue
        track = read_landmarks(path)
        header = track.header
        clips = None
        if weights is not None:
            with contextlib.suppress(InputError):  # too short
                clips = read_clips(path, track, weights, with_texture=True)
        yield CorpusTrack(
            row,
            header.fps or DEFAULT_FPS,
            header.eye_pixels or 0.0,
            header.face_pixels or 0.0,
            float(min(header.width or 0, header.height or 0)),
            [track.landmarks[one.start : one.end] for one in track.segments],
            clips,
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="training.corpus", description=__doc__)
    parser.add_argument("--list", type=Path, required=True, help="the list of labelled videos")
    parser.add_argument("--videos", type=Path, required=True, help="where their files lie")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--changed", action="store_true", help="changed copies, of about half")
    given = parser.parse_args()
    jobs = []
    for row in read_rows(given.list):
        change = change_of(row.name) if given.changed else None
        wanted = change is not None or not given.changed
        if wanted and not (given.output / f"{row.name}.txt").exists():
            jobs.append((row, given.videos, given.output, change))
    given.output.mkdir(parents=True, exist_ok=True)
    for (row, *_), error in WorkerProcesses(given.workers).run(extract_row, jobs):
        if error:
            why = f"reading it killed its worker ({error})"
            notice(f"{row.name}: {why if isinstance(error, WorkerDied) else error}")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(run_script("training.corpus", main))
