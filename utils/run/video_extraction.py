"""One video to its landmark file: detection or landmarks from elsewhere, calibration, header."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ..console import progress
from ..errors import InputError
from ..FaceDetector import make_face_detector
from ..FaceDetector.interface import FaceDetector
from ..landmark_files.formats import NORMALIZED
from ..landmark_files.precomputed import find_precomputed, read_precomputed
from ..landmark_files.text import LandmarkTrack, write_landmarks
from ..landmark_utils import (
    DetectedTrack,
    calibrate_landmarks,
    cut_faces,
    detect_landmarks,
    track_of_landmarks,
)
from ..LandmarkDetector import make_landmark_detector
from ..LandmarkDetector.interface import LandmarkDetector
from ..tracking.following import FaceFollower
from ..video.face_spool import FaceSpool
from ..video.frames import Prefetch, VideoInfo, frame_size, probe, read_frames
from ..video.visualization import draw_tracks

FEW_DETECTIONS = 0.5  # a video that shows its face in fewer of its frames gets a notice


@dataclass(frozen=True)
class ExtractionOptions:
    """What the flags of `extract_landmarks.py` say; paths are relative to the working directory."""

    output_path: Path = Path("landmarks_new")
    visualize: bool = False
    visualize_path: Path = Path("visualize")
    log_file: Path = Path("landmark_logs.txt")
    face_detector: str = "dlib"
    landmark_detector: str = "dlib"
    crop: str = "stable"
    detect_every: int = 0
    device: str = "cpu"
    precision: str = "fp32"
    workers: int = 1
    overwrite: bool = False
    model_weights: Path | None = None
    precomputed: Path | None = None
    thorough: bool = False


@dataclass(frozen=True)
class VideoReport:
    """What came of one video: `error` is the reason why there is no landmark file, or empty."""

    video: Path
    error: str = ""
    notice: str = ""
    score: float = 0.0
    frames: int = 0
    frames_with_face: int = 0
    trusted_share: float = 0.0

    def log_line(self) -> str:
        """`<video> <score> <ISO time> <frames> <frames with a face> <trusted share>`."""
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        return (
            f"{self.video.name} {self.score:.4f} {now} frames={self.frames} "
            f"with_face={self.frames_with_face} trusted={self.trusted_share:.4f}"
        )


class VideoExtractor:
    """Extracts one video after another with detectors that are built once.

    Raises:
        InputError: a detector's model cannot be had.
    """

    def __init__(self, options: ExtractionOptions) -> None:
        self._options = options
        self._detectors = None if options.precomputed else _make_detectors(options)

    def extract(self, video: Path, output: Path, show_progress: bool) -> VideoReport:
        """Writes the landmark file of a video; what is wrong with the video ends in the report."""
        try:
            return self._extract(video, output, show_progress)
        except InputError as error:
            return VideoReport(video, error=_about(video, str(error)))
        except Exception as error:
            if os.environ.get("LRNET_DEBUG"):
                raise
            return VideoReport(video, error=f"{video}: {type(error).__name__}: {error}")

    def _extract(self, video: Path, output: Path, show_progress: bool) -> VideoReport:
        info = probe(video)
        with FaceSpool() as spool:
            detected, header, notice = self._find_landmarks(info, spool, show_progress)
            boxes = detected.crops(self._options.crop)
            if spool.holds(boxes):
                faces = spool.faces(boxes)
            else:
                faces = cut_faces(read_frames(video), boxes, detected.first_frame)
            with _watched(faces, info, "calibrate", len(boxes), show_progress) as watched:
                calibrated = calibrate_landmarks(watched, detected, boxes)
        if self._options.visualize:
            self._draw(info, detected, calibrated.in_frames(boxes), show_progress)
        report = VideoReport(
            video,
            score=detected.score,
            frames=len(detected.detected) + detected.first_frame,
            frames_with_face=int(detected.detected.sum()),
            trusted_share=calibrated.trusted_share,
            notice="; ".join(filter(None, [notice, *_notices(detected)])),
        )
        header = {**self._header(info, report, detected), **header}
        write_landmarks(output, LandmarkTrack(calibrated.landmarks, NORMALIZED, header))
        return report

    def _find_landmarks(
        self, info: VideoInfo, spool: FaceSpool, show_progress: bool
    ) -> tuple[DetectedTrack, dict[str, Any], str]:
        """The landmarks, what the header says of their origin, and a notice."""
        if self._detectors is None:
            return self._take_landmarks(info)
        thorough = self._options.thorough
        every = 1 if thorough else self._options.detect_every
        follower = FaceFollower(*self._detectors, every, whole_frames=thorough)
        frames = read_frames(info.path)
        with _watched(frames, info, "detect", info.frames, show_progress) as watched:
            detected = detect_landmarks(watched, follower, None if thorough else spool)
        face_detector, landmark_detector = self._detectors
        origin = {
            "face_detector": face_detector.name,
            "landmark_detector": landmark_detector.name,
            "detect_every": follower.detect_every,
        }
        return detected, origin, ""

    def _draw(
        self, info: VideoInfo, detected: DetectedTrack, calibrated: np.ndarray, show_progress: bool
    ) -> None:
        frames = islice(read_frames(info.path), detected.first_frame, None)
        with _watched(frames, info, "draw", len(calibrated), show_progress) as watched:
            draw_tracks(watched, detected.landmarks, calibrated, self._options.visualize_path, info)

    def _take_landmarks(self, info: VideoInfo) -> tuple[DetectedTrack, dict[str, Any], str]:
        assert self._options.precomputed is not None
        found = read_precomputed(find_precomputed(info.path, self._options.precomputed))
        height, width = frame_size(info.path)
        detected = track_of_landmarks(found.landmarks, found.detected, width, height, found.score)
        covered = len(found.landmarks)
        notice = ""
        if info.frames and covered < info.frames:
            notice = f"{found.path} covers {covered} of {info.frames} frames; only those are used"
        origin = {
            "face_detector": "precomputed",
            "landmark_detector": "precomputed",
            "precomputed": found.path.name,
        }
        return detected, origin, notice

    def _header(
        self, info: VideoInfo, report: VideoReport, detected: DetectedTrack
    ) -> dict[str, Any]:
        return {
            "video": info.path.name,
            "fps": f"{info.fps:.6g}",
            "frames": len(detected.detected),
            "first_frame": detected.first_frame,
            "width": detected.frame_width,
            "height": detected.frame_height,
            "face_detector": "",  # their places in the file; filled in by where landmarks come from
            "landmark_detector": "",
            "crop": self._options.crop,
            "score": f"{report.score:.4f}",
            "frames_with_face": report.frames_with_face,
            "trusted_share": f"{report.trusted_share:.4f}",
        }


@contextmanager
def _watched(
    items: Iterable[np.ndarray], info: VideoInfo, task: str, total: int, show_progress: bool
) -> Iterator[Iterable[np.ndarray]]:
    """Pictures made in a thread, a few ahead of their use, with a progress bar."""
    with Prefetch(items) as prefetched:
        if not show_progress:
            yield prefetched
            return
        name = f"{info.path.name} {task}"
        bar = progress(prefetched, desc=name, unit="frame", total=total or None, leave=False)
        with bar:
            yield bar


def _about(video: Path, reason: str) -> str:
    return reason if reason.startswith(str(video)) else f"{video}: {reason}"


def _notices(detected: DetectedTrack) -> Iterator[str]:
    share = detected.detected.mean()
    if share < FEW_DETECTIONS:
        yield f"the face is seen in {share:.0%} of the frames only; do not trust its score"
    if detected.first_frame:
        yield f"{detected.first_frame} leading frames without a face dropped"


def _make_detectors(options: ExtractionOptions) -> tuple[FaceDetector, LandmarkDetector]:
    where = options.device, options.model_weights
    return (
        make_face_detector(options.face_detector, *where),
        make_landmark_detector(options.landmark_detector, *where, options.precision),
    )
