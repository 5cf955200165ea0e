"""Pictures to a video file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ..errors import InputError


class VideoWriter:
    """An `.avi` in XVID; the file is made with the first frame, when the size is known.

    Written under a temporary name that `close` renames, so that a file that exists is whole.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path = path
        self._fps = fps
        self._partial = path.with_name(f".{path.stem}.partial{path.suffix}")
        self._writer: cv2.VideoWriter | None = None

    def write(self, frame: np.ndarray) -> None:
        """Adds a frame, uint8 (H, W, 3) BGR. Raises InputError where the file can't be made."""
        if self._writer is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            height, width = frame.shape[:2]
            fourcc = cv2.VideoWriter.fourcc(*"XVID")
            self._writer = cv2.VideoWriter(str(self._partial), fourcc, self._fps, (width, height))
            if not self._writer.isOpened():
                raise InputError(f"{self.path}: cannot be written; choose --visualize_path")
        self._writer.write(frame)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *ending: object) -> None:
        if self._writer is None:
            return
        self._writer.release()
        if ending[0] is None:
            self._partial.replace(self.path)
        else:
            self._partial.unlink(missing_ok=True)
