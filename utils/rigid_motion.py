"""The rigid motion of a face, taken off its landmarks: what is left is how the face itself moves.

Each frame of a clip is carried onto the clip's mean shape by the similarity transform that fits
best (Procrustes analysis; in the complex plane it is z -> a z, exactly). What the transform took is
returned beside it. Both are in units of the distance between the eyes, so that neither the size of
the face nor the landmark format matters.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .shared import LEFT_EYE, RIGHT_EYE

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
ROUNDS = 2  # of fitting frames to a mean shape and recomputing the mean
LIVENESS_SECONDS = 2.0  # that it takes to show that a face is live
SMOOTHING_SECONDS = 0.5  # over which its motion is averaged: a detector's noise is faster
MOTION_REGIONS = {"mouth": slice(48, 68), "eyes": slice(36, 48)}


def _fit(frames: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """The factors (..., frames, 1) that carry centred frames onto a centred shape."""
    energy = (frames.conj() * frames).sum(axis=-1, keepdims=True).real
    return (frames.conj() * shape).sum(axis=-1, keepdims=True) / np.maximum(energy, 1e-20)


def remove_rigid_motion(clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Splits clips into the face's own motion and the head's.

    Args:
        clips: (n, frames, 68, 2) landmarks, in any units, upright or as `aligned` files have them.

    Returns:
        What is left (n, frames, 68, 2), less the clip's mean shape; and of each frame's transform
        log scale and angle in radians (n, frames, 2), less their means. float32, in distances
        between the eyes.
    """
    points = (clips[..., 0] + 1j * clips[..., 1]).astype(np.complex64)
    points = points - points.mean(axis=-1, keepdims=True)
    shape = points[:, :1]
    for _ in range(ROUNDS):
        mean = (_fit(points, shape) * points).mean(axis=1, keepdims=True)
        eyes = mean[..., LEFT_EYE].mean(axis=-1) - mean[..., RIGHT_EYE].mean(axis=-1)
        shape = mean / np.where(np.abs(eyes) < 1e-10, 1, eyes)[..., None]
    factors = _fit(points, shape)
    fitted = factors * points
    own = fitted - fitted.mean(axis=1, keepdims=True)
    left = np.stack([own.real, own.imag], axis=-1)
    factors = factors[..., 0]
    scale = -np.log(np.maximum(np.abs(factors), 1e-20))
    mean_turn = factors.mean(axis=1, keepdims=True)
    angle = -np.angle(factors * mean_turn.conj())
    transform = np.stack([scale - scale.mean(axis=1, keepdims=True), angle], axis=-1)
    return left.astype(np.float32), transform.astype(np.float32)


def nonrigid_motion(landmarks: np.ndarray) -> float:
    """How much a face moves in itself: the root mean square of what is left of landmarks.

    Args:
        landmarks: (frames, 68, 2).

    Returns:
        In distances between the eyes. A photograph has what its landmarks' noise makes of it.
    """
    left, _ = remove_rigid_motion(landmarks[None])
    return float(np.sqrt(np.mean(np.square(left)) * 2))


def liveliness(landmarks: np.ndarray, fps: float) -> float | None:
    """How much a face moves in itself, its detector's noise averaged out, in its liveliest two
    seconds.

    A photograph that is filmed by hand, panned, turned or zoomed has next to none, since landmarks
    tremble but go nowhere; `nonrigid_motion` would take their trembling for life.

    Args:
        landmarks: (frames, 68, 2); fps: of them, a second.

    Returns:
        The root mean square in distances between the eyes; None where there are fewer seconds than
        it takes to measure.
    """
    window, width = (max(1, round(of * fps)) for of in (LIVENESS_SECONDS, SMOOTHING_SECONDS))
    found = []
    for start in range(0, len(landmarks) - window + 1, window):
        left, _ = remove_rigid_motion(landmarks[None, start : start + window])
        values = left[0].reshape(left.shape[1], -1)
        course = _moving_average(values, width)
        found.append(float(np.sqrt(2 * course.var(axis=0).mean())))
    return max(found, default=None)


def _moving_average(values: np.ndarray, width: int) -> np.ndarray:
    """Means over `width` rows of values (rows, n); beyond the ends the first and last row count."""
    padded = np.pad(values, ((width // 2, width - 1 - width // 2), (0, 0)), mode="edge")
    return sliding_window_view(padded, width, axis=0).mean(axis=-1)


def template_transforms(landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The similarities z -> a z + b from the template into frames that fit landmarks (..., 68, 2)
    best in the least squares: a, b complex (...); |a| is the distance between the outer eye corners
    in pixels."""
    points = landmarks[..., RIGID_POINTS, 0] + 1j * landmarks[..., RIGID_POINTS, 1]
    a = (_CENTRED.conj() * points).sum(axis=-1) / (np.abs(_CENTRED) ** 2).sum()
    return a, points.mean(axis=-1) - a * TEMPLATE.mean()


def template_transform(landmarks: np.ndarray) -> tuple[complex, complex]:
    """The same of one frame, (68, 2)."""
    a, b = template_transforms(landmarks)
    return complex(a), complex(b)


def region_speeds(landmarks: np.ndarray, fps: float) -> dict[str, np.ndarray]:
    """How fast mouth, eyes and head of a face move, averaged over half a second.

    Args:
        landmarks: (frames, 68, 2); fps: of them, a second.

    Returns:
        Of `mouth` and `eyes` the root mean square over their landmarks, in the face's own frame, in
        distances between the outer eye corners a second; of `head` how fast it turns in the picture
        and comes nearer, in radians (and logarithms of size) a second: (frames - 1,) each.
    """
    a, b = template_transforms(landmarks)
    a = np.where(np.abs(a) < 1e-10, 1e-10, a)
    own = (landmarks[..., 0] + 1j * landmarks[..., 1] - b[:, None]) / a[:, None]
    steps = np.square(np.abs(np.diff(own, axis=0)))
    speeds = {name: np.sqrt(steps[:, of].mean(axis=1)) for name, of in MOTION_REGIONS.items()}
    speeds["head"] = np.abs(np.log(a[1:] / a[:-1]))
    width = max(1, round(SMOOTHING_SECONDS * fps))
    return {
        name: _moving_average(speed[:, None] * fps, width)[:, 0] for name, speed in speeds.items()
    }
