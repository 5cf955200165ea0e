"""Face crops kept on disk between detection and calibration, so that a video is decoded once.

A stable crop is as large as the mean face of the whole video, which is known only when every frame
was seen. Until then what surrounds the face is kept in a temporary file, one frame after the other.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

import numpy as np

from ..face_boxes import CROP_SCALE, CropBox, cut_face

MARGIN = 1.12  # over the crop of the frame's own size: the mean may be larger, the centre may lag
MAX_DISK_SHARE = 0.25  # of what is free; beyond it the video is decoded again


@dataclass(frozen=True)
class _Region:
    """A rectangle of a frame: where in the file, its corner in frame pixels, its shape."""

    offset: int
    left: int
    top: int
    shape: tuple[int, int, int]

    def holds(self, box: CropBox) -> bool:
        height, width = self.shape[:2]
        return (
            self.left <= box.left
            and self.top <= box.top
            and box.left + box.side <= self.left + width
            and box.top + box.side <= self.top + height
        )


class FaceSpool:
    """Keeps the surroundings of faces, frame by frame; a context manager.

    `add` every frame of a tracklet from the first that shows the face; then, where `holds` says so,
    `faces` cuts the crops without the video.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._regions: dict[int, list[_Region]] = {}
        self._bytes = 0
        self._limit = 0

    def __enter__(self) -> FaceSpool:
        self._limit = int(MAX_DISK_SHARE * shutil.disk_usage(tempfile.gettempdir()).free)
        self._file = tempfile.TemporaryFile(prefix="lrnet-faces-")
        return self

    def __exit__(self, *ending: object) -> None:
        self._give_up()

    def _give_up(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # what could not be written is not wanted any more
                self._file.close()
        self._file = None
        self._regions = {}

    def add(self, tracklet: int, frame: np.ndarray, landmarks: np.ndarray) -> None:
        """Stores the region around a tracklet's landmarks (68, 2); nothing on a full disk."""
        if self._file is None:
            return
        low, high = landmarks.min(axis=0), landmarks.max(axis=0)
        half = MARGIN * CROP_SCALE * (high - low).max() / 2 + 2
        left, top = np.clip((low + high) / 2 - half, 0, None).astype(int)
        right, bottom = np.maximum((low + high) / 2 + half + 1, 1).astype(int)
        pixels = np.ascontiguousarray(frame[top:bottom, left:right])
        region = _Region(self._bytes, int(left), int(top), pixels.shape)
        self._regions.setdefault(tracklet, []).append(region)
        self._bytes += pixels.nbytes
        try:
            if self._bytes > self._limit:
                self._give_up()
            else:
                self._file.write(pixels.data)
        except OSError:
            self._give_up()

    def holds(self, tracklet: int, start: int, boxes: Sequence[CropBox]) -> bool:
        """Whether the crops of a tracklet's frames from `start` on lie in its stored regions."""
        try:
            if self._file is not None:
                self._file.flush()  # the last bytes may be those for which there is no room
        except OSError:
            self._give_up()
        regions = self._regions.get(tracklet, [])[start : start + len(boxes)]
        return len(boxes) == len(regions) and all(
            region.holds(box) for region, box in zip(regions, boxes, strict=True)
        )

    def faces(self, tracklet: int, start: int, boxes: Sequence[CropBox]) -> Iterator[np.ndarray]:
        """The crops (400, 400, 3) of a tracklet's frames, equal to `cut_face` of the frames."""
        assert self._file is not None
        for region, box in zip(self._regions[tracklet][start:], boxes, strict=False):
            self._file.seek(region.offset)
            pixels = np.frombuffer(self._file.read(int(np.prod(region.shape))), np.uint8)
            inside = CropBox(box.left - region.left, box.top - region.top, box.side)
            yield cut_face(pixels.reshape(region.shape), inside)
