"""One face through a video: which box is its, and which landmarks to believe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..face_boxes import box_of_landmarks, overlaps
from ..FaceDetector.interface import FaceDetector
from ..LandmarkDetector.interface import LandmarkDetector
from ..shared import LANDMARKS

LARGEST_MOVE = 0.5  # of the last face's size, for its centre
LEAST_GROWTH, LARGEST_GROWTH = 0.7, 1.3  # of its size
LEAST_SCORE = 0.1
LEAST_OVERLAP = 0.05  # intersection over union with the last face: else it is somebody else


def choose_box(boxes: np.ndarray, last_box: np.ndarray | None) -> np.ndarray | None:
    """The followed face's box (4,) among `boxes` (n, 5): the largest at first, then the nearest."""
    if not len(boxes):
        return None
    corners = boxes[:, :4]
    if last_box is None:
        return corners[(corners[:, 2:] - corners[:, :2]).prod(axis=1).argmax()]
    shared = overlaps(last_box, corners)
    return corners[shared.argmax()] if shared.max() >= LEAST_OVERLAP else None


def follows(landmarks: np.ndarray, last: np.ndarray) -> bool:
    """Whether `landmarks` (68, 2) can be the face of `last` (68, 2) a frame later."""
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    last_low, last_high = last.min(axis=0), last.max(axis=0)
    size, last_size = (high - low).max(), (last_high - last_low).max()
    move = np.linalg.norm((low + high) / 2 - (last_low + last_high) / 2)
    grown_to = size / max(last_size, 1)
    return move <= LARGEST_MOVE * last_size and LEAST_GROWTH <= grown_to <= LARGEST_GROWTH


@dataclass(frozen=True)
class Detection:
    """What was found in one frame: landmarks (68, 2) in frame pixels, and their score."""

    landmarks: np.ndarray
    score: float


class FaceFollower:
    """Follows the face that is largest when the first one is seen.

    Args:
        detect_every: look for the box on each frame of this period, and on every frame while the
            face is lost; 0 takes the landmark detector's own period.
        whole_frames: look for the box in whole frames even where the face's place is known.
    """

    def __init__(
        self,
        face_detector: FaceDetector,
        landmark_detector: LandmarkDetector,
        detect_every: int = 0,
        whole_frames: bool = False,
    ) -> None:
        self._faces = face_detector
        self._landmarks = landmark_detector
        self.detect_every = detect_every or landmark_detector.detect_every
        self._whole_frames = whole_frames
        self._frames_seen = 0
        self._last: np.ndarray | None = None  # the landmarks that were believed last
        self._lost = True

    @property
    def batch_size(self) -> int:
        return self._landmarks.batch_size

    def follow(self, frames: Sequence[np.ndarray]) -> list[Detection | None]:
        """The face in the next frames of the video, None where it was not found."""
        boxes = self._boxes(frames)
        self._frames_seen += len(frames)
        seen = [index for index, box in enumerate(boxes) if box is not None]
        found: list[Detection | None] = [None] * len(frames)
        if seen:
            landmarks, scores = self._landmarks.detect(
                [frames[index] for index in seen], np.array([boxes[index] for index in seen])
            )
            for index, points, score in zip(seen, landmarks, scores, strict=True):
                found[index] = self._believe(points, float(score))
        self._lost = found[-1] is None
        return found

    def _boxes(self, frames: Sequence[np.ndarray]) -> list[np.ndarray | None]:
        searched = [
            index
            for index in range(len(frames))
            if self._lost or (self._frames_seen + index) % self.detect_every == 0
        ]
        last_box = None if self._last is None else box_of_landmarks(self._last)
        near = None if self._lost or self._whole_frames else last_box
        found = self._faces.detect([frames[index] for index in searched], near) if searched else []
        candidates = dict(zip(searched, found, strict=True))
        box, boxes = last_box, []
        for index in range(len(frames)):
            if index in candidates:
                box = choose_box(candidates[index], last_box)
                last_box = box if box is not None else last_box
            boxes.append(box)
        return boxes

    def _believe(self, landmarks: np.ndarray, score: float) -> Detection | None:
        if score < LEAST_SCORE or landmarks.shape != (LANDMARKS, 2):
            return None
        if self._last is not None and not follows(landmarks, self._last):
            return None
        self._last = landmarks
        return Detection(landmarks, score)
