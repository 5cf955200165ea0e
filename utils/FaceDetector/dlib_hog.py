"""dlib's frontal face detector (histograms of oriented gradients), run on a downscaled frame."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ..extras import needs

SEARCH_ROWS = 360  # height of the frame that is searched: faces from 80 rows of it up are found
CLOSER_ROWS = 720  # searched when the first look finds nothing: faces from 40 rows of 360 up

SURROUNDINGS = 0.6  # of a face's box, searched on each side where its place is known
MIN_FACE, MAX_FACE = 90, 150  # pixels that a face whose place is known is brought to


class DlibHogDetector:
    """See `utils.FaceDetector.interface.FaceDetector`; scores are margins of its SVM."""

    name = "dlib"
    searches_near = True

    def __init__(self) -> None:
        with needs("dlib", "the face detector dlib"):
            import dlib

        self._detector = dlib.get_frontal_face_detector()

    def detect(
        self,
        frames: Sequence[np.ndarray],
        near: np.ndarray | None = None,
        small_faces: bool = False,
    ) -> list[np.ndarray]:
        if near is not None:
            return [self._detect_near(frame, near) for frame in frames]
        return [self._detect_frame(frame) for frame in frames]

    def _detect_frame(self, frame: np.ndarray) -> np.ndarray:
        boxes = self._search(frame, SEARCH_ROWS / frame.shape[0])
        return boxes if len(boxes) else self._search(frame, CLOSER_ROWS / frame.shape[0])

    def _detect_near(self, frame: np.ndarray, near: np.ndarray) -> np.ndarray:
        """Searches the surroundings of a face, reduced as the frame would be or a little more."""
        size = (near[2:] - near[:2]).max()
        scale = max(SEARCH_ROWS / frame.shape[0], MIN_FACE / size)
        scale = min(scale, MAX_FACE / size)
        left, top = np.maximum(near[:2] - SURROUNDINGS * size, 0).astype(int)
        right, bottom = np.maximum(near[2:] + SURROUNDINGS * size, 1).astype(int)
        boxes = self._search(frame[top:bottom, left:right], scale)
        return boxes + np.array([left, top, left, top, 0])

    def _search(self, frame: np.ndarray, scale: float) -> np.ndarray:
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        size = max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale))
        reduced = cv2.cvtColor(cv2.resize(frame, size, interpolation=method), cv2.COLOR_BGR2GRAY)
        found, scores, _ = self._detector.run(reduced, 0, 0.0)
        boxes = np.array(
            [(box.left(), box.top(), box.right() + 1, box.bottom() + 1) for box in found], float
        ).reshape(-1, 4)
        return np.column_stack([boxes / scale, np.array(scores, float)])
