import numpy as np
import pytest

from utils.face_boxes import box_of_landmarks
from utils.LandmarkDetector.interface import LandmarkDetection
from utils.shared import MIRRORED_LANDMARKS
from utils.tracking.face_tracker import FaceTracker, assign, is_plausible_motion

FRAME = np.zeros((400, 600, 3), np.uint8)


def face_at(x: float, y: float, size: float = 100) -> np.ndarray:
    """Landmarks (68, 2) that fill a square of `size` around a place."""
    steps = np.linspace(-0.5, 0.5, 68)
    return np.array([x, y]) + size * np.stack([steps, steps[::-1]], axis=1)


class ScriptedFaces:
    """A face detector that finds the boxes it was given for each frame."""

    name = "scripted"

    def __init__(self, *boxes_of_frames: list[tuple], searches_near: bool = False) -> None:
        self.script = list(boxes_of_frames)
        self.searches_near = searches_near
        self.asked = 0

    def detect(self, frames, near=None, small_faces=False):
        self.asked += len(frames)
        return [np.array(self.script.pop(0), float).reshape(-1, 5) for _ in frames]


class ScriptedLandmarks:
    """A landmark detector that puts a face of the box's size in the middle of the box."""

    name = "scripted"
    batch_size = 1
    min_score = 0.1

    def __init__(self, detect_every=1, score=1.0, follows_faces=False) -> None:
        self.detect_every, self.score, self.follows_faces = detect_every, score, follows_faces

    def roi_of_box(self, frame, box):
        return box[:4]

    def detect(self, frames, rois):
        found = []
        for left, top, right, bottom in rois:
            landmarks = face_at((left + right) / 2, (top + bottom) / 2, right - left)
            found.append(
                LandmarkDetection(landmarks, self.score, np.array([left, top, right, bottom]))
            )
        return found


def box(x: float, y: float, size: float = 100) -> tuple:
    return (x - size / 2, y - size / 2, x + size / 2, y + size / 2, 1.0)


def tracked(tracker: FaceTracker, frames: int) -> list[dict[int, float]]:
    """Run -> x of its middle, for each frame."""
    seen = [tracker.track([FRAME])[0] for _ in range(frames)]
    return [
        {
            tracklet: round(float(found.landmarks.mean(axis=0)[0]), 6)
            for tracklet, found in one.items()
        }
        for one in seen
    ]


def test_every_face_is_tracked_the_largest_first():
    faces = ScriptedFaces(
        [box(100, 200, 80), box(400, 200, 120)], [box(405, 200, 118), box(102, 200, 81)]
    )
    seen = tracked(FaceTracker(faces, ScriptedLandmarks()), 2)
    assert seen == [{0: 400, 1: 100}, {0: 405, 1: 102}]


def test_a_face_elsewhere_is_another_tracklet():
    faces = ScriptedFaces([box(400, 200)], [box(100, 200)], [box(402, 200), box(100, 200)])
    assert tracked(FaceTracker(faces, ScriptedLandmarks()), 3) == [
        {0: 400},
        {1: 100},
        {0: 402, 1: 100},
    ]


def test_boxes_are_assigned_to_maximise_the_total_overlap():
    last = np.array([box(100, 100)[:4], box(140, 100)[:4]])
    found = np.array([box(120, 100), box(170, 100)])
    assert assign(last, found) == [0, 1]
    assert assign(last, found[:0]) == [None, None]
    assert assign(last[:0], found) == []


def test_a_box_that_hardly_overlaps_is_not_assigned():
    assert assign(np.array([box(100, 100)[:4]]), np.array([box(198, 100)])) == [None]


def test_after_a_cut_all_tracklets_are_new():
    faces = ScriptedFaces([box(200, 200)], [box(200, 200)])
    tracker = FaceTracker(faces, ScriptedLandmarks(detect_every=5))
    assert tracked(tracker, 1) == [{0: 200}]
    tracker.reset()
    assert tracked(tracker, 1) == [{1: 200}]


@pytest.mark.parametrize(
    ("move", "grow", "believed"),
    [(49, 1, True), (51, 1, False), (0, 1.29, True), (0, 1.31, False), (0, 0.69, False)],
)
def test_landmarks_that_jump_are_no_detection(move, grow, believed):
    first, then = face_at(200, 200), face_at(200 + move, 200, 100 * grow)
    assert is_plausible_motion(then, first) is believed


