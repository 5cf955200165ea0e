"""What a clip may look like and stay what it is; and motion that real faces do not make.

Unless said otherwise, functions take and return clips (n, frames, 68, 2); what is drawn comes from
a NumPy random generator. Size, place and turn of a face need no variation: the network sees none.
"""

from __future__ import annotations

import numpy as np

from utils.shared import LANDMARKS, MIRRORED_LANDMARKS

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


def pseudo_fakes(clips: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Real motion to which the inner face adds motion of its own, independent in every frame.

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
    """All that leaves a label as it is; float32.

    Args:
        options: of the configuration file, shares: `mirror` and `reverse`.
    """
    clips = sometimes(clips, random, mirror, options["mirror"])
    clips = sometimes(clips, random, lambda chosen: chosen[:, ::-1], options["reverse"])
    return clips.astype(np.float32)
