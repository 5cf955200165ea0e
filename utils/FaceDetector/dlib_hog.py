"""dlib's frontal face detector (histograms of oriented gradients), on a reduced frame."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

SEARCH_ROWS = 360  # height of the frame that is searched: faces from 80 rows of it up are found
CLOSER_ROWS = 720  # searched when the first look finds nothing: faces from 40 rows of 360 up


class DlibHogDetector:
    """See `utils.FaceDetector.interface.FaceDetector`; scores are margins of its SVM."""

    name = "dlib"

    def __init__(self) -> None:
        import dlib

        self._detector = dlib.get_frontal_face_detector()

    def detect(self, frames: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [self._detect_frame(frame) for frame in frames]

    def _detect_frame(self, frame: np.ndarray) -> np.ndarray:
        boxes = self._search(frame, SEARCH_ROWS)
        return boxes if len(boxes) else self._search(frame, CLOSER_ROWS)

    def _search(self, frame: np.ndarray, rows: int) -> np.ndarray:
        scale = rows / frame.shape[0]
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        size = max(1, round(frame.shape[1] * scale)), rows
        reduced = cv2.cvtColor(cv2.resize(frame, size, interpolation=method), cv2.COLOR_BGR2GRAY)
        found, scores, _ = self._detector.run(reduced, 0, 0.0)
        boxes = np.array(
            [(box.left(), box.top(), box.right() + 1, box.bottom() + 1) for box in found], float
        ).reshape(-1, 4)
        return np.column_stack([boxes / scale, np.array(scores, float)])
