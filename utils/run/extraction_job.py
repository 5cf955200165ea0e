"""What an extraction is asked to do, and what came of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..landmark_files.header import LandmarkHeader
from ..limits import MAX_FACES, MAX_MEGAPIXELS
from ..video.file_types import DEFAULT_FPS
from .detector_choice import DEFAULT_FACE_DETECTOR, DEFAULT_LANDMARK_DETECTOR


@dataclass(frozen=True)
class ExtractionOptions:
    """What the flags of `extract_landmarks.py` say; paths are relative to the working directory.

    `faces` is how many a video may have, 0 for all; `calibration` empty for the landmark detector's
    own. `threads_each`: that a worker on a cluster may use; 0: the
    machine's cores are dealt out among the workers.
    """

    output_path: Path = Path("landmarks_new")
    visualize: bool = False
    visualize_path: Path = Path("visualize")
    visualize_format: str = "avi"
    log_file: Path = Path("landmark_logs.txt")
    face_detector: str = DEFAULT_FACE_DETECTOR
    landmark_detector: str = DEFAULT_LANDMARK_DETECTOR
    faces: int = 0
    max_faces: int = MAX_FACES
    max_megapixels: float = MAX_MEGAPIXELS
    calibration: str = ""
    crop: str = "stable"
    detect_every: int = 0
    device: str = "cpu"
    precision: str = "fp32"
    workers: int = 1
    timeout: float = 120.0
    image_rate: float = DEFAULT_FPS
    overwrite: bool = False
    model_weights: Path | None = None
    precomputed: Path | None = None
    thorough: bool = False
    texture: bool = True
    threads_each: int = 0

    @property
    def threads(self) -> int:
        """That a video may use, so that all workers together have a core each."""
        return self.threads_each or max(1, (os.cpu_count() or 1) // self.workers)


@dataclass(frozen=True)
class FaceReport:
    """What came of one face."""

    file: Path
    score: float
    frames: int
    frames_with_face: int
    trusted_share: float


@dataclass(frozen=True)
class VideoReport:
    """What came of one video: `error` is the reason why there is no landmark file, or empty.

    `skipped`: its landmark files were there already.
    """

    video: Path
    error: str = ""
    notice: str = ""
    frames: int = 0
    faces: tuple[FaceReport, ...] = ()
    skipped: bool = False


def parse_face_report(path: Path, header: LandmarkHeader) -> FaceReport | None:
    """A face's report from a file's header; None where another program wrote it."""
    score, trusted = header.score, header.trusted_share
    frames, seen = header.frames, header.frames_with_face
    if score is None or trusted is None or frames is None or seen is None:
        return None
    return FaceReport(path, score, frames, seen, trusted)
