"""A made face blended into a frame: warp, colour, resolution, seam.

Pictures are uint8 (height, width, 3) BGR; landmarks (68, 2) in a picture's pixels.
"""

from __future__ import annotations

import cv2
import numpy as np

MOUTH = np.concatenate([np.arange(3, 14), np.arange(31, 36), np.arange(48, 68)])
INNER_FACE = np.concatenate([np.arange(2, 15), np.arange(17, 68)])
GRID = 25  # a warp is computed on this many points a side, then enlarged


def warp_to(
    texture: np.ndarray, texture_landmarks: np.ndarray, landmarks: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """The texture's face, thin-plate warped so that its landmarks come to lie on others.

    Args:
        landmarks: where they shall lie.
        size: width and height of the picture that is returned.
    """
    from scipy.interpolate import RBFInterpolator

    width, height = size
    scale = np.ptp(texture_landmarks, axis=0).max() / np.ptp(landmarks, axis=0).max()
    smoothing = 1e-3 * len(landmarks)
    warp = RBFInterpolator(
        landmarks, texture_landmarks - scale * landmarks, smoothing=smoothing, degree=1
    )
    xs, ys = np.linspace(0, width - 1, GRID), np.linspace(0, height - 1, GRID)
    grid = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
    coarse = (scale * grid + warp(grid)).reshape(GRID, GRID, 2).astype(np.float32)
    places = (np.linspace(0, GRID - 1, n, dtype=np.float32) for n in (width, height))
    across, down = np.meshgrid(*places)
    full = cv2.remap(coarse, across, down, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    x, y = cv2.split(full)
    return cv2.remap(texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def region_mask(landmarks: np.ndarray, shape: tuple[int, ...], softness: float) -> np.ndarray:
    """1 inside the hull of the landmarks, falling to 0 at its edge; (height, width, 1) float32.

    Args:
        softness: width of the fall, as a share of the hull's width.
    """
    width = max(2.0, softness * float(np.ptp(landmarks[:, 0])))
    hull = cv2.convexHull(np.rint(landmarks).astype(np.int32))
    mask = cv2.fillConvexPoly(np.zeros(shape[:2], np.float32), hull, 1.0)
    eroded = cv2.erode(mask, np.ones((int(width),) * 2), borderValue=0)
    return cv2.GaussianBlur(eroded, (0, 0), width / 2)[..., None]


def match_colour(made: np.ndarray, frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """`made` with the mean and deviation that the frame has under the mask, by channel of Lab.

    Reinhard et al., Color Transfer between Images, 2001.
    """
    inside = mask[..., 0] > 0.5
    if not inside.any():
        return made
    ours, theirs = (
        cv2.cvtColor(picture, cv2.COLOR_BGR2LAB).astype(np.float32) for picture in (made, frame)
    )
    gain = theirs[inside].std(axis=0) / np.maximum(ours[inside].std(axis=0), 1)
    moved = (ours - ours[inside].mean(axis=0)) * np.clip(gain, 0.5, 2) + theirs[inside].mean(axis=0)
    return cv2.cvtColor(np.clip(np.rint(moved), 0, 255).astype(np.uint8), cv2.COLOR_LAB2BGR)


def through_pixels(picture: np.ndarray, scale: float) -> np.ndarray:
    """What is left of a picture that was made at `scale` times its resolution."""
    if scale >= 1:
        return picture
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC)


def blend(frame: np.ndarray, made: np.ndarray, mask: np.ndarray, seamless: bool) -> np.ndarray:
    """`made` over the frame under the mask; `seamless`: its gradients, by cv2.seamlessClone."""
    if seamless:
        ys, xs = np.nonzero(mask[..., 0] > 0.5)
        inside = ys.size and min(xs.min(), ys.min()) > 1
        if inside and xs.max() < frame.shape[1] - 2 and ys.max() < frame.shape[0] - 2:
            solid = ((mask[..., 0] > 0.5) * np.uint8(255)).astype(np.uint8)
            x, y, width, height = cv2.boundingRect(solid)
            centre = (x + width // 2, y + height // 2)
            made = cv2.seamlessClone(made, frame, solid, centre, cv2.NORMAL_CLONE)
    mixed = mask * made.astype(np.float32) + (1 - mask) * frame
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
