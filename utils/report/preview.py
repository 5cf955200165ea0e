"""The preview in a report: a small H.264 copy of the video, with landmarks as an overlay."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from ..limits import INLINE_PREVIEW_BYTES, MAX_PREVIEW_SECONDS
from ..video.display import TimedFrame
from ..video.writer import VideoWriter

MAX_ROWS = 480
OPTIONS = {"crf": "27", "preset": "veryfast"}
MAX_OVERLAYS = 3000  # frames whose landmarks a page holds
POINT_UNITS = 4  # coordinates are stored in quarters of a pixel


@dataclass(frozen=True)
class Preview:
    """What a page needs to play a video.

    Attributes:
        source: a `data:` address, or the name of the file beside the page.
        width, height: in pixels; seconds: that it shows, and `whole` whether that is all.
        overlay: JSON: of each face `times` in milliseconds, and `points`, base64 of 68 x, y as
            unsigned 16-bit quarters of a pixel, a set a time.
    """

    source: str
    width: int
    height: int
    seconds: float
    whole: bool
    overlay: str


class PreviewWriter:
    """Writes the preview of a video that is read anyway; a context manager.

    Args:
        path: an `.mp4`; it is gone again where the page can hold it.
        landmarks: of each face, (68, 2) in pixels by number of the frame.
    """

    def __init__(
        self, path: Path, fps: float, landmarks: Sequence[Mapping[int, np.ndarray]]
    ) -> None:
        self._path = path
        self._writer = VideoWriter(path, fps, OPTIONS)
        self._landmarks = landmarks
        self._stride = 1 + sum(map(len, landmarks)) // MAX_OVERLAYS
        self._overlays: list[tuple[list[int], list[np.ndarray]]] = [([], []) for _ in landmarks]
        self._size = 0, 0
        self._seconds = 0.0
        self.full = False

    def add(self, number: int, frame: TimedFrame) -> None:
        """Takes a frame, until there are enough."""
        if frame.time > MAX_PREVIEW_SECONDS:
            self.full = True
            return
        height, width = frame.picture.shape[:2]
        scale = min(1.0, MAX_ROWS / height)
        self._size = tuple(max(2, round(side * scale / 2) * 2) for side in (width, height))
        small = cv2.resize(frame.picture, self._size, interpolation=cv2.INTER_AREA)
        self._writer.write(small, frame.time)
        self._seconds = frame.time
        if number % self._stride:
            return
        for known, (times, points) in zip(self._landmarks, self._overlays, strict=True):
            if number in known:
                times.append(round(frame.time * 1000))
                points.append(known[number] * np.array(self._size) / (width, height))

    def preview(self) -> Preview | None:
        """What was written, after the context was left; None where there was no frame."""
        if not self._path.is_file():
            return None
        source = self._path.name
        if self._path.stat().st_size <= INLINE_PREVIEW_BYTES:
            source = f"data:video/mp4;base64,{base64.b64encode(self._path.read_bytes()).decode()}"
            self._path.unlink()
        faces = [
            {"times": times, "points": _coded(points)} for times, points in self._overlays if times
        ]
        overlay = json.dumps({"faces": faces, "units": POINT_UNITS}, separators=(",", ":"))
        return Preview(source, *self._size, self._seconds, not self.full, overlay)

    def __enter__(self) -> PreviewWriter:
        self._writer.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.__exit__(kind, error, trace)


def _coded(points: Sequence[np.ndarray]) -> str:
    units = np.rint(np.array(points) * POINT_UNITS)
    return base64.b64encode(np.clip(units, 0, 65535).astype("<u2").tobytes()).decode()
