import numpy as np
import pytest

from utils.face_boxes import box_of_landmarks
from utils.shared import MIRRORED_LANDMARKS
from utils.tracking.following import FaceFollower, choose_box, follows

FRAME = np.zeros((400, 600, 3), np.uint8)


def face_at(x: float, y: float, size: float = 100) -> np.ndarray:
    """Landmarks (68, 2) that fill a square of `size` around a place."""
    steps = np.linspace(-0.5, 0.5, 68)
    return np.array([x, y]) + size * np.stack([steps, steps[::-1]], axis=1)


class ScriptedFaces:
    """A face detector that finds the boxes it was given for each frame."""

    name = "scripted"

    def __init__(self, *boxes_of_frames: list[tuple]) -> None:
        self.script = list(boxes_of_frames)
        self.asked = 0

    def detect(self, frames, near=None):
        self.asked += len(frames)
        return [np.array(self.script.pop(0), float).reshape(-1, 5) for _ in frames]


class ScriptedLandmarks:
    """A landmark detector that puts a face of the box's size in the middle of the box."""

    name = "scripted"
    batch_size = 1

    def __init__(self, detect_every=1, score=1.0, move=0.0, grow=1.0) -> None:
        self.detect_every = detect_every
        self.score, self.move, self.grow, self.calls = score, move, grow, 0

    def detect(self, frames, boxes):
        self.calls += 1
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2
        sizes = (boxes[:, 2] - boxes[:, 0]) * (self.grow if self.calls > 1 else 1)
        middle[:, 0] += self.move if self.calls > 1 else 0
        faces = [face_at(*place, size) for place, size in zip(middle, sizes, strict=True)]
        return np.array(faces), np.full(len(frames), self.score)


def box(x: float, y: float, size: float = 100) -> tuple:
    return (x - size / 2, y - size / 2, x + size / 2, y + size / 2, 1.0)


def places(follower: FaceFollower, frames: int) -> list:
    found = [follower.follow([FRAME])[0] for _ in range(frames)]
    return [None if one is None else one.landmarks.mean(axis=0)[0] for one in found]


def test_the_largest_face_at_the_start_is_followed():
    faces = ScriptedFaces(
        [box(100, 200, 80), box(400, 200, 120)],
        [box(100, 200, 300), box(405, 200, 118)],
        [box(400, 200, 120)],
    )
    assert places(FaceFollower(faces, ScriptedLandmarks()), 3) == pytest.approx([400, 405, 400])


def test_another_person_is_no_detection():
    faces = ScriptedFaces([box(400, 200)], [box(100, 200)], [box(402, 200)])
    assert places(FaceFollower(faces, ScriptedLandmarks()), 3) == [400, None, 402]


@pytest.mark.parametrize(
    ("move", "grow", "believed"),
    [(49, 1, True), (51, 1, False), (0, 1.29, True), (0, 1.31, False), (0, 0.69, False)],
)
def test_landmarks_that_jump_are_no_detection(move, grow, believed):
    first, then = face_at(200, 200), face_at(200 + move, 200, 100 * grow)
    assert bool(follows(then, first)) is believed


def test_a_score_below_a_tenth_is_no_detection():
    faces = ScriptedFaces([box(200, 200)])
    assert places(FaceFollower(faces, ScriptedLandmarks(score=0.09)), 1) == [None]


def test_the_detector_rests_between_its_frames():
    faces = ScriptedFaces(*[[box(200, 200)]] * 3)
    follower = FaceFollower(faces, ScriptedLandmarks(detect_every=5))
    assert None not in places(follower, 11)
    assert faces.asked == 3


def test_a_lost_face_is_looked_for_on_every_frame():
    faces = ScriptedFaces([box(200, 200)], [], [], [box(200, 200)], [box(200, 200)])
    follower = FaceFollower(faces, ScriptedLandmarks(detect_every=2))
    # frames 0 and 2 are looked at by the period, 3 and 4 because the face is lost, then 6
    found = places(follower, 7)
    assert [one is None for one in found] == [False, False, True, True, False, False, False]
    assert faces.asked == 5


def test_the_users_period_wins():
    faces = ScriptedFaces(*[[box(200, 200)]] * 4)
    follower = FaceFollower(faces, ScriptedLandmarks(detect_every=1), detect_every=3)
    places(follower, 10)
    assert faces.asked == 4


def test_a_batch_is_followed_like_single_frames():
    script = [[box(200 + 3 * index, 200)] for index in range(6)]
    single = places(FaceFollower(ScriptedFaces(*script), ScriptedLandmarks()), 6)
    batched = FaceFollower(ScriptedFaces(*script), ScriptedLandmarks()).follow([FRAME] * 6)
    assert [one.landmarks.mean(axis=0)[0] for one in batched] == pytest.approx(single)


def test_no_box_is_chosen_among_none():
    assert choose_box(np.zeros((0, 5)), None) is None


def test_the_box_of_landmarks_surrounds_them():
    left, top, right, bottom = box_of_landmarks(face_at(200, 300))
    assert left < 160 and right > 240 and top < 250 and bottom > 330


def test_mirroring_twice_is_no_change():
    mirrored = np.array(MIRRORED_LANDMARKS)
    assert sorted(mirrored) == list(range(68))
    assert (mirrored[mirrored] == np.arange(68)).all()
