"""What every landmark detector offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class LandmarkDetector(Protocol):
    """Finds the 68 landmarks of faces whose boxes are known.

    Attributes:
        name: as `--ld` has it.
        batch_size: the number of frames that it serves best in one call.
        detect_every: a face box is looked for on each frame of this period, unless the user says
            otherwise; in between, the last landmarks tell where the face is.
    """

    name: str
    batch_size: int
    detect_every: int

    def detect(
        self, frames: Sequence[np.ndarray], boxes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks of one face a frame.

        Args:
            frames: uint8 (H, W, 3) BGR each.
            boxes: (frames, 4): left, top, right, bottom in frame pixels.

        Returns:
            Landmarks (frames, 68, 2) float64 in frame pixels and scores (frames,) in [0, 1].
        """
        ...
