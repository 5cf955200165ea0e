"""The face carried onto a small square, upright and of one size, by points that do not move in it.

A similarity transform takes eleven rigid landmarks (eye corners, bridge and base of the nose) onto
a template. The square is small on purpose: sharpness and resolution of a camera tell little in it.
"""

from __future__ import annotations

import cv2
import numpy as np

PATCH_PIXELS = 56
PATCH_SIDE = 2.8  # distances between the outer eye corners
PATCH_CENTRE = 0.41j  # below the middle between them, in the same unit
RIGID_POINTS = np.array([36, 39, 42, 45, 27, 28, 29, 30, 31, 33, 35])  # of the 68 landmarks
# Where these lie in the mean face of 283 real videos, outer eye corners at -0.5 and 0.5, y down.
TEMPLATE = np.array(
    [
        *(-0.5, -0.197 + 0.015j, 0.197 + 0.015j, 0.5),
        *(-0.05j, 0.04j, 0.192j, 0.364j),
        *(-0.187 + 0.504j, 0.524j, 0.187 + 0.504j),
    ]
)
_CENTRED = TEMPLATE - TEMPLATE.mean()


def template_transform(landmarks: np.ndarray) -> tuple[complex, complex]:
    """The similarity z -> a z + b from the template into the frame that fits landmarks (68, 2) best
    in the least squares; |a| is the distance between the outer eye corners in pixels."""
    points = landmarks[RIGID_POINTS, 0] + 1j * landmarks[RIGID_POINTS, 1]
    a = (_CENTRED.conj() * points).sum() / (np.abs(_CENTRED) ** 2).sum()
    return complex(a), complex(points.mean() - a * TEMPLATE.mean())


def face_patch(frame: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The face as float32 (56, 56, 3) BGR in [0, 255], area-averaged.

    Args:
        frame: uint8 (H, W, 3) BGR; landmarks: (68, 2) in its pixels.
    """
    a, b = template_transform(landmarks)
    oversampling = max(1, int(np.ceil(PATCH_SIDE * abs(a) / PATCH_PIXELS)))
    side = PATCH_PIXELS * oversampling
    step = a * PATCH_SIDE / side
    corner = b + a * PATCH_CENTRE - step * (side / 2 - 0.5) * (1 + 1j)
    into_frame = np.array(
        [[step.real, -step.imag, corner.real], [step.imag, step.real, corner.imag]]
    )
    patch = cv2.warpAffine(
        frame,
        into_frame,
        (side, side),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    patch = patch.astype(np.float32)
    if oversampling == 1:
        return patch
    return cv2.resize(patch, (PATCH_PIXELS, PATCH_PIXELS), interpolation=cv2.INTER_AREA)
