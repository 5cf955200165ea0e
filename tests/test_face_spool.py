import resource

import numpy as np
import pytest

from utils.calibration.face_crop import video_crops
from utils.face_boxes import CropBox, cut_face
from utils.video import face_spool
from utils.video.face_spool import FaceSpool


@pytest.fixture
def track(random) -> tuple[list[np.ndarray], np.ndarray]:
    """Frames of noise (20) and landmarks (20, 68, 2) of a face that wanders and grows in them."""
    frames = list(random.integers(0, 255, (20, 240, 320, 3), np.uint8))
    steps = np.linspace(-0.5, 0.5, 68)
    shape = np.stack([steps, steps[::-1]], axis=1)
    places = np.array([150, 110]) + random.normal(0, 2, (20, 2)).cumsum(axis=0)
    sizes = np.linspace(90, 100, 20)
    return frames, places[:, None] + sizes[:, None, None] * shape


@pytest.mark.parametrize("stable", [True, False])
def test_faces_are_those_cut_from_the_frames(track, stable):
    frames, landmarks = track
    boxes = video_crops(landmarks, 320, 240, stable)
    with FaceSpool() as spool:
        for frame, points in zip(frames, landmarks, strict=True):
            spool.add(7, frame, points)
        assert spool.holds(7, 0, boxes)
        for face, frame, box in zip(spool.faces(7, 0, boxes), frames, boxes, strict=True):
            assert (face == cut_face(frame, box)).all()


def test_tracklets_are_kept_apart_and_start_at_any_frame(track):
    frames, landmarks = track
    boxes = video_crops(landmarks, 320, 240, True)
    with FaceSpool() as spool:
        for frame, points in zip(frames, landmarks, strict=True):
            spool.add(1, frame, points)
            spool.add(2, frame[::-1], points)
        assert spool.holds(2, 15, boxes[15:]) and not spool.holds(3, 0, boxes)
        for face, frame, box in zip(
            spool.faces(2, 15, boxes[15:]), frames[15:], boxes[15:], strict=True
        ):
            assert (face == cut_face(frame[::-1], box)).all()


def test_a_crop_beyond_what_was_kept_is_reported(track):
    frames, landmarks = track
    with FaceSpool() as spool:
        spool.add(7, frames[0], landmarks[0])
        assert not spool.holds(7, 0, [CropBox(0, 0, 240)])


def test_a_spool_that_was_not_filled_holds_nothing(track):
    with FaceSpool() as spool:
        assert not spool.holds(7, 0, video_crops(track[1], 320, 240, True))


def test_a_disk_without_room_is_no_error(track, monkeypatch):
    monkeypatch.setattr(face_spool, "MAX_DISK_SHARE", 0)
    frames, landmarks = track
    with FaceSpool() as spool:
        spool.add(7, frames[0], landmarks[0])
        assert not spool.holds(7, 0, video_crops(landmarks[:1], 320, 240, True))


@pytest.mark.parametrize("room", [10_000, 100_000])  # the first frame fails, or a later one
def test_a_disk_that_fills_up_is_no_error(track, room):
    frames, landmarks = track
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with FaceSpool() as spool:
            for frame, points in zip(frames, landmarks, strict=True):
                spool.add(7, frame, points)
            assert not spool.holds(7, 0, video_crops(landmarks, 320, 240, True))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
