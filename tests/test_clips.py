import numpy as np
import pytest

from utils.network.clips import clip_starts, clips_by_length, differences


@pytest.mark.parametrize(
    ("frames", "starts"), [(29, []), (30, [0]), (59, [0]), (60, [0, 30]), (95, [0, 30, 60])]
)
def test_a_last_exact_clip_is_kept(frames, starts):
    assert clip_starts(frames, 30).tolist() == starts


def test_clips_hold_their_frames(random):
    landmarks = random.standard_normal((70, 68, 2))
    clips = clips_by_length(landmarks, 30, 30)[0][0]
    assert clips.shape == (2, 30, 136)
    assert np.allclose(clips[1, 4], landmarks[34].ravel())


def test_differences_never_cross_a_clips_border(random):
    clips = clips_by_length(random.standard_normal((60, 68, 2)), 30, 30)[0][0]
    moves = differences(clips)
    assert moves.shape == (2, 29, 136)
    assert np.allclose(moves[1, 0], clips[1, 1] - clips[1, 0])


def test_a_long_rest_is_a_clip_of_its_own_length(random):
    landmarks = random.standard_normal((95, 68, 2))
    (whole, rest), frames = clips_by_length(landmarks, 30, 5)
    assert (whole.shape, rest.shape) == ((3, 30, 136), (1, 5, 136))
    assert np.allclose(rest[0, 0], landmarks[90].ravel())
    assert frames.tolist() == [30, 30, 30, 5]


def test_a_short_rest_is_left_out(random):
    assert len(clips_by_length(random.standard_normal((64, 68, 2)), 30, 5)[0]) == 1
