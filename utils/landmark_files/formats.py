"""The two landmark formats: `normalized` (current) and `aligned` (LRNet's first release).

An aligned frame is turned, scaled and moved until the eyes are in fixed places, which leaves the
face upside down and mirrored. It follows exactly from a normalized frame; the way back does not
exist, since the head's motion is gone.
"""

from __future__ import annotations

import numpy as np

from ..shared import ALIGNED, LEFT_EYE, NORMALIZED, RIGHT_EYE

LEFT_EYE_PLACE = (-0.3, 0.5)  # x, y of the eye's centre in every aligned frame
RIGHT_EYE_PLACE = (0.3, 0.5)
PLACE_TOLERANCE = 0.01  # files of the old release are rounded to five decimals


def _as_complex(points: np.ndarray) -> np.ndarray:
    return points[..., 0] + 1j * points[..., 1]


def _eye_centres(landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return landmarks[:, LEFT_EYE].mean(axis=1), landmarks[:, RIGHT_EYE].mean(axis=1)


def align(landmarks: np.ndarray) -> np.ndarray:
    """Landmarks in the aligned format.

    The similarity transform that carries two points onto two others is z -> a z + b in the complex
    plane, exactly.

    Args:
        landmarks: (frames, 68, 2), normalized or in pixels.

    Returns:
        (frames, 68, 2) float64. A frame whose eyes coincide has no such transform and becomes NaN.
    """
    left, right = (_as_complex(centre) for centre in _eye_centres(landmarks))
    left_place, right_place = complex(*LEFT_EYE_PLACE), complex(*RIGHT_EYE_PLACE)
    with np.errstate(divide="ignore", invalid="ignore"):
        turn = (right_place - left_place) / (right - left)
    points = turn[:, None] * (_as_complex(landmarks) - left[:, None]) + left_place
    return np.stack([points.real, points.imag], axis=-1)


def detect_format(landmarks: np.ndarray) -> str:
    """`aligned` where every frame's eyes lie where that format puts them, else `normalized`."""
    left, right = _eye_centres(landmarks)
    off = np.maximum(np.abs(left - LEFT_EYE_PLACE), np.abs(right - RIGHT_EYE_PLACE))
    return ALIGNED if (off < PLACE_TOLERANCE).all() else NORMALIZED
