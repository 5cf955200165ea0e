"""Occlusion of mouth and eyes: masks, hands, captions, dark glasses, which a landmark network does
not notice.

Of a face patch, each region is described by histograms of oriented gradients (Dalal and Triggs,
2005), their strength, and the colour against that of the cheeks. A support vector machine separates
regions that show what they should from covered ones (`training.occlusion`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from ..kernel_machine import KernelMachine, load_kernel_machine
from .face_patch import PATCH_PIXELS

# Rows and columns of a patch, of 56 pixels a side.
REGIONS = {"mouth": (slice(29, 49), slice(14, 42)), "eyes": (slice(12, 28), slice(10, 46))}
SAMPLE_SECONDS = 0.5  # between two looks
CELL_PIXELS, ORIENTATIONS = 4, 8
_FACE = slice(10, 50), slice(10, 46)
_CHEEKS = (
    (slice(26, 34), slice(15, 22)),
    (slice(26, 34), slice(34, 41)),
    (slice(22, 30), slice(25, 31)),
)


def _cell_means(values: np.ndarray) -> np.ndarray:
    """Means over cells of 4 x 4 pixels of values (rows, columns, n)."""
    rows, columns, depth = values.shape
    cells = values.reshape(
        rows // CELL_PIXELS, CELL_PIXELS, columns // CELL_PIXELS, CELL_PIXELS, depth
    )
    return cells.mean(axis=(1, 3))


def _oriented_gradients(patch: np.ndarray) -> np.ndarray:
    """Strength of the gradient by orientation, float32 (56, 56, 8), at the contrast of the face."""
    grey = cv2.cvtColor(patch, cv2.COLOR_BGR2GRAY)
    grey = cv2.GaussianBlur((grey - grey[_FACE].mean()) / (grey[_FACE].std() + 8), (0, 0), 0.6)
    right, down = np.zeros_like(grey), np.zeros_like(grey)
    right[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    down[1:-1] = grey[2:] - grey[:-2]
    strength = np.hypot(right, down)
    turn = np.mod(np.arctan2(down, right) / (2 * np.pi) * ORIENTATIONS, ORIENTATIONS)
    low = np.floor(turn)
    above, lower = turn - low, low.astype(int) % ORIENTATIONS
    found = np.zeros((PATCH_PIXELS, PATCH_PIXELS, ORIENTATIONS), np.float32)
    rows, columns = np.indices(strength.shape)
    found[rows, columns, lower] = strength * (1 - above)
    found[rows, columns, (lower + 1) % ORIENTATIONS] += strength * above
    return found


def region_features(patch: np.ndarray) -> dict[str, np.ndarray]:
    """What describes each region of a patch float32 (56, 56, 3) BGR, as `face_patch` makes it."""
    gradients = _oriented_gradients(patch)
    colours = cv2.cvtColor((patch / 255).clip(0, 1), cv2.COLOR_BGR2YCrCb)
    cheeks = np.concatenate([colours[part].reshape(-1, 3) for part in _CHEEKS])
    spread = np.array([cheeks[:, 0].std() + 0.08, 0.05, 0.05], np.float32)
    colours = (colours - np.median(cheeks, axis=0)) / spread
    features = {}
    for name, region in REGIONS.items():
        histograms = _cell_means(gradients[region])
        strength = np.sqrt(np.square(histograms).sum(axis=-1))
        around = cv2.boxFilter(strength, -1, (3, 3), borderType=cv2.BORDER_REFLECT)
        parts = (
            histograms / (around[..., None] + 0.05),
            np.log(strength + 0.02),
            np.clip(_cell_means(colours[region]), -4, 4),
        )
        features[name] = np.concatenate([part.ravel() for part in parts])
    return features


@dataclass(frozen=True)
class OcclusionModel:
    """Tells covered regions; each machine is read when it is first asked.

    Args:
        folder: of `mouth.npz` and `eyes.npz`.
    """

    folder: Path

    @cached_property
    def _machines(self) -> dict[str, KernelMachine]:
        return {name: load_kernel_machine(self.folder / f"{name}.npz") for name in REGIONS}

    def covered(self, patch: np.ndarray) -> np.ndarray:
        """How surely each of `REGIONS` is covered, float (2,) from 0 to 1, in a patch float32
        (56, 56, 3) BGR."""
        features = region_features(patch)
        decisions = [self._machines[name](features[name][None])[0][0] for name in REGIONS]
        return sureness(np.array(decisions))


def sureness(decisions: np.ndarray) -> np.ndarray:
    """Decision values as 0 (plainly visible) to 1 (plainly covered); between them it is linear."""
    return np.clip((decisions + 1) / 2, 0, 1)
