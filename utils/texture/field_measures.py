"""Texture measurements of a face patch: a few logarithms per frame and field of a 7 x 7 grid.

They say how much a field changes from frame to frame beside how much there is in it, at which
spatial scales, and how its colour drifts. Video encoders, generators and blending each leave their
own pattern there; a real camera leaves noise that a network seldom makes.
"""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np

from .face_patch import PATCH_PIXELS, face_patch, halvings_for, pixel_step
from .texture_rows import FIELDS, GRID, MEASURES

BLUR_SIGMA = 0.8  # pixels
BAND_SIGMAS = (0.7, 1.4, 2.8)  # pixels
UNCHANGED_LEVELS = 0.5  # grey levels
FAST_FPS, USUAL_FPS = 45.0, 27.5  # frames per second; a faster video is compared at a stride
_FLOOR = 1e-3  # square grey levels, below what eight bits can show
_SHARE_FLOOR = 0.01  # square grey levels, added to what a share is taken of
_DAMPING = 0.3  # square grey levels, added to the mean square of either gradient
_DAMPING_SHARE = 0.02  # of the sum of both mean squares, added as well


def texture_stride(fps: float) -> int:
    """How many frames back a frame is compared, so that fast videos are measured like others."""
    return max(1, round(fps / USUAL_FPS)) if fps >= FAST_FPS else 1


NOT_MEASURED = np.full((FIELDS, len(MEASURES)), np.nan, np.float16)


class TextureMeter:
    """Measures one face frame by frame.

    Args:
        stride: compares with the frame so many before, so that fast videos are measured at about
            the rate of others.
    """

    def __init__(self, stride: int = 1) -> None:
        self._stride = stride
        self._before: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=2 * stride)
        self._halvings: int | None = None

    def reset(self) -> None:
        """The next frame does not follow on the last one."""
        self._before.clear()
        self._halvings = None

    @property
    def patch(self) -> np.ndarray:
        """The last patch that was measured."""
        return self._before[-1][1]

    def measure(self, frame: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """The measures float16 (49, 10) of a face; see `texture_rows.MEASURES`.

        Args:
            frame: uint8 (H, W, 3) BGR; landmarks: (68, 2) in its pixels.
        """
        self._halvings = halvings_for(pixel_step(landmarks), self._halvings)
        return self.measure_patch(face_patch(frame, landmarks, self._halvings))

    def measure_patch(self, patch: np.ndarray) -> np.ndarray:
        """The same of a patch (56, 56, 3), as `face_patch` makes it."""
        grey = cv2.cvtColor(patch, cv2.COLOR_BGR2GRAY)
        blurred = cv2.GaussianBlur(grey, (0, 0), BLUR_SIGMA)
        scales = [grey, *(cv2.GaussianBlur(grey, (0, 0), sigma) for sigma in BAND_SIGMAS)]
        # change, second difference, both gradients, three bands; then unchanged and the colours;
        # then products of change and gradients
        maps = np.zeros((13, PATCH_PIXELS, PATCH_PIXELS), np.float32)
        maps[2, :-1] = blurred[1:] - blurred[:-1]
        maps[3, :, :-1] = blurred[:, 1:] - blurred[:, :-1]
        for band in range(3):
            maps[4 + band] = scales[band] - scales[band + 1]
        followed = len(self._before) >= self._stride
        twice_followed = len(self._before) >= 2 * self._stride
        if followed:
            last, last_patch = self._before[-self._stride]
            maps[0] = blurred - last
            maps[7] = np.abs(maps[0]) < UNCHANGED_LEVELS
            maps[8] = patch[..., 1] - last_patch[..., 1]
            maps[9] = patch[..., 2] - last_patch[..., 2] - maps[8]
            maps[10:12] = maps[2:4] * maps[0]
            maps[12] = maps[2] * maps[3]
        if twice_followed:
            maps[1] = maps[0] - last + self._before[-2 * self._stride][0]
        self._before.append((blurred, patch))
        return _rows(maps, followed, twice_followed)


def _rows(maps: np.ndarray, followed: bool, twice_followed: bool) -> np.ndarray:
    """The measures float16 (49, 10) from maps (13, 56, 56); NaN where frames before are missing."""
    np.square(maps[:7], out=maps[:7])
    # reduced eight times by area, so each pixel is the mean of a field
    stacked = maps.reshape(len(maps) * PATCH_PIXELS, PATCH_PIXELS)
    fields = cv2.resize(stacked, (GRID, len(maps) * GRID), interpolation=cv2.INTER_AREA)
    means = fields.reshape(len(maps), FIELDS)
    measured = np.empty((len(MEASURES), FIELDS), np.float32)
    measured[:2] = np.log(means[:2] + _FLOOR)
    measured[2] = np.log(means[2] + means[3] + 2 * _FLOOR)
    measured[3:6] = np.log(means[4:7] + _FLOOR)
    measured[6:9] = means[7:10]
    measured[9] = _unexplained(*means[[0, 2, 3, 10, 11, 12]])
    if not followed:
        measured[[0, 6, 7, 8, 9]] = np.nan
    if not twice_followed:
        measured[1] = np.nan
    return measured.T.astype(np.float16)


def _unexplained(
    change: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    change_rows: np.ndarray,
    change_columns: np.ndarray,
    rows_columns: np.ndarray,
) -> np.ndarray:
    """Log share of the change of each field (49,) that is left when the field moves as a whole, by
    one damped step of Lucas and Kanade (1981).

    Args:
        change: mean square of the change; rows, columns: of the gradients down and across;
            the others: mean products of two of these.
    """
    damping = _DAMPING + _DAMPING_SHARE * (rows + columns)
    rows, columns = rows + damping, columns + damping
    explained = (
        columns * change_rows**2
        - 2 * rows_columns * change_rows * change_columns
        + rows * change_columns**2
    ) / (rows * columns - rows_columns**2)
    return np.log((np.maximum(change - explained, 0) + _SHARE_FLOOR) / (change + _SHARE_FLOOR))
