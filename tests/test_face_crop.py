import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from utils.calibration.face_crop import (
    crop_box,
    face_extents,
    settle_centres,
    stable_size,
    to_crop_pixels,
    to_frame_pixels,
    video_crops,
)
from utils.face_boxes import CropBox, cut_face

whole_landmarks = hnp.arrays(np.int64, (68, 2), elements=st.integers(min_value=-50, max_value=1200))


@given(whole_landmarks, st.integers(8, 1920), st.integers(8, 1080))
def test_a_crop_lies_in_the_frame(landmarks, width, height):
    (box,) = video_crops(landmarks[None], width, height, stable=False)
    assert box.left >= 0 and box.left + box.side <= width
    assert box.top >= 0 and box.top + box.side <= height
    assert box.side >= 1


@given(whole_landmarks)
def test_landmarks_survive_the_crop_within_its_rounding(landmarks):
    box = CropBox(10, 20, 300)
    back = to_frame_pixels(to_crop_pixels(landmarks, box), box)
    assert np.abs(back - landmarks).max() <= 0.5 * 300 / 400 + 1e-9


def test_sub_pixel_landmarks_are_rounded_in_crop_pixels_only():
    box = CropBox(0, 0, 100)  # enlarged four times
    assert to_crop_pixels(np.array([[10.25, 10.5]]), box).tolist() == [[41, 42]]


def test_the_face_size_is_the_larger_side():
    landmarks = np.zeros((1, 68, 2))
    landmarks[0, 0] = (30, 21)
    centres, sizes = face_extents(landmarks)
    assert centres.tolist() == [[15, 10]]
    assert sizes.tolist() == [30]


def test_the_stable_size_leaves_the_last_frame_out():
    assert stable_size(np.array([10.0, 21.0, 1000.0])) == 16
    assert stable_size(np.array([10.0])) == 10


def test_a_centre_stays_until_it_moves_by_more_than_a_diagonal_pixel():
    centres = np.array([[5, 5], [6, 6], [6, 7], [6, 8]])
    assert settle_centres(centres).tolist() == [[5, 5], [5, 5], [6, 7], [6, 7]]


def test_the_crop_is_even_and_a_fifth_larger_than_the_face():
    assert crop_box(np.array([500, 500]), 101, 1920, 1080) == CropBox(440, 440, 120)


def test_the_crop_is_cut_at_the_right_and_bottom_edge():
    assert crop_box(np.array([95, 50]), 50, 100, 100) == CropBox(65, 20, 35)


def test_a_cut_face_is_400_pixels_wide_and_high():
    frame = np.zeros((300, 300, 3), np.uint8)
    assert cut_face(frame, CropBox(0, 0, 57)).shape == (400, 400, 3)
