"""The aligned face patch: upright, at one size, registered by points that are rigid.

A similarity transform takes eleven rigid landmarks (eye corners, bridge and base of the nose) onto
a template. The square is small on purpose: a camera's sharpness and resolution hardly show in it.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..rigid_motion import template_transform
from ..warping import warp_square

PATCH_PIXELS = 56
PATCH_SIDE = 2.8  # distances between the outer eye corners
PATCH_CENTRE = 0.41j  # below the middle between them, in the same unit


def pixel_step(landmarks: np.ndarray) -> float:
    """How many pixels of the frame one pixel of the patch spans, for landmarks (68, 2)."""
    return abs(template_transform(landmarks)[0]) * PATCH_SIDE / PATCH_PIXELS


def halvings_for(step: float, before: int | None = None) -> int:
    """How often the frame is halved before the face is cut out, so that a patch pixel spans 1.5 to
    3 of what is left. `before` is kept while that stays between 1.3 and 3.4: a face whose size
    wavers must not get sharper and softer by turns."""
    if before is not None and 1.3 * 2**before <= step < 3.4 * 2**before:
        return before
    return max(0, int(np.log2(max(step, 1.0) / 1.5)))


def face_patch(frame: np.ndarray, landmarks: np.ndarray, halvings: int = 0) -> np.ndarray:
    """The face as float32 (56, 56, 3) BGR in [0, 255], area-averaged.

    Args:
        frame: uint8 (H, W, 3) BGR; landmarks: (68, 2) in its pixels.
        halvings: how often 2 x 2 pixels become one first, which costs far less than averaging them
            in the warped picture.
    """
    a, b = template_transform(landmarks)
    area, origin = _halved_area(frame, b + a * PATCH_CENTRE, a, halvings)
    scale = 2**halvings
    oversampling = max(1, int(np.ceil(abs(a) * PATCH_SIDE / PATCH_PIXELS / scale)))
    side = PATCH_PIXELS * oversampling
    step = a * PATCH_SIDE / side
    corner = b + a * PATCH_CENTRE - step * (side / 2 - 0.5) * (1 + 1j)
    corner = (corner - origin - (1 + 1j) * (scale - 1) / 2) / scale
    step /= scale
    into_area = np.array(
        [[step.real, -step.imag, corner.real], [step.imag, step.real, corner.imag]]
    )
    patch = warp_square(area, into_area, side, cv2.BORDER_REPLICATE)
    patch = cv2.cvtColor(patch, cv2.COLOR_BGRA2BGR).astype(np.float32)
    if oversampling == 1:
        return patch
    return cv2.resize(patch, (PATCH_PIXELS, PATCH_PIXELS), interpolation=cv2.INTER_AREA)


def _halved_area(
    frame: np.ndarray, centre: complex, a: complex, halvings: int
) -> tuple[np.ndarray, complex]:
    """The part of a frame that holds the square, halved, and where in the frame it begins.

    It begins at a multiple of what one of its pixels averages: what stands still is averaged alike
    in every frame.
    """
    height, width = frame.shape[:2]
    scale = 2**halvings
    half = PATCH_SIDE / 2 * (abs(a.real) + abs(a.imag))
    left, right = (int(np.clip(centre.real + by, 0, width - 1)) for by in (-half, half))
    top, bottom = (int(np.clip(centre.imag + by, 0, height - 1)) for by in (-half, half))
    left, top = left // scale * scale, top // scale * scale
    area = frame[top : bottom + 2 * scale, left : right + 2 * scale]
    for _ in range(halvings):
        rows, columns = (max(2, side // 2 * 2) for side in area.shape[:2])
        if min(area.shape[:2]) > 1:
            area = area[:rows, :columns]
        area = cv2.resize(area, (columns // 2, rows // 2), interpolation=cv2.INTER_AREA)
    return area, complex(left, top)
