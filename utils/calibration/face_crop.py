"""The square face crop in which landmarks are calibrated.

LRNet calibrates on a 400 x 400 picture of the face. Where that picture is cut from decides how much
of the head's own motion stays in the landmarks: the per-frame crop follows size and place of every
frame, the stable crop keeps one size for the whole video and lets the place move only when the face
moved by more than a pixel.
"""

from __future__ import annotations

import numpy as np

from ..face_boxes import CROP_SCALE, CropBox
from ..shared import CROP_PIXELS

STILL_PIXELS = 1.42  # a centre that moved less (a step to a diagonal neighbour) stays where it was


def face_extents(landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre and size of each frame's face.

    Args:
        landmarks: (frames, 68, 2), x and y in frame pixels, integer or float.

    Returns:
        Centres (frames, 2), the middle of the landmarks' bounding box, rounded down, int64; and
        sizes (frames,), its larger side, float64; both in pixels.
    """
    low, high = landmarks.min(axis=1), landmarks.max(axis=1)
    return ((low + high) // 2).astype(np.int64), (high - low).max(axis=1).astype(np.float64)


def stable_size(sizes: np.ndarray) -> int:
    """The one face size of a video: the mean over its frames but the last, rounded.

    The published code leaves the last frame out; with a single frame that frame counts.
    """
    counted = sizes[:-1] if len(sizes) > 1 else sizes
    return int(np.rint(counted.mean()))


def settle_centres(centres: np.ndarray) -> np.ndarray:
    """Centres (frames, 2) that stay where they were until the face moved by `STILL_PIXELS`."""
    settled = centres.copy()
    for now in range(1, len(settled)):
        if np.linalg.norm(settled[now] - settled[now - 1]) < STILL_PIXELS:
            settled[now] = settled[now - 1]
    return settled


def crop_box(centre: np.ndarray, size: float, frame_width: int, frame_height: int) -> CropBox:
    """The square around a face, cut to the frame.

    Args:
        centre: (2,) x and y in pixels.
        size: the face's size in pixels.
        frame_width, frame_height: in pixels.

    Returns:
        A box whose corner lies inside the frame and whose side is even before it is cut to the
        frame's right and bottom edge. A side of at least one pixel is kept.
    """
    half = int(size * CROP_SCALE) // 2
    left = int(np.clip(centre[0] - half, 0, frame_width - 1))
    top = int(np.clip(centre[1] - half, 0, frame_height - 1))
    return CropBox(left, top, max(1, min(2 * half, frame_width - left, frame_height - top)))


def video_crops(
    landmarks: np.ndarray, frame_width: int, frame_height: int, stable: bool
) -> list[CropBox]:
    """One crop box a frame of a landmark sequence (frames, 68, 2) in frame pixels."""
    centres, sizes = face_extents(landmarks)
    if stable:
        centres = settle_centres(centres)
        sizes = np.full(len(sizes), float(stable_size(sizes)))
    return [
        crop_box(centre, size, frame_width, frame_height)
        for centre, size in zip(centres, sizes, strict=True)
    ]


def to_crop_pixels(landmarks: np.ndarray, box: CropBox, whole: bool = True) -> np.ndarray:
    """Landmarks (68, 2) from frame pixels to those of the 400-pixel crop, float64.

    Args:
        whole: round to whole pixels, as the published code does.
    """
    corner = np.array([box.left, box.top])
    inside = (landmarks - corner) * (CROP_PIXELS / box.side)
    return np.rint(inside) if whole else inside


def to_frame_pixels(landmarks: np.ndarray, box: CropBox) -> np.ndarray:
    """Landmarks (68, 2) from the 400-pixel crop back to frame pixels, float64."""
    return landmarks * (box.side / CROP_PIXELS) + (box.left, box.top)
