import sys

import numpy as np
import pytest
from conftest import write_video
from hypothesis import given
from hypothesis import strategies as st

from training import make_fakes
from training.face_compositing import blend, match_colour, region_mask, through_pixels, warp_to
from training.labelled_tracks import read_landmark_folder
from training.made_fakes import (
    KINDS,
    FaceVideo,
    misses,
    remembered,
    shapes,
    similarity,
    there_and_back,
)
from utils.console import run_script


@pytest.fixture
def clip(wandering_landmarks, random) -> FaceVideo:
    """Twenty frames of speckles with landmarks that a face could have."""
    speckles = random.integers(0, 255, (120, 140, 3), np.uint8)
    landmarks = wandering_landmarks[:20] * 50 + (70, 60)
    return FaceVideo("clip", [np.roll(speckles, shift, 0) for shift in range(20)], landmarks, 25.0)


def test_warping_brings_the_textures_landmarks_onto_others(random):
    there = random.uniform(30, 90, (68, 2))
    here = there * 1.2 + (4, -6)
    texture = np.zeros((120, 120, 3), np.uint8)
    x, y = there[30]
    texture[round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2] = 255
    warped = warp_to(texture, there, here, (140, 130))
    assert warped.shape == (130, 140, 3)
    ys, xs = np.nonzero(warped[..., 0] > 128)
    assert (xs.mean(), ys.mean()) == pytest.approx(tuple(here[30]), abs=1.0)


def test_a_mask_is_whole_inside_and_nothing_outside():
    square = np.array([(40, 40), (80, 40), (80, 80), (40, 80)], float)
    mask = region_mask(square, (120, 120, 3), softness=0.1)
    assert mask[60, 60] == pytest.approx(1) and mask[60, 44] < 0.9
    assert mask[60, 30] == 0 and mask[10, 10] == 0


@pytest.mark.parametrize("seamless", [False, True])
def test_blending_leaves_what_is_outside_the_mask(random, seamless):
    frame, made = random.integers(0, 255, (2, 120, 120, 3), np.uint8)
    square = np.array([(40, 40), (80, 40), (80, 80), (40, 80)], float)
    mixed = blend(frame, made, region_mask(square, frame.shape, 0.1), seamless)
    assert np.array_equal(mixed[:30], frame[:30])
    assert not np.array_equal(mixed[50:70, 50:70], frame[50:70, 50:70])


def test_a_made_face_takes_the_frames_colours(random):
    frame = np.clip(random.normal((90, 110, 160), 20, (80, 80, 3)), 0, 255).astype(np.uint8)
    made = np.clip(random.normal((150, 140, 120), 30, (80, 80, 3)), 0, 255).astype(np.uint8)
    matched = match_colour(made, frame, np.ones((80, 80, 1), np.float32))
    assert np.abs(matched.mean(axis=(0, 1)) - frame.mean(axis=(0, 1))).max() < 4
    assert np.abs(made.mean(axis=(0, 1)) - frame.mean(axis=(0, 1))).max() > 25


def test_a_face_made_at_low_resolution_loses_its_detail(random):
    picture = random.integers(0, 255, (80, 80, 3), np.uint8)
    assert through_pixels(picture, 1.5) is picture
    assert through_pixels(picture, 0.25).std() < 0.5 * picture.std()


@given(
    angle=st.floats(-3, 3),
    scale=st.floats(0.1, 10),
    shift=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
)
def test_a_similarity_is_found_again(angle, scale, shift):
    shape = np.random.default_rng(0).uniform(-1, 1, (68, 2))
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    moved = shape @ np.array([[cos, sin], [-sin, cos]]) + shift
    matrix, offset = similarity(shape, moved)
    assert np.allclose(shape @ matrix + offset, moved, atol=1e-6)


def test_shapes_have_no_position_size_or_roll(wandering_landmarks):
    turned = wandering_landmarks[:20] @ np.array([[0.6, 0.8], [-0.8, 0.6]]) * 40 + (300, 200)
    straight = shapes(wandering_landmarks[:20])
    assert np.allclose(
        np.square(shapes(turned) - shapes(turned).mean(axis=0)).sum(),
        np.square(straight - straight.mean(axis=0)).sum(),
    )


def test_remembered_noise_keeps_its_size_and_gains_memory(random):
    noise = remembered(random.standard_normal((20000, 1)), 0.6)[:, 0]
    assert noise.std() == pytest.approx(1, abs=0.05)
    assert np.corrcoef(noise[1:], noise[:-1])[0, 1] == pytest.approx(0.6, abs=0.03)


def test_what_a_made_face_misses_is_small_against_the_face(wandering_landmarks, random):
    landmarks = wandering_landmarks * 100 + 200
    sizes = [np.abs(misses(landmarks, random)).mean() for _ in range(20)]
    assert min(sizes) > 0.0005 * 120 and max(sizes) < 0.03 * 120


def test_a_video_is_played_there_and_back():
    assert [there_and_back(frame, 3) for frame in range(8)] == [0, 1, 2, 2, 1, 0, 0, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_generates_each_frame_independently(kind, clip, random):
    made = list(KINDS[kind](clip, clip, random))
    assert [frame.shape for frame in made] == [(120, 140, 3)] * 20
    middle = slice(45, 95), slice(50, 90)
    assert all(
        np.any(ours[middle] != real[middle]) for ours, real in zip(made, clip.frames, strict=True)
    )


@pytest.mark.parametrize("kind", ["self-swap", "face-swap", "reenactment", "lip-sync"])
def test_composites_leave_what_surrounds_the_face(kind, clip, random):
    for ours, real in zip(KINDS[kind](clip, clip, random), clip.frames, strict=True):
        assert np.array_equal(ours[:20], real[:20])


def make(monkeypatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["make_fakes", *map(str, arguments)])
    return run_script("training.make_fakes", make_fakes.main)


def test_real_and_made_faces_become_labelled_landmark_files(
    tmp_path, monkeypatch, capsys, face_frames
):
    videos = tmp_path / "videos"
    videos.mkdir()
    write_video(videos / "her_face.avi", face_frames)
    (videos / "broken.mp4").write_bytes(b"no video")
    groups = tmp_path / "groups.yaml"
    groups.write_text("her_face: g7\n")
    wanted = "--videos", videos, "--groups", groups, "--versions", 1, "--kinds", "real", "self-swap"
    assert make(monkeypatch, *wanted, "--output", tmp_path / "made" / "train") == 1
    errors = capsys.readouterr().err
    assert errors.count("broken.mp4: ") == 2 and "2 landmark files made" in errors
    tracks = read_landmark_folder(tmp_path / "made" / "train")
    assert {(track.group, track.manipulation, track.fake) for track in tracks} == {
        ("g7", "none", False),
        ("g7", "self-swap", True),
    }
    real, fake = sorted(tracks, key=lambda track: track.fake)
    assert len(real.landmarks) == len(fake.landmarks) == 40
    steps = [np.abs(np.diff(track.landmarks, 2, axis=0)).mean() for track in (real, fake)]
    assert steps[1] > 1.1 * steps[0]
