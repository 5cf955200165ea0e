"""Shots: where a film cuts from one picture to another.

PySceneDetect's adaptive detector looks at shrunk frames as they pass: a cut is a frame that differs
from the one before far more than its neighbours do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np

from .display import TimedFrame

SHRUNK_ROWS = 90  # of the frames that are compared
LEAST_CHANGE = 15.0  # mean change of hue, saturation and brightness, of 255
LEAST_RATIO = 3.0  # over the mean change of the neighbours
NEIGHBOURS = 2  # frames on each side
SHORTEST_SHOT = 5  # frames


class ShotFrame(NamedTuple):
    """A frame, its time in seconds, and whether a shot begins with it."""

    picture: np.ndarray
    time: float
    begins_shot: bool


class CutDetector:
    """PySceneDetect's adaptive detector, fed with frames one by one; it never opens a video.

    `process_frame` tells of frame n - `delay` whether a shot begins there.
    """

    delay = NEIGHBOURS

    def __init__(self) -> None:
        from scenedetect.common import FrameTimecode
        from scenedetect.detectors import AdaptiveDetector

        self._timecode = FrameTimecode
        self._detector = AdaptiveDetector(
            adaptive_threshold=LEAST_RATIO,
            min_content_val=LEAST_CHANGE,
            window_width=NEIGHBOURS,
            min_scene_len=SHORTEST_SHOT,
        )
        self._number = 0

    def process_frame(self, picture: np.ndarray) -> bool:
        """Whether a cut lies before the frame that came `delay` frames earlier."""
        moment = self._timecode(self._number, fps=25.0)  # counts frames; the rate does not matter
        self._number += 1
        return bool(self._detector.process_frame(moment, _shrunk(picture)))


def _shrunk(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    if height <= SHRUNK_ROWS:
        return picture
    size = max(1, round(width * SHRUNK_ROWS / height)), SHRUNK_ROWS
    # every n-th pixel is enough of a large frame before the average is taken
    step = max(1, height // (2 * SHRUNK_ROWS))
    return cv2.resize(picture[::step, ::step], size, interpolation=cv2.INTER_AREA)


def mark_shots(frames: Iterable[TimedFrame]) -> Iterator[ShotFrame]:
    """The frames, each told whether a shot begins with it; a few are held back to know."""
    detector = CutDetector()
    waiting: deque[TimedFrame] = deque()
    first = True
    for frame in frames:
        waiting.append(frame)
        cut = detector.process_frame(frame.picture)
        if len(waiting) > detector.delay:
            yield ShotFrame(*waiting.popleft(), first or cut)
            first = False
    for frame in waiting:
        yield ShotFrame(*frame, first)
        first = False
