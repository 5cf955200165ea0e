"""H.264 files, frame by frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np


class H264Video:
    """An H.264 file that frames are written to by calling it; a context manager.

    Args:
        size: width and height in pixels, both even.
        crf: x264's quality; 0 is lossless, 51 the worst.
        preset: x264's speed.
    """

    def __init__(
        self, path: Path, size: tuple[int, int], fps: float, crf: int = 19, preset: str = "slow"
    ) -> None:
        import imageio_ffmpeg

        self._writer = imageio_ffmpeg.write_frames(
            str(path),
            size,
            pix_fmt_in="bgr24",
            fps=fps,
            codec="libx264",
            quality=None,
            macro_block_size=2,
            output_params=["-crf", str(crf), "-preset", preset, "-movflags", "+faststart"],
        )

    def __enter__(self) -> H264Video:
        self._writer.send(None)
        return self

    def __call__(self, frame: np.ndarray) -> None:
        """Writes one frame, uint8 (height, width, 3) BGR."""
        self._writer.send(np.ascontiguousarray(frame))

    def __exit__(self, *ending: object) -> None:
        self._writer.close()
