"""Videos as streams of frames: never more than a few frames in memory."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from ..errors import InputError

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"}
    | {".ogv", ".ts", ".webm", ".wmv"}
)
DEFAULT_FPS = 25.0  # for containers that do not say
LEAST_SHARE = 0.9  # of the announced frames; containers that estimate them are off by less

Item = TypeVar("Item")


@dataclass(frozen=True)
class VideoInfo:
    """What a container says of its video; `frames` is 0 where it does not say."""

    path: Path
    fps: float
    frames: int


def open_capture(path: Path) -> cv2.VideoCapture:
    """An open OpenCV capture.

    Raises:
        InputError: the file is missing, empty or no video that OpenCV can read.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise InputError(f"{path}: not a video that OpenCV can read; convert it to mp4 first")
    return capture


def probe(path: Path) -> VideoInfo:
    """Frame rate and announced length of a video. Raises InputError like `open_capture`."""
    capture = open_capture(path)
    fps = capture.get(cv2.CAP_PROP_FPS)
    frames = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    capture.release()
    plausible = np.isfinite(fps) and 0 < fps <= 1000
    return VideoInfo(path, float(fps) if plausible else DEFAULT_FPS, max(0, int(frames)))


def read_frames(path: Path) -> Iterator[np.ndarray]:
    """The frames of a video, uint8 (H, W, 3) BGR, turned as the container asks.

    Raises:
        InputError: the file is no video, has no frame, or ends long before it should.
    """
    capture = open_capture(path)
    announced = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    count = 0
    try:
        while True:
            ok, frame = capture.read()
            if not ok:
                break
            count += 1
            yield frame
    finally:
        capture.release()
    if count == 0:
        raise InputError(f"{path}: no frame can be decoded; the file is damaged")
    if count < LEAST_SHARE * announced:
        raise InputError(
            f"{path}: breaks off after {count} of {announced} frames; the file is damaged"
        )


def frame_size(path: Path) -> tuple[int, int]:
    """Height and width of a video's frames in pixels, as they are decoded.

    Raises:
        InputError: the file is no video or has no frame.
    """
    height, width = next(read_frames(path)).shape[:2]
    return height, width


class Prefetch(Iterator[Item]):
    """Runs an iterator in a thread, a few items ahead, so that decoding overlaps with the rest.

    Use as a context manager: leaving it early stops the thread.
    """

    _END = object()

    def __init__(self, items: Iterable[Item], ahead: int = 4) -> None:
        self._items = items
        self._queue: queue.Queue = queue.Queue(maxsize=ahead)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._fill, daemon=True)

    def __enter__(self) -> Prefetch[Item]:
        self._thread.start()
        return self

    def __exit__(self, *ending: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _put(self, message: tuple[object, BaseException | None]) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(message, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def _fill(self) -> None:
        ending: BaseException | None = None
        iterator = iter(self._items)
        try:
            for item in iterator:
                if not self._put((item, None)):
                    break
        except BaseException as error:
            ending = error
        finally:
            close = getattr(iterator, "close", None)
            if close:
                close()
        self._put((self._END, ending))

    def __next__(self) -> Item:
        item, error = self._queue.get()
        if item is self._END:
            self._put((self._END, None))  # a further `next` ends too
            if error is not None:
                raise error
            raise StopIteration
        return item
