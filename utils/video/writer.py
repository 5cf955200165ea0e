"""Pictures to a video file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from ..atomic_write import partial_path
from ..errors import InputError

MP4_OPTIONS = {"crf": "20", "preset": "fast"}


class VideoWriter:
    """An `.avi` in XVID, or an `.mp4` in H.264 that browsers play, by the path's suffix; the file
    is made with the first frame, when the size is known.

    Written under a temporary name that leaving the context renames, so that a file that exists is
    whole. In an `.mp4`, an odd last row or column is left out.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path = path
        self._fps = fps
        self._partial = partial_path(path)
        self._writer: _Xvid | _H264 | None = None

    def write(self, frame: np.ndarray) -> None:
        """Adds a frame, uint8 (H, W, 3) BGR. Raises InputError where the file can't be made."""
        if self._writer is None:
            kind = _H264 if self.path.suffix == ".mp4" else _Xvid
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._writer = kind(self._partial, self._fps, frame.shape[:2])
            except OSError:
                raise InputError(
                    f"{self.path}: cannot be written; choose --visualize_path"
                ) from None
        self._writer.write(frame)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *ending: object) -> None:
        if self._writer is None:
            return
        self._writer.close()
        if ending[0] is None:
            self._partial.replace(self.path)
        else:
            self._partial.unlink(missing_ok=True)


class _Xvid:
    def __init__(self, path: Path, fps: float, shape: tuple[int, int]) -> None:
        fourcc = cv2.VideoWriter.fourcc(*"XVID")
        self._writer = cv2.VideoWriter(str(path), fourcc, fps, (shape[1], shape[0]))
        if not self._writer.isOpened():
            raise OSError(f"{path}: OpenCV cannot write it")

    def write(self, frame: np.ndarray) -> None:
        self._writer.write(frame)

    def close(self) -> None:
        self._writer.release()


class _H264:
    def __init__(self, path: Path, fps: float, shape: tuple[int, int]) -> None:
        import av

        self._frame = av.VideoFrame.from_ndarray
        self._container = av.open(str(path), "w", options={"movflags": "faststart"})
        rate = Fraction(fps).limit_denominator(1001)
        self._stream = self._container.add_stream("libx264", rate, options=MP4_OPTIONS)
        self._rows, self._columns = (max(2, side // 2 * 2) for side in shape)
        self._stream.width, self._stream.height = self._columns, self._rows
        self._stream.pix_fmt = "yuv420p"

    def write(self, frame: np.ndarray) -> None:
        even = np.ascontiguousarray(frame[: self._rows, : self._columns])
        self._container.mux(self._stream.encode(self._frame(even, format="bgr24")))

    def close(self) -> None:
        self._container.mux(self._stream.encode())
        self._container.close()
