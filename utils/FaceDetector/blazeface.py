"""BlazeFace (front-camera model), as the package `face-alignment` carries it.

The network sees a square of 128 x 128 pixels. A frame is first searched in its central square, as
the package does it; where nobody is there, in the squares at its two ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

INPUT_PIXELS = 128


class BlazeFaceDetector:
    """See `utils.FaceDetector.interface.FaceDetector`; scores are probabilities.

    Args:
        weights, anchors: the files `blazeface.pth` and `anchors.npy`.
        device: `cpu` or `cuda`.
    """

    name = "blazeface"

    def __init__(self, weights: Path, anchors: Path, device: str) -> None:
        from face_alignment.detection.blazeface.blazeface_detector import BlazeFaceDetector

        self._detector = BlazeFaceDetector(
            device, path_to_detector=str(weights), path_to_anchor=str(anchors)
        )

    def detect(
        self, frames: Sequence[np.ndarray], near: np.ndarray | None = None
    ) -> list[np.ndarray]:
        found = self._search(frames, 0.5)
        empty = [index for index, boxes in enumerate(found) if not len(boxes)]
        height, width = frames[0].shape[:2]
        if empty and height != width:
            sides = [self._search([frames[index] for index in empty], end) for end in (0.0, 1.0)]
            for index, *boxes in zip(empty, *sides, strict=True):
                found[index] = np.concatenate(boxes)
        return found

    def _search(self, frames: Sequence[np.ndarray], place: float) -> list[np.ndarray]:
        """Boxes in the square at `place` of the frame's longer side: 0 its start, 1 its end."""
        height, width = frames[0].shape[:2]
        side = min(height, width)
        left, top = round((width - side) * place), round((height - side) * place)
        squares = np.stack(
            [
                cv2.cvtColor(
                    cv2.resize(
                        frame[top : top + side, left : left + side],
                        (INPUT_PIXELS, INPUT_PIXELS),
                        interpolation=cv2.INTER_AREA,
                    ),
                    cv2.COLOR_BGR2RGB,
                )
                for frame in frames
            ]
        )
        found = self._detector.detect_from_batch(squares.transpose(0, 3, 1, 2))
        scale = np.array([side / INPUT_PIXELS] * 4 + [1])
        corner = np.array([left, top, left, top, 0])
        return [np.asarray(boxes, float).reshape(-1, 5) * scale + corner for boxes in found]
