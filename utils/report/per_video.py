"""Results gathered video by video, and where the video itself is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..landmark_files.crop_boxes import denormalize, parse_boxes
from ..landmark_files.io import read_landmarks
from ..landmark_files.segments import parse_segments
from ..shared import NORMALIZED
from ..verdict.reliability import header_measurements
from ..verdict.results import VideoResult, video_key
from ..video.frames import DEFAULT_FPS


class PerVideoWriter:
    """A writer that is told of a video when all of its faces are known.

    Subclasses write in `write_video`, and what belongs to the whole in `finish`.
    """

    def __init__(self) -> None:
        self._faces: list[VideoResult] = []

    def add(self, result: VideoResult) -> None:
        if self._faces and video_key(self._faces[0]) != video_key(result):
            self._end_video()
        self._faces.append(result)

    def close(self, failed: bool = False) -> None:
        if not failed:
            self._end_video()
            self.finish()

    def _end_video(self) -> None:
        if self._faces:
            self.write_video(self._faces)
        self._faces = []

    def write_video(self, faces: Sequence[VideoResult]) -> None:
        """Takes the faces of one video, the main one first."""
        raise NotImplementedError

    def finish(self) -> None:
        """All videos are done."""


class VideoFinder:
    """Finds the video of a face: the one that was given, or one of its name in some folders."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders

    def __call__(self, face: VideoResult) -> Path | None:
        if face.source is not None:
            return face.source if face.source.is_file() else None
        name = Path(face.video).name  # a header must not lead out of the folders
        if not name:
            return None
        places = [folder / name for folder in self._folders]
        return next((path for path in places if path.is_file()), None)


def video_rate(face: VideoResult, header: Mapping[str, str]) -> float:
    """Frames a second of a face's video, in which its clips are counted: what was read of a fast
    one has fewer."""
    return header_measurements(header).get("fps") or face.fps or DEFAULT_FPS


def landmarks_by_frame(path: Path) -> dict[int, np.ndarray]:
    """Number of a video's frame -> landmarks (68, 2) in its pixels; empty where the file does not
    tell where its crops lay.

    Raises:
        InputError: the file cannot be read.
    """
    track = read_landmarks(path)
    boxes = parse_boxes(track.header.get("crop_boxes"), len(track.landmarks))
    if boxes is None or track.format != NORMALIZED:
        return {}
    turned = track.header.get("turned", "0")
    if turned not in ("0", "90", "180", "270"):
        raise InputError(f"{path}: turned by {turned} degrees; extract it again")
    placed = denormalize(track.landmarks, boxes, int(turned))
    return {
        segment.frame + line - segment.start: placed[line]
        for segment in parse_segments(track.header.get("segments"), len(placed))
        for line in range(segment.start, segment.end)
    }
