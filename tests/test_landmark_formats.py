import numpy as np
from conftest import reference
from hypothesis import given
from hypothesis import strategies as st

from utils.landmark_files.formats import ALIGNED, NORMALIZED, align, detect_format
from utils.landmark_files.io import read_landmarks
from utils.shared import LEFT_EYE, RIGHT_EYE


def faces(seed: int) -> np.ndarray:
    """Random landmarks (3, 68, 2) whose eyes lie apart."""
    landmarks = np.random.default_rng(seed).normal(0, 0.3, (3, 68, 2))
    landmarks[:, RIGHT_EYE, 0] -= 0.6
    landmarks[:, LEFT_EYE, 0] += 0.6
    return landmarks


@given(st.integers(0, 10_000))
def test_aligning_twice_changes_nothing(seed):
    once = align(faces(seed))
    assert np.allclose(align(once), once)


@given(st.integers(0, 10_000), st.floats(0.1, 9), st.floats(-3, 3), st.floats(-5, 5))
def test_alignment_removes_rotation_scale_and_position(seed, scale, angle, shift):
    turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    landmarks = faces(seed)
    assert np.allclose(align(landmarks @ turn + shift), align(landmarks), atol=1e-6)


def test_aligned_eyes_lie_where_the_format_puts_them():
    aligned = align(faces(1))
    assert np.allclose(aligned[:, LEFT_EYE].mean(axis=1), (-0.3, 0.5))
    assert np.allclose(aligned[:, RIGHT_EYE].mean(axis=1), (0.3, 0.5))


def test_a_frame_whose_eyes_coincide_becomes_nan():
    assert np.isnan(align(np.zeros((1, 68, 2)))).all()


def test_the_format_is_recognised_by_geometry():
    assert detect_format(faces(2)) == NORMALIZED
    assert detect_format(np.round(align(faces(2)), 5)) == ALIGNED


def test_the_published_files_are_recognised():
    for path in reference("landmarks").glob("*/*.txt"):
        assert read_landmarks(path).format == path.parent.name


def test_the_published_aligned_files_are_aligned():
    for path in reference("landmarks", "aligned").glob("*.txt"):
        landmarks = read_landmarks(path).landmarks
        assert np.abs(align(landmarks) - landmarks).max() < 0.005  # eye centres were rounded
