"""The labelled videos of a list to landmark and texture files, by the product's own extraction.

The list has a row a face, as `videos.tsv` of the training material: name, label, family, dataset,
repository, group, and where a file shows several faces the crop (x, y, width, height) of the one
that is meant. Files that are there are left alone, so that a run that was ended goes on.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from utils.console import EXIT_DONE, notice, run_script
from utils.errors import InputError
from utils.landmark_files.io import read_landmarks
from utils.landmark_files.segments import parse_segments
from utils.run.executor import WorkerDied
from utils.run.video_extraction import ExtractionOptions, VideoExtractor
from utils.scaling.worker_processes import WorkerProcesses
from utils.texture.texture_file import read_texture
from utils.verdict.reliability import header_measurements
from utils.video.frames import Video

DETECTORS = ExtractionOptions(face_detector="blazeface", landmark_detector="mediapipe", faces=1)
MAX_FRAMES = 300  # of a video


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
    """A row with what was extracted of it: landmarks (frames, 68, 2) and texture, by segment."""

    row: CorpusRow
    fps: float
    eye_pixels: float
    face_pixels: float
    frame_pixels: float  # the shorter side of the frame
    landmarks: list[np.ndarray]
    texture: list[np.ndarray]
    stride: int


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


def write_part(video: Path, crop: tuple[int, ...], part: Path) -> None:
    """The first frames of a video, cropped, without loss."""
    import av

    with Video(video) as opened, av.open(str(part), "w") as container:
        stream = None
        for number, picture in enumerate(opened.pictures()):
            if number == MAX_FRAMES:
                break
            x, y, width, height = crop or (0, 0, picture.shape[1], picture.shape[0])
            cut = np.ascontiguousarray(picture[y : y + height, x : x + width])
            if stream is None:
                rate = Fraction(opened.fps).limit_denominator(1001)
                stream = container.add_stream("ffv1", rate=rate)
                stream.height, stream.width = cut.shape[:2]
                stream.pix_fmt = "bgr0"
            frame = av.VideoFrame.from_ndarray(cut, format="bgr24")
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode())


def extract_row(job: tuple[CorpusRow, Path, Path]) -> str:
    """Extracts a row into a folder; what is wrong with it, or nothing."""
    row, videos, output = job
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / f"{row.name}.mkv"
        try:
            write_part(videos / row.file, row.crop, part)
        except InputError as error:
            return str(error)
        return VideoExtractor(DETECTORS).extract(part, output / f"{row.name}.txt", False).error


def read_tracks(rows: list[CorpusRow], folder: Path) -> Iterator[CorpusTrack]:
    """What was extracted of rows; those without a file are left out."""
    for row in rows:
        path = folder / f"{row.name}.txt"
        if not path.is_file():
            continue
        track = read_landmarks(path)
        texture = read_texture(path, len(track.landmarks))
        if texture is None:
            continue
        measured = header_measurements(track.header)
        segments = parse_segments(track.header.get("segments"), len(track.landmarks))
        yield CorpusTrack(
            row,
            measured["fps"],
            measured["eye_pixels"],
            float(track.header["face_pixels"]),
            float(min(int(track.header["width"]), int(track.header["height"]))),
            [track.landmarks[one.start : one.end] for one in segments],
            [texture.rows[one.start : one.end] for one in segments],
            texture.stride,
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="training.corpus", description=__doc__)
    parser.add_argument("--list", type=Path, required=True, help="the list of labelled videos")
    parser.add_argument("--videos", type=Path, required=True, help="where their files lie")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    jobs = [
        (row, given.videos, given.output)
        for row in read_rows(given.list)
        if not (given.output / f"{row.name}.txt").exists()
    ]
    given.output.mkdir(parents=True, exist_ok=True)
    for (row, *_), error in WorkerProcesses(given.workers).run(extract_row, jobs):
        if error:
            why = f"reading it killed its worker ({error})"
            notice(f"{row.name}: {why if isinstance(error, WorkerDied) else error}")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(run_script("training.corpus", main))
