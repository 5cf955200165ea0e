"""Reads animated WebP, which FFmpeg does not decode, through Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..errors import InputError
from .display import TimedFrame, check_size, over_black

MIN_STEP = 0.02  # seconds; browsers show shorter ones so long, too


def is_webp(path: Path) -> bool:
    """Whether a file begins as WebP does."""
    with path.open("rb") as file:
        start = file.read(12)
    return start[:4] == b"RIFF" and start[8:] == b"WEBP"


class WebPDecoder:
    """One pass over an animated WebP; see `utils.video.frames.Video` for what its attributes are.

    Raises:
        InputError: the file cannot be decoded.
    """

    codec, stream_number = "webp", 0

    def __init__(self, path: Path, max_megapixels: float) -> None:
        from PIL import Image, UnidentifiedImageError

        self._errors = (
            *(OSError, EOFError, ValueError, SyntaxError, UnidentifiedImageError),
            Image.DecompressionBombError,
        )
        self.lost = 0
        try:
            self._picture = Image.open(path)
            check_size(path, *self._picture.size, max_megapixels)
            self._picture.load()
        except self._errors as error:
            raise InputError(f"{path}: no frame can be decoded ({error})") from None
        self.frame_count_hint = int(getattr(self._picture, "n_frames", 1))
        self.fps = 1 / self._step()
        self.display_size = self._picture.size

    def _step(self) -> float:
        """How long the present frame is shown, in seconds."""
        return max(MIN_STEP, self._picture.info.get("duration", 40) / 1000)

    def close(self) -> None:
        self._picture.close()

    def frames(self) -> Iterator[TimedFrame]:
        """Pictures with their times, as shown."""
        time = 0.0
        for number in range(self.frame_count_hint):
            try:
                self._picture.seek(number)
                shown = np.asarray(self._picture.convert("RGBA"))
            except self._errors:
                self.lost += self.frame_count_hint - number
                return
            yield TimedFrame(over_black(shown[..., [2, 1, 0, 3]]), time)
            time += self._step()
