"""The Lucas-Kanade tracker in NumPy that LRNet first used, kept for reference.

`utils.calibration` uses OpenCV's. This one shows what happens there: the flow of a window is the
least-squares solution of brightness constancy, found by iteration from the top of a pyramid down
(Bouguet, "Pyramidal implementation of the Lucas Kanade feature tracker", 2000).
"""

from __future__ import annotations

import cv2
import numpy as np

WINDOW_PIXELS = 15
LEVELS = 3  # above the base
ITERATIONS = 10
STILL_PIXELS = 0.03
MIN_EIGENVALUE = 1e-4  # of the mean gradient matrix, brightness in [0, 1]: below it is flat


def _pyramid(picture: np.ndarray) -> list[np.ndarray]:
    levels: list[np.ndarray] = [picture.astype(np.float32) / 255]
    for _ in range(LEVELS):
        levels.append(cv2.pyrDown(levels[-1]))
    return levels


def _window(picture: np.ndarray, x: float, y: float) -> np.ndarray:
    """The window around a sub-pixel place, bilinear, (15, 15, channels) float64."""
    size = (WINDOW_PIXELS, WINDOW_PIXELS)
    half = WINDOW_PIXELS // 2
    offset = np.arange(-half, half + 1, dtype=np.float32)
    columns, rows = np.meshgrid(x + offset, y + offset)
    sampled = cv2.remap(
        picture,
        columns.astype(np.float32),
        rows.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return sampled.reshape(*size, -1).astype(np.float64)


def _track_level(
    picture: np.ndarray, next_picture: np.ndarray, start: np.ndarray, guess: np.ndarray
) -> tuple[np.ndarray, bool]:
    """Refines where the window around `start` lies in the next picture, on one pyramid level."""
    scharr = np.array([3, 10, 3]) / 16, np.array([-0.5, 0, 0.5])
    window = _window(picture, *start)
    gradients = [
        _window(cv2.sepFilter2D(picture, -1, kernel_x, kernel_y), *start)
        for kernel_x, kernel_y in (scharr[::-1], scharr)
    ]
    slope = np.stack([gradient.ravel() for gradient in gradients], axis=1)
    matrix = slope.T @ slope
    if np.linalg.eigvalsh(matrix)[0] / len(slope) < MIN_EIGENVALUE:
        return guess, False
    place = guess.astype(np.float64)
    for _ in range(ITERATIONS):
        change = (window - _window(next_picture, *place)).ravel()
        step = np.linalg.solve(matrix, slope.T @ change)
        place = place + step
        if np.linalg.norm(step) < STILL_PIXELS:
            break
    return place, True


def lucas_kanade_numpy(
    picture: np.ndarray, next_picture: np.ndarray, start: np.ndarray, guess: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where points of one picture lie in the next, called as `lucas_kanade` is.

    Args:
        picture, next_picture: uint8 (H, W) or (H, W, 3), of one size.
        start, guess: (n, 2) x, y in pixels.

    Returns:
        Points (n, 2) float64 and found (n,) bool; a point is not found where the picture is flat or
        where it left the picture.
    """
    levels, next_levels = _pyramid(picture), _pyramid(next_picture)
    places, found = guess.astype(np.float64), np.ones(len(start), bool)
    for number, point in enumerate(start.astype(np.float64)):
        place = places[number] / 2**LEVELS
        for level in range(LEVELS, -1, -1):
            scale = 2**level
            place, textured = _track_level(levels[level], next_levels[level], point / scale, place)
            if level:
                place = place * 2
            else:
                found[number] = textured
        places[number] = place
    height, width = picture.shape[:2]
    inside = (places >= 0).all(axis=1) & (places < (width, height)).all(axis=1)
    return places, found & inside
