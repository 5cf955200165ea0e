"""Tracks every face through a shot: assigns boxes to tracklets and rejects implausible landmarks.

A tracklet is a face from the frame in which it is first found to the last one before it is lost
for longer than a short gap, or before the shot ends. Which tracklets show the same person is
decided later (`utils.tracking.identity`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..face_boxes import box_of_landmarks, overlaps
from ..FaceDetector.interface import FaceDetector
from ..LandmarkDetector.interface import LandmarkDetection, LandmarkDetector
from ..limits import MAX_FACES
from ..shared import LANDMARKS

MAX_MOVE = 0.5  # of the last face's size, for its centre
MIN_GROWTH, MAX_GROWTH = 0.7, 1.3  # of its size
MIN_OVERLAP = 0.05  # intersection over union with the last face: else it is another person
SAME_FACE = 0.3  # a box that overlaps a followed face by more is that face
DOUBLE = 0.5  # two tracklets that overlap by more follow one face
GAP_SECONDS = 0.2  # that a face may be lost for and still be the same tracklet
LOOK_AROUND = 3  # times its period, a detector that searches near the face looks everywhere
# Times its period, small faces are looked for: a fiftieth of the time at first, ever less often
# while none is found.
LOOK_CLOSER, LOOK_CLOSER_AT_MOST = 12, 32


def assign(last_boxes: np.ndarray, boxes: np.ndarray) -> list[int | None]:
    """For each followed face the box that is its, by the largest overlap in all.

    Args:
        last_boxes: (m, 4), where the faces were; boxes: (n, 4 or more), what was found.
    """
    chosen: list[int | None] = [None] * len(last_boxes)
    if not len(last_boxes) or not len(boxes):
        return chosen
    shared = np.array([overlaps(last, boxes[:, :4]) for last in last_boxes])
    for face, box in _pairs(shared):
        if shared[face, box] >= MIN_OVERLAP:
            chosen[face] = int(box)
    return chosen


def _pairs(shared: np.ndarray) -> list[tuple[int, int]]:
    """The one-to-one pairs of rows and columns with the largest sum in a matrix (m, n)."""
    if min(shared.shape) == 1:  # the most videos; SciPy's import takes longer than all of theirs
        row, column = np.unravel_index(shared.argmax(), shared.shape)
        return [(int(row), int(column))]
    from scipy.optimize import linear_sum_assignment

    return list(zip(*linear_sum_assignment(-shared), strict=True))


def is_plausible_motion(landmarks: np.ndarray, last: np.ndarray) -> bool:
    """Whether `landmarks` (68, 2) can be the face of `last` (68, 2) a frame later."""
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    last_low, last_high = last.min(axis=0), last.max(axis=0)
    size, last_size = (high - low).max(), (last_high - last_low).max()
    move = np.linalg.norm((low + high) / 2 - (last_low + last_high) / 2)
    grown_to = size / max(last_size, 1)
    return bool(move <= MAX_MOVE * last_size and MIN_GROWTH <= grown_to <= MAX_GROWTH)


@dataclass
class _Face:
    """A tracklet that goes on."""

    tracklet: int
    box: np.ndarray  # (4,), where it is looked for
    roi: np.ndarray | None = None
    landmarks: np.ndarray | None = None  # that were believed last
    missing: int = 0  # frames since

    def accept(self, found: LandmarkDetection, min_score: float) -> bool:
        if found.score < min_score or found.landmarks.shape != (LANDMARKS, 2):
            return False
        if self.landmarks is not None and not is_plausible_motion(found.landmarks, self.landmarks):
            return False
        self.landmarks, self.roi = found.landmarks, found.roi
        self.box = box_of_landmarks(found.landmarks)
        return True


@dataclass
class _Plan:
    """Where faces are looked for in the frames of a batch."""

    faces: list[tuple[int, _Face]] = field(default_factory=list)  # frame of the batch, face
    rois: list[np.ndarray] = field(default_factory=list)


class FaceTracker:
    """Follows the faces of one shot after another.

    Args:
        detect_every: look for boxes on each frame of this period, and on every frame while a face
            is lost or none is known; 0 takes the landmark detector's own period.
        whole_frames: look for boxes in whole frames even where the faces' places are known.
        fps: of the video; says how many frames a short gap has.
        max_faces: followed at once, the largest.

    Attributes:
        beyond_limit: faces at one time, at most, that were not followed since there were more.
    """

    def __init__(
        self,
        face_detector: FaceDetector,
        landmark_detector: LandmarkDetector,
        detect_every: int = 0,
        whole_frames: bool = False,
        fps: float = 25.0,
        max_faces: int = MAX_FACES,
    ) -> None:
        self._detector = face_detector
        self._max_faces = max_faces
        self.beyond_limit = 0
        self._landmarks = landmark_detector
        self.detect_every = detect_every or landmark_detector.detect_every
        self._near = face_detector.searches_near and not whole_frames
        self._longest_gap = max(1, round(GAP_SECONDS * fps))
        self._frames_seen = 0
        self._next_tracklet = 0
        self._faces: list[_Face] = []
        self._next_closer_look = 0  # number of a frame
        self._closer_period = LOOK_CLOSER

    @property
    def batch_size(self) -> int:
        return self._landmarks.batch_size

    @property
    def alive(self) -> set[int]:
        """The tracklets that may go on in the next frame."""
        return {face.tracklet for face in self._faces}

    def reset(self) -> None:
        """Forgets all faces: the next frame shows something else."""
        self._faces = []
        self._next_closer_look = 0
        self._closer_period = LOOK_CLOSER

    def track(self, frames: Sequence[np.ndarray]) -> list[dict[int, LandmarkDetection]]:
        """The faces in the next frames of a shot, by the number of their tracklet."""
        plan = self._plan(frames)
        self._frames_seen += len(frames)
        shown = [frames[index] for index, _ in plan.faces]
        said = self._landmarks.detect(shown, plan.rois) if shown else []
        seen: list[dict[int, LandmarkDetection]] = [{} for _ in frames]
        for (index, face), found in zip(plan.faces, said, strict=True):
            if face.accept(found, self._landmarks.min_score):
                face.missing = 0
                seen[index][face.tracklet] = found
            else:
                face.missing += 1
        for face in self._faces:
            if not any(face is planned for _, planned in plan.faces):
                face.missing += len(frames)
        self._drop_duplicates(seen)
        self._faces = [face for face in self._faces if face.missing <= self._longest_gap]
        return seen

    def _plan(self, frames: Sequence[np.ndarray]) -> _Plan:
        plan = _Plan()
        for index, frame in enumerate(frames):
            # within a batch nothing is known yet of the frames before: they count as found
            lost = any(face.missing for face in self._faces) or not self._faces
            if lost or (self._frames_seen + index) % self.detect_every == 0:
                self._look(frame, self._frames_seen + index, lost)
            for face in self._faces:
                if face.roi is not None:
                    plan.faces.append((index, face))
                    plan.rois.append(face.roi)
        return plan

    def _look(self, frame: np.ndarray, number: int, lost: bool) -> None:
        """Finds boxes: gives faces theirs, and starts new tracklets with the others."""
        if self._near and not lost:
            for face in self._faces:
                boxes = self._detector.detect([frame], face.box)[0]
                self._update([face], frame, boxes)
            if number % (LOOK_AROUND * self.detect_every) == 0:
                self._start(frame, self._detector.detect([frame])[0])
            return
        closer, known = number >= self._next_closer_look, self._next_tracklet
        boxes = self._detector.detect([frame], small_faces=closer)[0]
        self._update(self._faces, frame, boxes)
        self._start(frame, boxes)
        if closer:
            self._next_closer_look = number + self._closer_period * self.detect_every
            longer = min(2 * self._closer_period, LOOK_CLOSER_AT_MOST)
            self._closer_period = longer if self._next_tracklet == known else LOOK_CLOSER

    def _update(self, faces: Sequence[_Face], frame: np.ndarray, boxes: np.ndarray) -> None:
        last = np.array([face.box for face in faces]).reshape(-1, 4)
        for face, chosen in zip(faces, assign(last, boxes), strict=True):
            if not self._uses_boxes(face):
                continue
            if chosen is None:
                face.roi = None  # nowhere to look
            else:
                face.box = boxes[chosen, :4]
                face.roi = self._landmarks.roi_of_box(frame, boxes[chosen])

    def _uses_boxes(self, face: _Face) -> bool:
        """A mesh knows better than a box where its face is, until it is lost."""
        return not self._landmarks.follows_faces or face.missing > 0

    def _start(self, frame: np.ndarray, boxes: np.ndarray) -> None:
        sizes = (boxes[:, 2:4] - boxes[:, :2]).prod(axis=1)
        beyond = 0
        for box in boxes[np.argsort(-sizes)]:
            known = np.array([face.box for face in self._faces]).reshape(-1, 4)
            free = not len(known) or overlaps(box[:4], known).max() < SAME_FACE
            roi = self._landmarks.roi_of_box(frame, box) if free else None
            if roi is not None:
                if len(self._faces) >= self._max_faces:
                    beyond += 1
                else:
                    self._faces.append(_Face(self._next_tracklet, box[:4], roi))
                    self._next_tracklet += 1
        self.beyond_limit = max(self.beyond_limit, beyond)

    def _drop_duplicates(self, seen: list[dict[int, LandmarkDetection]]) -> None:
        """Of two tracklets that have come to follow one face, the one that scores less ends."""
        known = [face for face in self._faces if face.landmarks is not None and not face.missing]
        for index, face in enumerate(known):
            for other in known[index + 1 :]:
                if overlaps(face.box, other.box[None])[0] > DOUBLE:
                    scores = [seen[-1][one.tracklet].score for one in (face, other)]
                    ended = other if scores[0] >= scores[1] else face
                    for frame in seen:
                        frame.pop(ended.tracklet, None)
                    ended.missing = self._longest_gap + 1
