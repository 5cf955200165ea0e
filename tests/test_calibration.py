import cv2
import make_golden
import numpy as np
import pytest
from conftest import reference

from utils.calibration.calibrated_track import (
    calibrate_landmarks,
    cut_faces,
    face_crops,
    normalize_landmarks,
)
from utils.calibration.flow_and_kalman import Calibrator, LandmarkKalman, lucas_kanade, normalize
from utils.deprecated import lucas_kanade_numpy
from utils.tracking.face_tracks import track_of_landmarks
from utils.video.frames import Video


@pytest.fixture
def texture(random) -> np.ndarray:
    """A smooth random picture, uint8 (200, 200, 3)."""
    noise = random.integers(0, 255, (200, 200, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def shifted(picture: np.ndarray, x: float, y: float) -> np.ndarray:
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float32)
    return cv2.warpAffine(picture, matrix, picture.shape[1::-1], borderMode=cv2.BORDER_REFLECT)


@pytest.mark.parametrize("crop", ["stable", "per-frame"])
@pytest.mark.parametrize("gaps", ["clean", "gaps"])
@pytest.mark.parametrize("video", ["dfo_fake", "dfo_real"])
def test_calibration_reproduces_the_published_code(video, gaps, crop):
    raw = np.load(reference("golden", f"{video}_{gaps}_raw.npz"))
    golden = np.loadtxt(reference("golden", f"{video}_{gaps}_{crop.replace('-', '')}.txt"))
    with Video(reference("videos", f"{video}.mp4")) as shown:
        size = shown.width, shown.height
        landmarks = raw["landmarks"].astype(float)
        track = track_of_landmarks(landmarks, raw["detected"], *size, fps=shown.fps)
        crops = face_crops(track, crop)
        faces = cut_faces(shown.pictures(), track.numbers, crops)
        ours = calibrate_landmarks(faces, track, crops).landmarks.reshape(len(golden), -1)
    off = np.abs(np.round(ours, 5) - golden)
    assert (off < 1e-9).mean() >= 0.999
    assert off.max() <= 0.005


def test_without_calibration_landmarks_keep_their_fractions(wandering_landmarks):
    landmarks = 100 * wandering_landmarks + 150.25
    track = track_of_landmarks(landmarks, np.ones(90, bool), 300, 300)
    crops = face_crops(track, "stable")
    ours = normalize_landmarks(track, crops)
    assert np.abs(ours.in_frames() - landmarks).max() < 1e-9
    assert ours.trusted_share == 1


def test_flow_and_filter_restart_at_each_segment(texture, random):
    faces = [shifted(texture, x, 0) for x in range(8)]
    landmarks = random.uniform(60, 140, (8, 68, 2))
    detected = np.array([True] * 4 + [False] * 6 + [True] * 4)
    whole = np.zeros((14, 68, 2))
    whole[detected] = landmarks
    track = track_of_landmarks(whole, detected, 200, 200)
    assert [len(segment) for segment in track.segments] == [4, 4]
    both = calibrate_landmarks(iter(faces), track, face_crops(track, "stable")).landmarks
    second = track_of_landmarks(landmarks[4:], detected[10:], 200, 200)
    alone = calibrate_landmarks(iter(faces[4:]), second, face_crops(second, "stable")).landmarks
    assert (both[4:] == alone).all()


def test_flow_follows_a_shifted_picture(texture):
    start = np.array([[60.0, 80.0], [120.0, 110.0]])
    points, found = lucas_kanade(texture, shifted(texture, 3.5, -2.25), start, start)
    assert found.all()
    assert np.abs(points - start - (3.5, -2.25)).max() < 0.1


def test_the_numpy_tracker_agrees_with_opencv(texture, random):
    moved = shifted(texture, 4.3, 1.6)
    start = random.uniform(40, 160, (12, 2))
    ours, found = lucas_kanade_numpy(texture, moved, start, start)
    theirs, found_by_opencv = lucas_kanade(texture, moved, start, start)
    assert found.all() and found_by_opencv.all()
    assert np.abs(ours - theirs).max() < 0.1


def test_the_numpy_tracker_loses_points_without_texture():
    flat = np.full((100, 100, 3), 128, np.uint8)
    start = np.array([[50.0, 50.0]])
    assert not lucas_kanade_numpy(flat, flat, start, start)[1].any()


def test_an_untrusted_landmark_keeps_its_detection_and_its_variance():
    kalman = LandmarkKalman()
    still, jump = np.zeros((68, 2)), np.full((68, 2), 9.0)
    trusted = np.zeros(68, bool)
    assert (kalman.update(still, still, still, jump, trusted) == jump).all()
    assert (kalman.variance == 0).all()


def test_a_still_detection_gets_full_weight():
    kalman = LandmarkKalman()
    still = np.zeros((68, 2))
    flowed = np.full((68, 2), 2.0)
    merged = kalman.update(still, flowed, still, still, np.ones(68, bool))
    assert (merged == still).all()  # R = 0, so K = 1


def test_the_gain_follows_the_formula():
    kalman = LandmarkKalman()
    still, flowed, detected = (
        np.zeros((68, 2)),
        np.full((68, 2), [4.0, 0]),
        np.full((68, 2), [8.0, 0]),
    )
    merged = kalman.update(still, flowed, still, detected, np.ones(68, bool))
    gain = 0.3 / (0.3 + 8 / 4)
    assert merged[0].tolist() == [np.trunc(4 + gain * 4), 0]
    assert kalman.variance[0] == pytest.approx((1 - gain) * 0.3)


def test_the_first_frame_is_its_detection():
    face, detection = np.zeros((400, 400, 3), np.uint8), np.arange(136.0).reshape(68, 2)
    assert (Calibrator().step(face, detection) == detection).all()


def test_a_still_face_stays_where_it_is(random):
    face = cv2.resize(random.integers(0, 255, (100, 100, 3), np.uint8), (400, 400))
    detection = np.rint(random.uniform(50, 350, (68, 2)))
    calibrator = Calibrator()
    calibrator.step(face, detection)
    assert (calibrator.step(face, detection) == detection).all()
    assert calibrator.trusted_share == 1


def test_normalized_landmarks_run_from_minus_one_to_one():
    assert normalize(np.array([0, 200, 400])).tolist() == [-1, 0, 1]


@pytest.mark.parametrize("crop", ["stable", "per-frame"])
def test_calibration_of_our_own_sample_stays_as_it_is(crop):
    with np.load(make_golden.GOLDEN) as golden:
        landmarks, expected = golden["landmarks"], golden[crop.replace("-", "_")]
    ours = make_golden.calibrated(landmarks, make_golden.first_frames(), crop)
    off = np.abs(ours - expected)
    assert (off < 1e-9).mean() >= 0.999 and off.max() <= 0.005