def test_a_low_score_is_no_detection():
    faces = ScriptedFaces([box(200, 200)])
    assert tracked(FaceTracker(faces, ScriptedLandmarks(score=0.09)), 1) == [{}]


def test_the_detector_rests_between_its_frames():
    faces = ScriptedFaces(*[[box(200, 200)]] * 3)
    assert {} not in tracked(FaceTracker(faces, ScriptedLandmarks(detect_every=5)), 11)
    assert faces.asked == 3


def test_a_lost_face_is_searched_for_on_every_frame():
    faces = ScriptedFaces([box(200, 200)], *[[]] * 3, [box(200, 200)], [box(200, 200)])
    landmarks = ScriptedLandmarks(detect_every=2)
    tracker = FaceTracker(faces, landmarks)
    assert tracked(tracker, 1) == [{0: 200}]
    landmarks.score = 0.0  # lost from frame 1 on
    assert tracked(tracker, 3) == [{}, {}, {}]
    landmarks.score = 1.0
    assert tracked(tracker, 2) == [{}, {0: 200}]


def test_a_face_lost_for_a_fifth_of_a_second_keeps_its_tracklet():
    def last_of(gap: int) -> dict[int, float]:
        landmarks = ScriptedLandmarks()
        tracker = FaceTracker(ScriptedFaces(*[[box(200, 200)]] * (gap + 2)), landmarks, fps=25)
        tracked(tracker, 1)
        landmarks.score = 0.0
        tracked(tracker, gap)
        landmarks.score = 1.0
        return tracked(tracker, 1)[0]

    assert last_of(gap=5) == {0: 200}
    assert 0 not in last_of(gap=6)


def test_of_two_tracklets_on_one_face_one_ends():
    faces = ScriptedFaces(
        [box(200, 200), box(320, 200)],
        [box(240, 200), box(290, 200)],
        [box(262, 200), box(268, 200)],
    )
    seen = tracked(FaceTracker(faces, ScriptedLandmarks()), 3)
    assert [len(one) for one in seen] == [2, 2, 1]


def test_a_mesh_is_not_moved_by_boxes_until_it_is_lost():
    faces = ScriptedFaces([box(200, 200)], [box(210, 200)])
    tracker = FaceTracker(faces, ScriptedLandmarks(follows_faces=True))
    assert tracked(tracker, 2) == [{0: 200}, {0: 200}]


def test_a_detector_that_searches_near_also_looks_around_for_others():
    near = [[box(200, 200)]] * 3
    faces = ScriptedFaces(
        near[0], near[1], near[2], near[0], [box(200, 200), box(450, 200)], searches_near=True
    )
    seen = tracked(FaceTracker(faces, ScriptedLandmarks(detect_every=1)), 4)
    assert [len(one) for one in seen] == [1, 1, 1, 2]


def test_the_users_period_wins():
    faces = ScriptedFaces(*[[box(200, 200)]] * 4)
    tracker = FaceTracker(faces, ScriptedLandmarks(detect_every=1), detect_every=3)
    tracked(tracker, 10)
    assert faces.asked == 4


def test_a_batch_is_tracked_like_single_frames():
    script = [[box(200 + 3 * index, 200)] for index in range(6)]
    single = tracked(FaceTracker(ScriptedFaces(*script), ScriptedLandmarks()), 6)
    batched = FaceTracker(ScriptedFaces(*script), ScriptedLandmarks()).track([FRAME] * 6)
    assert [one[0].landmarks.mean(axis=0)[0] for one in batched] == pytest.approx(
        [one[0] for one in single]
    )


def test_the_box_of_landmarks_surrounds_them():
    left, top, right, bottom = box_of_landmarks(face_at(200, 300))
    assert left < 160 and right > 240 and top < 250 and bottom > 330


def test_mirroring_twice_is_no_change():
    mirrored = np.array(MIRRORED_LANDMARKS)
    assert sorted(mirrored) == list(range(68))
    assert (mirrored[mirrored] == np.arange(68)).all()


def test_no_more_faces_are_tracked_than_the_limit():
    boxes = [box(60 + 120 * number, 100, 100) for number in range(5)]
    for most in (2, 5):
        tracker = FaceTracker(ScriptedFaces([boxes]), ScriptedLandmarks(100), max_faces=most)
        assert len(tracker.track([FRAME])[0]) == most
