"""Mouths and eyes that something hides."""

import cv2
import numpy as np
import pytest
from conftest import PROJECT, write_video

from training import occlusion as training_occlusion
from training.occlusion import COVERS, ellipse, filled
from utils.landmark_files.io import read_landmarks
from utils.report.per_video import landmarks_by_frame
from utils.run.extraction_job import ExtractionOptions
from utils.run.video_extraction import VideoExtractor
from utils.texture.face_patch import face_patch
from utils.texture.occlusion import REGIONS, OcclusionModel, region_features, sureness
from utils.tracking.face_tracks import FaceTrack, Segment
from utils.weights.sets import BUNDLED, OCCLUSION_MODEL, read_manifest

MEDIAPIPE = ExtractionOptions(face_detector="blazeface", landmark_detector="mediapipe")


def header_of(frames, path):
    write_video(path.with_suffix(".avi"), frames)
    report = VideoExtractor(MEDIAPIPE).extract(path.with_suffix(".avi"), path, False)
    assert not report.error
    return read_landmarks(path)


@pytest.fixture(scope="module")
def placed(face_frames, tmp_path_factory) -> dict[int, np.ndarray]:
    """The sample's landmarks in the pixels of its frames."""
    return landmarks_by_frame(header_of(face_frames, tmp_path_factory.mktemp("a") / "a.txt"))


def test_a_face_as_it_is_is_plainly_visible(face_frames, placed):
    model = OcclusionModel(OCCLUSION_MODEL)
    patch = face_patch(face_frames[3], placed[3])
    assert (model.covered(patch) < 0.5).all()


def test_a_mask_is_reported_in_the_header(face_frames, placed, tmp_path):
    frames = []
    for number, frame in enumerate(face_frames):
        points = placed[number]
        mask = np.concatenate([points[[2, 4, 6, 8, 10, 12, 14]], points[28][None]])
        frames.append(cv2.fillPoly(frame.copy(), [mask.astype(np.int32)], (200, 190, 170)))
    header = header_of(frames, tmp_path / "mask.txt").header
    assert header.covered_mouth > 0.9


def test_a_bar_over_the_eyes_is_reported_in_the_header(face_frames, placed, tmp_path):
    frames = []
    for number, frame in enumerate(face_frames):
        low, high = placed[number][36:48].min(axis=0), placed[number][36:48].max(axis=0)
        first, last = (tuple(map(int, corner)) for corner in (low - 12, high + 12))
        frames.append(cv2.rectangle(frame.copy(), first, last, (0, 0, 0), -1))
    header = header_of(frames, tmp_path / "bar.txt").header
    assert header.covered_eyes > 0.6


def test_landmarks_outside_of_the_frame_are_counted(wandering_landmarks):
    landmarks = 100 * wandering_landmarks + 100
    landmarks[:, :17] += 1000
    ones = np.ones(len(landmarks))
    segment = Segment(np.arange(len(ones)), ones.cumsum(), landmarks, ones > 0, ones)
    assert FaceTrack((segment,), 400, 400).outside_share == pytest.approx(17 / 68)


def test_a_part_of_a_segment_keeps_its_own_looks(wandering_landmarks):
    ones = np.ones(len(wandering_landmarks))
    looks = np.array([(0, 0.9, 0), (15, 0.1, 0), (30, 0.5, 1)])
    whole = Segment(
        np.arange(len(ones)), ones.cumsum(), wandering_landmarks, ones > 0, ones, covered=looks
    )
    part = whole.part(10, 40)
    assert part.covered.tolist() == [[5, 0.1, 0], [20, 0.5, 1]]
    assert FaceTrack((part,), 9, 9).covered("mouth") == pytest.approx(0.3)
    assert FaceTrack((whole.part(1, 9),), 9, 9).covered("eyes") is None


def test_sureness_is_linear_between_visible_and_covered():
    assert sureness(np.array([-3, -1, 0, 1, 5])).tolist() == [0, 0, 0.5, 1, 1]


@pytest.mark.parametrize("region", COVERS)
def test_each_cover_changes_its_region_and_leaves_the_forehead(region, random):
    both = random.uniform(0, 255, (2, 56, 56, 3)).astype(np.float32)
    patch, other = (cv2.GaussianBlur(one, (0, 0), 2) for one in both)
    for cover in COVERS[region]:
        drawn = cover(patch, other, random)
        assert np.abs(drawn[REGIONS[region]] - patch[REGIONS[region]]).mean() > 3
        if region == "mouth":
            assert np.abs(drawn[:8] - patch[:8]).mean() < 10  # drawn at a finer scale, and back


def test_an_outline_is_filled_to_its_area():
    assert filled(ellipse(28, 28, 10, 6)).sum() == pytest.approx(np.pi * 60, rel=0.03)


def test_training_separates_covered_from_visible_regions(random, capsys):
    pytest.importorskip("sklearn", reason="scikit-learn is missing: requirements-dev.txt")
    clean, covered = random.normal(0, 1, (60, 5)), random.normal(3, 1, (60, 5))
    kinds, folds = np.array(["mask", "hand"] * 30), np.arange(60) % 3
    training_occlusion.measure("mouth", clean, covered, kinds, folds)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and "as they are" in lines[0] and "| mask | 100% |" in lines[1]


def test_the_manifest_bounds_regions_where_the_training_measures():
    ranges = read_manifest().sets[BUNDLED].ranges
    for region in REGIONS:
        assert ranges[f"covered_{region}"] == (None, training_occlusion.COVERED)


def test_features_are_finite_where_a_patch_is_one_colour():
    features = region_features(np.full((56, 56, 3), 128, np.float32))
    assert all(np.isfinite(one).all() for one in features.values())
    assert PROJECT.joinpath("model_weights", "occlusion", "mouth.npz").is_file()
