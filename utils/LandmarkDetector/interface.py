"""The interface that every landmark detector implements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class LandmarkDetection:
    """One face in one frame.

    Attributes:
        landmarks: (68, 2) float64 in frame pixels.
        score: in [0, 1].
        roi: where to look for the face in the next frame, as its detector has places.
        activations: of the network's first layers in the middle of the face, each float32 (rows,
            columns, channels); none where the detector does not give them.
    """

    landmarks: np.ndarray
    score: float
    roi: np.ndarray
    activations: tuple[np.ndarray, ...] = ()


class LandmarkDetector(Protocol):
    """Finds the 68 landmarks of faces whose regions of interest are known.

    Attributes:
        name: as `--ld` has it.
        batch_size: the number of frames that it serves best in one call.
        detect_every: face boxes are looked for on each frame of this period, unless the user says
            otherwise; in between, the last landmarks say where the face is.
        min_score: a face that scores lower is lost.
        calibration: what its landmarks need before they are normalized, by default.
        follows_faces: its own landmarks locate the face in the next frame better than a face box
            does; boxes are then used only for faces that are new or lost.
    """

    name: str
    batch_size: int
    detect_every: int
    min_score: float
    calibration: str
    follows_faces: bool

    def roi_of_box(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray | None:
        """Where in `frame` a face lies whose box is (5 or 6,): left, top, right, bottom, score and,
        where the face detector knows it, roll in radians; None where no face is in the box."""
        ...

    def detect(
        self, frames: Sequence[np.ndarray], rois: Sequence[np.ndarray]
    ) -> list[LandmarkDetection]:
        """The landmarks of one face per frame.

        Args:
            frames: uint8 (H, W, 3) BGR each; one that shows several faces is given several times.
            rois: as `roi_of_box` makes them, or `LandmarkDetection.roi` of the frame before.
        """
        ...
