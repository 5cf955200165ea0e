"""A colour-blind-safe scale for scores: blue (real), grey, orange (fake)."""

from __future__ import annotations

import numpy as np

REAL_RGB, MIDDLE_RGB, FAKE_RGB = (43, 108, 176), (130, 130, 130), (214, 90, 18)


def score_rgb(score: float) -> tuple[int, int, int]:
    """Red, green and blue of a score from 0, real, to 1, fake."""
    channels = zip(REAL_RGB, MIDDLE_RGB, FAKE_RGB, strict=True)
    mixed = [round(float(np.interp(score, (0, 0.5, 1), channel))) for channel in channels]
    return mixed[0], mixed[1], mixed[2]


def score_hex(score: float) -> str:
    """The same as a page writes it, `#rrggbb`."""
    return "#{:02x}{:02x}{:02x}".format(*score_rgb(score))
