import numpy as np
import pytest

from utils.network.clips import clip_starts, cut_clips, differences, predict_by_length


@pytest.mark.parametrize(
    ("frames", "starts"), [(29, []), (30, [0]), (59, [0]), (60, [0, 30]), (95, [0, 30, 60])]
)
def test_a_last_exact_clip_is_kept(frames, starts):
    assert clip_starts(frames, 30).tolist() == starts


def test_clips_hold_their_frames(random):
    landmarks = random.standard_normal((70, 68, 2))
    clips = cut_clips(landmarks, 30, 30)
    assert [clip.shape for clip in clips] == [(30, 136)] * 2
    assert np.allclose(clips[1][4], landmarks[34].ravel())


def test_differences_never_cross_a_clips_border(random):
    clips = np.stack(cut_clips(random.standard_normal((60, 68, 2)), 30, 30))
    moves = differences(clips)
    assert moves.shape == (2, 29, 136)
    assert np.allclose(moves[1, 0], clips[1, 1] - clips[1, 0])


def test_a_long_rest_is_a_clip_of_its_own_length(random):
    landmarks = random.standard_normal((95, 68, 2))
    clips = cut_clips(landmarks, 30, 5)
    assert [len(clip) for clip in clips] == [30, 30, 30, 5]
    assert np.allclose(clips[-1][0], landmarks[90].ravel())


def test_a_short_rest_is_left_out(random):
    assert len(cut_clips(random.standard_normal((64, 68, 2)), 30, 5)) == 2


def test_clips_of_one_length_form_one_batch(random):
    clips = [random.standard_normal((frames, 136)) for frames in (30, 5, 30, 7)]
    asked = []

    def mean(alike):
        asked.append(alike.shape)
        return alike.mean(axis=(1, 2))

    said = predict_by_length(mean, clips)
    assert sorted(asked) == [(1, 5, 136), (1, 7, 136), (2, 30, 136)]
    assert np.allclose(said, [clip.mean() for clip in clips])
