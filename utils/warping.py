"""Cuts squares out of frames by affine maps."""

from __future__ import annotations

import cv2
import numpy as np

MARGIN_PIXELS = 2  # that bilinear interpolation reads around a square, and rounding


def warp_square(
    frame: np.ndarray, into_frame: np.ndarray, side: int, border: int = cv2.BORDER_CONSTANT
) -> np.ndarray:
    """A square of a frame, bilinear, uint8 (side, side, 4), BGRA.

    OpenCV 5.0 interpolates four channels in less than half of the time that it takes for three, so
    the part of the frame that is read gets a fourth.

    Args:
        frame: uint8 (H, W, 3) BGR; into_frame: (2, 3), from the square's pixels into the frame's.
        border: what is outside of the frame: `cv2.BORDER_CONSTANT` (black) or `BORDER_REPLICATE`.
    """
    corners = into_frame @ np.array([[0, side, 0, side], [0, 0, side, side], [1, 1, 1, 1]])
    height, width = frame.shape[:2]
    (left, right), (top, bottom) = (
        (
            min(max(int(along.min()) - MARGIN_PIXELS, 0), length - 1),
            min(max(int(along.max()) + 1 + MARGIN_PIXELS, 1), length),
        )
        for along, length in zip(corners, (width, height), strict=True)
    )
    part = cv2.cvtColor(frame[top:bottom, left:right], cv2.COLOR_BGR2BGRA)
    into_part = into_frame - np.array([[0, 0, left], [0, 0, top]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(part, into_part, (side, side), flags=flags, borderMode=border)
