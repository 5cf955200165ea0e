"""dlib's 68-point shape predictor (regression trees), from `face_recognition_models`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ..extras import needs
from ..face_boxes import box_of_landmarks
from .interface import LandmarkDetection

SQUARE = 1.15  # it was trained on square boxes; others are replaced by that of a first prediction
SURROUNDINGS = 0.6  # of the box on each side: what the predictor's pixel tests may reach


class DlibPredictor:
    """See `utils.LandmarkDetector.interface.LandmarkDetector`; it knows no score, so all are 1."""

    name = "dlib"
    batch_size = 1
    detect_every = 5
    min_score = 0.1
    calibration = "published"
    follows_faces = False

    def __init__(self, model: Path) -> None:
        with needs("dlib", "the landmark detector dlib"):
            import dlib

        self._rectangle = dlib.rectangle
        self._predictor = dlib.shape_predictor(str(model))

    def roi_of_box(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        return box[:4]

    def detect(
        self, frames: Sequence[np.ndarray], rois: Sequence[np.ndarray]
    ) -> list[LandmarkDetection]:
        found = []
        for frame, box in zip(frames, rois, strict=True):
            landmarks = self._predict_in(frame, box)
            found.append(LandmarkDetection(landmarks, 1.0, box_of_landmarks(landmarks)))
        return found

    def _predict_in(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        landmarks = self._predict(frame, box)
        width, height = box[2:] - box[:2]
        if max(width, height) < SQUARE * min(width, height):
            return landmarks
        return self._predict(frame, box_of_landmarks(landmarks))

    def _predict(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        left, top, right, bottom = np.rint(box).astype(int)
        margin = int(SURROUNDINGS * max(right - left, bottom - top))
        from_x, from_y = max(0, left - margin), max(0, top - margin)
        nearby = frame[from_y : max(0, bottom + margin), from_x : max(0, right + margin)]
        rectangle = self._rectangle(
            int(left - from_x), int(top - from_y), int(right - from_x) - 1, int(bottom - from_y) - 1
        )
        shape = self._predictor(cv2.cvtColor(nearby, cv2.COLOR_BGR2RGB), rectangle)
        return np.array([(point.x + from_x, point.y + from_y) for point in shape.parts()], float)
