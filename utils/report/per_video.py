"""Groups results by video, and finds the video file of a result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..landmark_files.crop_boxes import denormalize
from ..landmark_files.io import LandmarkTrack, read_landmarks
from ..limits import MAX_MEGAPIXELS
from ..shared import NORMALIZED
from ..verdict.results import VideoResult, video_key
from ..video.file_types import DEFAULT_FPS

# Does work on a job, perhaps in another process; raises InputError where that fails.
RunApart = Callable[[Callable[[Any], Any], Any], Any]


def run_here(work: Callable[[Any], Any], job: Any) -> Any:
    """Work that is trusted not to end this process."""
    return work(job)


class PerVideoWriter:
    """A writer that receives a video's faces together, once all are known.

    Subclasses write in `write_video`, and what belongs to the whole in `finish`.
    """

    def __init__(self) -> None:
        self._faces: list[VideoResult] = []

    def add(self, result: VideoResult) -> None:
        if self._faces and video_key(self._faces[0]) != video_key(result):
            self._end_video()
        self._faces.append(result)

    def close(self, interrupted: bool = False) -> None:
        self._end_video()
        self.finish(interrupted)

    def _end_video(self) -> None:
        if self._faces:
            self.write_video(self._faces)
        self._faces = []

    def write_video(self, faces: Sequence[VideoResult]) -> None:
        """Takes the faces of one video, the main one first."""
        raise NotImplementedError

    def finish(self, interrupted: bool = False) -> None:
        """All videos are done, or those that were before the run was interrupted."""


class VideoFinder:
    """Finds the video of a face: the one that was given, or one of its name in some folders.

    Args:
        max_megapixels: million pixels of a frame, at most, where the video is read.
    """

    def __init__(self, folders: Sequence[Path], max_megapixels: float = MAX_MEGAPIXELS) -> None:
        self._folders = folders
        self.max_megapixels = max_megapixels

    def __call__(self, face: VideoResult) -> Path | None:
        if face.source is not None:
            return face.source if face.source.is_file() else None
        name = Path(face.video).name  # a header must not lead out of the folders
        if not name:
            return None
        places = [folder / name for folder in self._folders]
        return next((path for path in places if path.is_file()), None)


def video_rate(face: VideoResult) -> float:
    """Frames a second of a face's video, in which its clips are counted: what was read of a fast
    one has fewer."""
    return face.header.fps or face.fps or DEFAULT_FPS


def track_of(face: VideoResult) -> LandmarkTrack:
    """What its landmark file holds. Raises InputError where that cannot be read."""
    return face.track or read_landmarks(face.path)


def landmarks_by_frame(track: LandmarkTrack) -> dict[int, np.ndarray]:
    """Number of a video's frame -> landmarks (68, 2) in its pixels; empty where the file does not
    say where its crops lay.

    Raises:
        InputError: the header cannot be read.
    """
    boxes = track.crop_boxes
    if boxes is None or track.format != NORMALIZED:
        return {}
    turned = track.header.turned or "0"
    if turned not in ("0", "90", "180", "270"):
        raise InputError(f"turned by {turned} degrees; extract it again")
    placed = denormalize(track.landmarks, boxes, int(turned))
    return {
        segment.frame + line - segment.start: placed[line]
        for segment in track.segments
        for line in range(segment.start, segment.end)
    }
