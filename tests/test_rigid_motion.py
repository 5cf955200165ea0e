import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.landmark_files.formats import align
from utils.network.clips import (
    differences,
    frame_stride,
    moving_ranges,
    stream_values,
    subtract_moving_average,
)
from utils.rigid_motion import liveliness, nonrigid_motion, region_speeds, remove_rigid_motion
from utils.shared import LIVENESS_THRESHOLD, STILL_THRESHOLD


def rigidly_moved(landmarks, random):
    """Every frame turned, scaled and moved as a whole."""
    frames = len(landmarks)
    angle = np.cumsum(random.normal(0, 0.05, frames))
    scale = np.exp(np.cumsum(random.normal(0, 0.02, frames)))
    factors = (scale * np.exp(1j * angle))[:, None]
    points = factors * (landmarks[..., 0] + 1j * landmarks[..., 1])
    points = points + random.normal(0, 0.3, (frames, 1))
    return np.stack([points.real, points.imag], axis=-1)


def test_what_moves_as_a_whole_leaves_nothing(wandering_landmarks, random):
    still = np.repeat(wandering_landmarks[:1], 60, axis=0)
    left, transform = remove_rigid_motion(rigidly_moved(still, random)[None])
    assert np.abs(left).max() < 1e-4
    assert transform.std(axis=1).min() > 0.01


def test_the_faces_own_motion_is_kept_whatever_the_head_does(wandering_landmarks, random):
    trembling = wandering_landmarks[:60] + random.normal(0, 0.01, (60, 68, 2))
    left, _ = remove_rigid_motion(trembling[None])
    moved, _ = remove_rigid_motion(rigidly_moved(trembling, random)[None])
    assert np.abs(left - moved).max() < 0.02 * np.abs(left).max()


def test_both_landmark_formats_leave_the_same(wandering_landmarks, random):
    trembling = wandering_landmarks[:60] + random.normal(0, 0.01, (60, 68, 2))
    left, _ = remove_rigid_motion(trembling[None])
    aligned, _ = remove_rigid_motion(align(trembling)[None])
    assert np.abs(left - aligned).max() < 0.02 * np.abs(left).max()


@given(st.floats(0.01, 100), st.floats(-50, 50))
def test_size_and_place_do_not_matter(size, place):
    random = np.random.default_rng(3)
    face = random.normal(0, 0.3, (1, 68, 2)) + random.normal(0, 0.01, (20, 68, 2))
    face[:, 42:48, 0] += 1
    one, other = nonrigid_motion(face), nonrigid_motion(size * face + place)
    assert abs(one - other) < 0.02 * one


def trembling_photograph(wandering_landmarks, random):
    """A photograph that is filmed by hand: it moves as a whole, its landmarks tremble."""
    still = np.repeat(wandering_landmarks[:1], 90, axis=0)
    eyes = np.linalg.norm(still[0, 42:48].mean(axis=0) - still[0, 36:42].mean(axis=0))
    return rigidly_moved(still + random.normal(0, 0.007 * eyes, still.shape), random)


def test_a_photograph_filmed_by_hand_is_not_live(wandering_landmarks, random):
    photograph = trembling_photograph(wandering_landmarks, random)
    assert nonrigid_motion(photograph) > 9 * STILL_THRESHOLD
    assert liveliness(photograph, 30) < LIVENESS_THRESHOLD / 2


def test_a_mouth_that_opens_and_closes_is_live(wandering_landmarks, random):
    speaker = trembling_photograph(wandering_landmarks, random)
    speaker[:, 48:, 1] += 0.05 * np.sin(np.arange(90) / 4)[:, None]
    assert liveliness(speaker, 30) > LIVENESS_THRESHOLD


def test_the_liveliest_seconds_count(wandering_landmarks, random):
    photograph = trembling_photograph(wandering_landmarks, random)
    speaker = photograph.copy()
    speaker[:, 48:, 1] += 0.05 * np.sin(np.arange(90) / 4)[:, None]
    both = liveliness(np.concatenate([photograph, speaker, photograph]), 30)
    assert both > LIVENESS_THRESHOLD


def test_less_than_two_seconds_have_no_liveness(wandering_landmarks):
    assert liveliness(wandering_landmarks[:59], 30) is None
    assert liveliness(wandering_landmarks[:60], 30) is not None


@given(st.floats(0.01, 1000), st.integers(1, 40))
def test_no_frame_rate_is_too_odd_for_liveliness(fps, frames):
    landmarks = np.random.default_rng(3).normal(0, 1, (frames, 68, 2))
    found = liveliness(landmarks, fps)
    assert found is None or found >= 0


def test_a_landmark_set_without_extent_is_no_error():
    left, transform = remove_rigid_motion(np.ones((2, 5, 68, 2)))
    assert np.isfinite(left).all() and np.isfinite(transform).all()


def test_the_slow_course_is_a_mean_over_neighbours(random):
    values = random.normal(0, 1, (2, 40, 136)).astype(np.float32)
    expected = values[0, 20] - values[0, 13:28].mean(axis=0)
    assert np.abs(subtract_moving_average(values)[0, 20] - expected).max() < 1e-5
    assert np.abs(subtract_moving_average(np.ones((1, 30, 136), np.float32))).max() < 1e-6


def test_published_streams_read_files_as_they_are(random):
    clips = random.normal(0, 1, (3, 30, 136)).astype(np.float32)
    assert stream_values("gru-residual", "g1", clips) is clips
    assert (stream_values("gru", "g2", clips) == differences(clips)).all()
    assert stream_values("convolutional", "g1", clips).shape == (3, 30, 136)
    assert stream_values("convolutional", "g2", clips).shape == (3, 29, 136)


def test_fast_tracks_are_subsampled_to_a_known_rate():
    known = (24, 31)
    rates = (12, 25, 30, 44, 48, 50, 60, 120, 240, float("nan"))
    assert [frame_stride(fps, known) for fps in rates] == [1, 1, 1, 1, 2, 2, 2, 4, 9, 1]


def test_a_frozen_stretch_is_no_moving_part(wandering_landmarks, random):
    trembling = wandering_landmarks[:60] + random.normal(0, 0.01, (60, 68, 2))
    frozen = np.repeat(trembling[-1:], 60, axis=0) + random.normal(0, 1e-5, (60, 68, 2))
    assert moving_ranges(np.concatenate([trembling, frozen]), 25) == [(0, 83)]
    assert moving_ranges(frozen, 25) == []
    assert moving_ranges(trembling, 25) == [(0, 60)]


def test_a_head_that_turns_moves_neither_mouth_nor_eyes(wandering_landmarks):
    shape = wandering_landmarks[0].astype(np.float64)
    angles = 0.2 * np.sin(np.arange(100) / 10)
    turned = np.stack([shape @ rotation(angle) for angle in angles])
    speeds = region_speeds(turned, 25)
    assert max(speeds["mouth"].max(), speeds["eyes"].max()) < 1e-3
    assert speeds["head"].max() == pytest.approx(0.2 / 10 * 25, rel=0.1)


def test_a_mouth_that_moves_alone_is_measured_alone(wandering_landmarks):
    face = np.repeat(wandering_landmarks[:1].astype(np.float64), 100, axis=0)
    face[:, 48:, 1] += 0.02 * np.sin(np.arange(100) / 2)[:, None]
    speeds = region_speeds(face, 25)
    assert speeds["mouth"].mean() > 3 * speeds["eyes"].mean()
    assert len(speeds["mouth"]) == 99


def rotation(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
