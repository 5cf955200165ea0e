import numpy as np
import pytest

from utils.network.clips import clip_starts, cut_clips, differences


@pytest.mark.parametrize(
    ("frames", "starts"), [(29, []), (30, [0]), (59, [0]), (60, [0, 30]), (95, [0, 30, 60])]
)
def test_a_last_exact_clip_is_kept(frames, starts):
    assert clip_starts(frames, 30).tolist() == starts


def test_clips_hold_their_frames(random):
    landmarks = random.standard_normal((70, 68, 2))
    clips = cut_clips(landmarks, 30)
    assert clips.shape == (2, 30, 136)
    assert np.allclose(clips[1, 4], landmarks[34].ravel())


def test_differences_never_cross_a_clips_border(random):
    clips = cut_clips(random.standard_normal((60, 68, 2)), 30)
    moves = differences(clips)
    assert moves.shape == (2, 29, 136)
    assert np.allclose(moves[1, 0], clips[1, 1] - clips[1, 0])
