"""The interface that every face detector implements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class FaceDetector(Protocol):
    """Finds the faces of pictures.

    Attributes:
        name: as `--fd` has it.
        searches_near: whether it looks only around `near`, where that is given.
    """

    name: str
    searches_near: bool

    def detect(
        self,
        frames: Sequence[np.ndarray],
        near: np.ndarray | None = None,
        small_faces: bool = False,
    ) -> list[np.ndarray]:
        """Face boxes of a batch of frames of one size.

        Args:
            frames: uint8 (H, W, 3) BGR each.
            near: where the face was last, (4,): a detector may leave out what is far from it.
            small_faces: look closer for others, where the detector misses small ones at first.

        Returns:
            For each frame float64 (faces, 5): left, top, right, bottom in frame pixels, and the
            detector's own score (higher is more confident); (0, 5) where no face was found. A
            sixth column is the face's roll in radians, where the detector reports it.
        """
        ...
