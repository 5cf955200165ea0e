"""What a clip may look like and stay what it is; and motion that real faces do not make.

Unless said otherwise, functions take and return clips (n, frames, 68, 2); what is drawn comes from
a NumPy random generator.
"""

from __future__ import annotations

import numpy as np

from utils.shared import LANDMARKS, MIRRORED_LANDMARKS

STEP = 1 / 200  # normalized landmarks lie on this grid, since the crop's pixels are whole
INNER_FACE = np.arange(17, LANDMARKS)  # what a face swap replaces


def mirror(clips: np.ndarray) -> np.ndarray:
    """Left and right exchanged, landmarks renumbered."""
    return clips[:, :, list(MIRRORED_LANDMARKS)] * np.array([-1, 1], clips.dtype)


def sometimes(clips: np.ndarray, random: np.random.Generator, change, share: float) -> np.ndarray:  # noqa: ANN001
    """Applies `change` to a share of the clips."""
    chosen = random.random(len(clips)) < share
    changed = clips.copy()
    changed[chosen] = change(clips[chosen])
    return changed


def at_other_rate(landmarks: np.ndarray, start: float, rate: float, length: int) -> np.ndarray:
    """`length` frames from frame `start` of a track (frames, 68, 2), `rate` frames apart.

    Between two frames landmarks lie on a straight line.
    """
    moments = start + rate * np.arange(length)
    before = np.minimum(moments.astype(int), len(landmarks) - 2)
    share = (moments - before)[:, None, None].astype(landmarks.dtype)
    return (1 - share) * landmarks[before] + share * landmarks[before + 1]


def turn_and_scale(
    clips: np.ndarray, random: np.random.Generator, degrees: float, scale: float, shift: float
) -> np.ndarray:
    """Each clip turned, scaled and moved as a whole (standard deviations)."""
    n = len(clips)
    angle = np.deg2rad(degrees) * random.standard_normal(n)
    factor = np.exp(scale * random.standard_normal(n))
    cos, sin = factor * np.cos(angle), factor * np.sin(angle)
    matrices = np.stack([cos, -sin, sin, cos], axis=-1).reshape(n, 1, 2, 2)
    moved = np.matmul(clips, matrices.astype(clips.dtype))
    return moved + (shift * random.standard_normal((n, 1, 1, 2))).astype(clips.dtype)


def smooth_fields(
    points: np.ndarray, random: np.random.Generator, frames: int, width: float, bumps: int = 6
) -> np.ndarray:
    """Displacements of unit size, smooth in space, independent in time.

    Args:
        points: (n, 68, 2), where the landmarks are.
        frames: how many fields a clip gets.
        width: of the Gaussian bumps that make the field, in the landmarks' units.

    Returns:
        (n, frames, 68, 2) float32.
    """
    n = len(points)
    centres = points[np.arange(n)[:, None], random.integers(0, LANDMARKS, (n, bumps))]
    distance = np.square(points[:, :, None] - centres[:, None]).sum(-1)
    basis = np.exp(-distance / (2 * width**2)).astype(np.float32)
    weights = random.standard_normal((n, frames, bumps, 2)).astype(np.float32)
    return np.einsum("npb,nfbc->nfpc", basis, weights, optimize=True)


def other_identity(clips: np.ndarray, random: np.random.Generator, size: float) -> np.ndarray:
    """Another person's proportions: one smooth displacement for the whole clip."""
    return clips + size * smooth_fields(clips.mean(axis=1), random, 1, width=0.35)


def pseudo_fakes(clips: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Real motion to which the inner face adds motion of its own, anew in every frame.

    Face swaps are made frame by frame, so the new face jitters against the head. Size, smoothness
    in space and correlation in time are drawn for each clip.
    """
    n, frames = clips.shape[:2]
    fields = smooth_fields(clips.mean(axis=1), random, frames, width=0.3)
    memory = random.uniform(0, 0.6, (n, 1, 1, 1)).astype(np.float32)
    for now in range(1, frames):
        fields[:, now] = memory[:, 0] * fields[:, now - 1] + (1 - memory[:, 0]) * fields[:, now]
    size = np.exp(random.uniform(np.log(0.003), np.log(0.015), (n, 1, 1, 1))).astype(np.float32)
    inner = np.zeros((1, 1, LANDMARKS, 1), np.float32)
    inner[:, :, INNER_FACE] = 1
    return clips + size * fields * inner


def vary(clips: np.ndarray, random: np.random.Generator, options: dict) -> np.ndarray:
    """All that leaves a label as it is, then the pipeline's own rounding; normalized clips.

    Args:
        options: of the configuration file: `degrees`, `scale`, `shift`, `identity`, `noise`
            (standard deviations), `mirror`, `reverse` (shares).
    """
    clips = sometimes(clips, random, mirror, options["mirror"])
    clips = sometimes(clips, random, lambda chosen: chosen[:, ::-1], options["reverse"])
    clips = other_identity(clips, random, options["identity"])
    clips = turn_and_scale(clips, random, options["degrees"], options["scale"], options["shift"])
    noise = options["noise"] * random.random((len(clips), 1, 1, 1))
    clips = clips + noise * random.standard_normal(clips.shape)
    return (np.rint(clips / STEP) * STEP).astype(np.float32)
