"""Shot detection: cuts and dissolves.

PySceneDetect's adaptive detector looks at shrunk frames as they pass: a cut is a frame that differs
from the one before far more than its neighbours do. It has no detector of short dissolves, so those
are found here: the frame between two that differ is their blend.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np

from .display import TimedFrame

SHRUNK_ROWS = 60  # of the frames that are compared
MIN_CHANGE = 15.0  # mean change of hue, saturation and brightness, of 255
MIN_RATIO = 3.0  # over the mean change of the neighbours
NEIGHBOURS = 2  # frames on each side
MIN_SHOT = 5  # frames

HALF_WIDTHS = (4, 6, 8)  # frames from the middle of a dissolve to those that it is a blend of
MAX_SIMILARITY = 0.9  # correlation of these two
MIN_CONTRAST = 100.0  # mean square of their difference, of 255 squared
MIN_SHARE = 0.2  # that each has in the blend
MAX_REMAINDER = 0.05  # of their difference, that the blend does not explain
SAME_PICTURE = 6.0  # mean change of brightness, of 255, between the pictures around a flash
SAME_SHARE = 0.35  # of the change at the cut
HELD_BYTES = 128 << 20  # of frames that wait until a dissolve can be recognised


class ShotFrame(NamedTuple):
    """A frame, its time in seconds, and whether a shot begins with it."""

    picture: np.ndarray
    time: float
    begins_shot: bool


class CutDetector:
    """PySceneDetect's adaptive detector, fed with frames one by one; it never opens a video.

    `process_frame` returns whether a shot begins at frame n - `delay`.
    """

    delay = NEIGHBOURS

    def __init__(self) -> None:
        from scenedetect.common import FrameTimecode
        from scenedetect.detectors import AdaptiveDetector

        self._timecode = FrameTimecode
        self._detector = AdaptiveDetector(
            adaptive_threshold=MIN_RATIO,
            min_content_val=MIN_CHANGE,
            window_width=NEIGHBOURS,
            min_scene_len=MIN_SHOT,
        )
        self._number = 0

    def process_frame(self, shrunk: np.ndarray) -> bool:
        """Whether a cut lies before the frame that came `delay` frames earlier."""
        moment = self._timecode(self._number, fps=25.0)  # counts frames; the rate does not matter
        self._number += 1
        return bool(self._detector.process_frame(moment, shrunk))


class DissolveDetector:
    """Finds where a frame is the blend of one some frames earlier and one as many later.

    `process_frame` returns whether a shot begins at frame n - `delay`. Motion is no blend: in
    the two reference videos and 18 others the blend leaves 6 % of the difference and more; in
    dissolves of 3 to 20 frames between any two of them 1 % in the median, less than 5 % in nineteen
    of twenty.

    Args:
        delay: frames to wait; dissolves are looked for as far as it reaches.
    """

    def __init__(self, delay: int = HALF_WIDTHS[-1]) -> None:
        self.delay = delay
        self._half_widths = [half for half in HALF_WIDTHS if half <= delay]
        self._seen: deque[np.ndarray] = deque(maxlen=2 * delay + 1)
        self._since = 0

    def process_frame(self, grey: np.ndarray) -> bool:
        self._seen.append((grey - grey.mean()).ravel())
        self._since += 1
        if len(self._seen) <= 2 * self.delay or self._since <= self.delay:
            return False
        if not any(self._is_second_half(half) for half in self._half_widths):
            return False
        self._since = 0  # one dissolve, one cut
        return True

    def _is_second_half(self, half: int) -> bool:
        """Whether the middle frame is a blend of which the later one has the larger share."""
        before, middle, after = (self._seen[self.delay + step] for step in (-half, 0, half))
        ends = np.array([[before @ before, before @ after], [before @ after, after @ after]])
        norm = ends[0, 0] * ends[1, 1]
        apart = ends[0, 0] + ends[1, 1] - 2 * ends[0, 1]
        if apart < MIN_CONTRAST * len(middle) or ends[0, 1] > MAX_SIMILARITY * np.sqrt(norm):
            return False
        if ends[0, 0] * ends[1, 1] - ends[0, 1] ** 2 < 1e-3 * norm or not norm:
            return False  # one of them is plain
        parts = np.array([before @ middle, after @ middle])
        shares = np.linalg.solve(ends, parts)
        left = middle @ middle - shares @ parts
        return bool(MIN_SHARE < shares[0] <= 1.2 * shares[1] and left < MAX_REMAINDER * apart)


def _shrunk(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    if height <= SHRUNK_ROWS:
        return picture
    size = max(1, round(width * SHRUNK_ROWS / height)), SHRUNK_ROWS
    # every n-th pixel is enough of a large frame before the average is taken
    step = max(1, height // (2 * SHRUNK_ROWS))
    return cv2.resize(picture[::step, ::step], size, interpolation=cv2.INTER_AREA)


def _is_flash(greys: deque[np.ndarray], at: int) -> bool:
    """Whether a picture soon after a cut is that of soon before it: a flash, or a slip of the hand.

    Args:
        greys: of the frames around the cut; at: the index of the first one after it.
    """
    before, after = list(greys)[:at], list(greys)[at:]
    if not before or not after:
        return False
    change = np.abs(after[0] - before[-1]).mean()
    return any(
        np.abs(late - early).mean() < min(SAME_PICTURE, SAME_SHARE * change)
        for early in before
        for late in after
    )


def mark_shots(frames: Iterable[TimedFrame]) -> Iterator[ShotFrame]:
    """The frames, each marked with whether a shot begins with it; a few are held back to decide."""
    cuts, dissolves = CutDetector(), DissolveDetector()
    waiting: deque[TimedFrame] = deque()
    begins: deque[bool] = deque()  # of the frames that wait, as far as cuts are known
    first, since = True, 0  # the last beginning
    greys: deque[np.ndarray] = deque()  # of the frames that wait, and as many before them
    for number, frame in enumerate(frames):
        if not number:
            held = HELD_BYTES // max(1, frame.picture.nbytes)
            dissolves = DissolveDetector(max(NEIGHBOURS, min(dissolves.delay, held)))
        shrunk = _shrunk(frame.picture)
        grey = cv2.cvtColor(shrunk, cv2.COLOR_BGR2GRAY).astype(np.float32)
        greys.append(grey)
        waiting.append(frame)
        is_cut = cuts.process_frame(shrunk)
        if number >= cuts.delay:
            begins.append(is_cut)
        is_dissolve = dissolves.process_frame(grey)
        if len(waiting) > dissolves.delay:
            alone = since > dissolves.delay and not any(begins)  # a quick dissolve is a cut too
            is_cut = begins.popleft() and not _is_flash(greys, len(greys) - len(waiting))
            starts = first or is_cut or (is_dissolve and alone)
            first, since = False, 0 if starts else since + 1
            yield ShotFrame(*waiting.popleft(), starts)
            while len(greys) > len(waiting) + dissolves.delay:
                greys.popleft()
    while waiting:
        is_cut = bool(begins) and begins.popleft()
        is_cut = is_cut and not _is_flash(greys, len(greys) - len(waiting))
        yield ShotFrame(*waiting.popleft(), first or is_cut)
        first = False
