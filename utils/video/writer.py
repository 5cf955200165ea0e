"""Writes video files (XVID or H.264)."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from ..atomic_write import partial_path
from ..errors import InputError

TICKS = 90_000  # of time stamps, a second
MP4_OPTIONS = {"crf": "20", "preset": "fast"}


class VideoWriter:
    """An `.avi` in XVID, or an `.mp4` in H.264 that browsers play, by the path's suffix; the file
    is made with the first frame, when the size is known.

    Written under a temporary name that leaving the context renames, so that a file that exists is
    whole. In an `.mp4`, an odd last row or column is left out.

    Args:
        options: of x264, for an `.mp4`.
    """

    def __init__(self, path: Path, fps: float, options: Mapping[str, str] = MP4_OPTIONS) -> None:
        self.path = path
        self._fps = fps
        self._options = options
        self._partial = partial_path(path)
        self._writer: _Xvid | _H264 | None = None

    def write(self, frame: np.ndarray, time: float | None = None) -> None:
        """Adds a frame, uint8 (H, W, 3) BGR, in an `.mp4` at its time in seconds, if that is given
        for all. Raises InputError where the file can't be made."""
        if self._writer is None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                if self.path.suffix == ".mp4":
                    shape = frame.shape[:2]
                    self._writer = _H264(self._partial, self._fps, shape, self._options)
                else:
                    self._writer = _Xvid(self._partial, self._fps, frame.shape[:2])
            except OSError:
                raise InputError(
                    f"{self.path}: cannot be written; choose --visualize_path"
                ) from None
        self._writer.write(frame, time)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *ending: object) -> None:
        try:
            if self._writer is not None:
                self._writer.close()
                if ending[0] is None:
                    self._partial.replace(self.path)
        finally:  # an encoder that is interrupted may fail to close, or to open
            with contextlib.suppress(OSError):
                self._partial.unlink()


class _Xvid:
    def __init__(self, path: Path, fps: float, shape: tuple[int, int]) -> None:
        fourcc = cv2.VideoWriter.fourcc(*"XVID")
        self._writer = cv2.VideoWriter(str(path), fourcc, fps, (shape[1], shape[0]))
        if not self._writer.isOpened():
            raise OSError(f"{path}: OpenCV cannot write it")

    def write(self, frame: np.ndarray, time: float | None) -> None:
        self._writer.write(frame)

    def close(self) -> None:
        self._writer.release()


class _H264:
    def __init__(
        self, path: Path, fps: float, shape: tuple[int, int], options: Mapping[str, str]
    ) -> None:
        import av

        self._frame = av.VideoFrame.from_ndarray
        self._container = av.open(str(path), "w", options={"movflags": "faststart"})
        rate = Fraction(fps).limit_denominator(1001)
        self._stream = self._container.add_stream("libx264", rate, options=dict(options))
        self._rows, self._columns = (max(2, side // 2 * 2) for side in shape)
        self._stream.width, self._stream.height = self._columns, self._rows
        self._stream.pix_fmt = "yuv420p"
        self._ticks = -1

    def write(self, frame: np.ndarray, time: float | None) -> None:
        even = np.ascontiguousarray(frame[: self._rows, : self._columns])
        picture = self._frame(even, format="bgr24")
        if time is not None:
            self._ticks = max(self._ticks + 1, round(time * TICKS))
            self._stream.codec_context.time_base = picture.time_base = Fraction(1, TICKS)
            picture.pts = self._ticks
        self._container.mux(self._stream.encode(picture))

    def close(self) -> None:
        self._container.mux(self._stream.encode())
        self._container.close()
