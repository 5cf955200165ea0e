"""What is measured of a face patch in each frame: a few logarithms for each field of a 7 x 7 grid.

They say how much a field changes from frame to frame beside how much there is in it, at which
spatial scales, and how its colour drifts. Video encoders, generators and blending each leave their
own pattern there; a real camera leaves noise that a network seldom makes.
"""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np

from .face_patch import PATCH_PIXELS, face_patch

GRID = 7  # fields a side
FIELD_PIXELS = PATCH_PIXELS // GRID
FIELDS = GRID * GRID
# A row of a texture file holds these for each field; NaN where a frame before is missing.
MEASURES = (
    "change",  # log mean square of the difference to the frame before, slightly blurred
    "acceleration",  # the same of the second difference
    "gradient",  # log mean square of the spatial gradient
    "fine",  # log energy of three spatial bands (differences of Gaussians), finest first
    "middle",
    "coarse",
    "unchanged",  # share of pixels that change by less than half a grey level
    "green",  # mean change of the green channel, in grey levels
    "red_minus_green",  # mean change of red less green
)
BLUR_SIGMA = 0.8  # pixels
BAND_SIGMAS = (0.7, 1.4, 2.8)  # pixels
UNCHANGED_LEVELS = 0.5  # grey levels
FAST_FPS, USUAL_FPS = 45.0, 27.5  # frames a second; a faster video is compared at a stride
_FLOOR = 1e-3  # square grey levels, below what eight bits can show


def texture_stride(fps: float) -> int:
    """How many frames back a frame is compared, so that fast videos are measured like others."""
    return max(1, round(fps / USUAL_FPS)) if fps >= FAST_FPS else 1


def _field_means(values: np.ndarray) -> np.ndarray:
    """Means over the fields, (49,), of values (56, 56)."""
    return values.reshape(GRID, FIELD_PIXELS, GRID, FIELD_PIXELS).mean(axis=(1, 3)).ravel()


def _log_energy(values: np.ndarray) -> np.ndarray:
    return np.log(_field_means(np.square(values)) + _FLOOR)


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

    def reset(self) -> None:
        """The next frame does not follow on the last one."""
        self._before.clear()

    def measure(self, frame: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """The measures float16 (49, 9) of a face; see `MEASURES`.

        Args:
            frame: uint8 (H, W, 3) BGR; landmarks: (68, 2) in its pixels.
        """
        return self.measure_patch(face_patch(frame, landmarks))

    def measure_patch(self, patch: np.ndarray) -> np.ndarray:
        """The same of a patch (56, 56, 3), as `face_patch` makes it."""
        grey = cv2.cvtColor(patch, cv2.COLOR_BGR2GRAY)
        blurred = cv2.GaussianBlur(grey, (0, 0), BLUR_SIGMA)
        measured = np.full((len(MEASURES), FIELDS), np.nan, np.float32)
        measured[2] = _log_energy(np.diff(blurred, axis=0, append=blurred[-1:]))
        measured[2] = np.logaddexp(
            measured[2], _log_energy(np.diff(blurred, axis=1, append=blurred[:, -1:]))
        )
        scales = [grey, *(cv2.GaussianBlur(grey, (0, 0), sigma) for sigma in BAND_SIGMAS)]
        for band in range(3):
            measured[3 + band] = _log_energy(scales[band] - scales[band + 1])
        if len(self._before) >= self._stride:
            last, last_patch = self._before[-self._stride]
            change = blurred - last
            measured[0] = _log_energy(change)
            measured[6] = _field_means((np.abs(change) < UNCHANGED_LEVELS).astype(np.float32))
            green = patch[..., 1] - last_patch[..., 1]
            measured[7] = _field_means(green)
            measured[8] = _field_means(patch[..., 2] - last_patch[..., 2] - green)
        if len(self._before) >= 2 * self._stride:
            measured[1] = _log_energy(blurred - 2 * last + self._before[-2 * self._stride][0])
        self._before.append((blurred, patch))
        return measured.T.astype(np.float16)
