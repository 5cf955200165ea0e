from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.shared import STILL_THRESHOLD
from utils.texture.texture_rows import MEASURES
from utils.tracking.face_tracks import FaceTrack, Segment
from utils.tracking.identity import (
    FaceEmbedder,
    IdentitySampler,
    TrackletSamples,
    cluster_identities,
    find_identity_change,
)
from utils.tracking.people import VideoFaces, group_by_identity, reason_left_out
from utils.tracking.pose import head_poses, rotate_landmarks, upright_quarter_turns
from utils.weights.detector_models import DLIB_EMBEDDING, obtain_model


def person(number: int) -> np.ndarray:
    """An embedding (128,) that is far from another number's."""
    place = np.zeros(128)
    place[number] = 1.0
    return place


def near(embedding: np.ndarray, random) -> np.ndarray:
    return embedding + random.normal(0, 0.01, 128)


def test_tracklets_of_one_person_are_joined_across_cuts(random):
    means = [near(person(n), random) for n in (0, 1, 0, 2, 1)]
    spans = [(10 * n, 10 * n + 9) for n in range(5)]
    assert sorted(cluster_identities(means, spans)) == [[0, 2], [1, 4], [3]]


def test_tracklets_at_the_same_time_are_different_people(random):
    means = [near(person(0), random) for _ in range(3)]
    joined = cluster_identities(means, [(0, 50), (0, 50), (60, 90)])
    assert sorted(map(len, joined)) == [1, 2]


def test_a_tracklet_without_samples_stays_alone(random):
    assert len(cluster_identities([None, person(0), None], [(0, 1), (2, 3), (4, 5)])) == 3


def test_a_tracklet_that_switches_person_is_split(random):
    first, second = ([near(person(n), random) for _ in range(4)] for n in (0, 1))
    assert find_identity_change([*first, *second]) == 4
    assert find_identity_change(first) is None and find_identity_change([]) is None


def segment(start: int, places: np.ndarray, tracklet: int, size: float = 100) -> Segment:
    """A face of `size` whose left edge is at `places` (frames,), and which moves in itself."""
    random = np.random.default_rng(tracklet)
    shape = random.uniform(0, 1, (68, 2))
    shape[36:42], shape[42:48] = (0.2, 0.4), (0.8, 0.4)
    landmarks = size * (shape + random.normal(0, 0.02, (len(places), 68, 2)))
    landmarks[..., 0] += places[:, None]
    numbers = np.arange(start, start + len(places))
    return Segment(
        numbers, numbers / 25, landmarks, np.ones(len(places), bool), np.ones(len(places)), tracklet
    )


def found(segments: list[Segment], samples: dict[int, TrackletSamples]) -> VideoFaces:
    frames = max(int(one.numbers[-1]) for one in segments) + 1
    return VideoFaces(segments, samples, frames, 1, 25.0, 1000, 500)


def test_the_main_face_has_the_largest_area_over_time():
    intro = segment(0, np.zeros(12), 0, size=120)
    speaker = segment(12, np.full(100, 400.0), 1)
    samples = {0: TrackletSamples([2], [], [person(0)]), 1: TrackletSamples([2], [], [person(1)])}
    main, other = group_by_identity(found([intro, speaker], samples))
    assert main.segments[0].tracklet == 1 and other.segments[0].tracklet == 0


def with_detail(one: Segment, detail: float) -> Segment:
    """The segment with a texture whose fine detail has this log energy over the middle one."""
    texture = np.zeros((len(one), 49, len(MEASURES)), np.float16)
    texture[..., MEASURES.index("fine")] = detail
    texture[:1] = np.nan  # a frame that was not measured
    return replace(one, texture=texture)


def test_the_sharp_face_is_main_before_its_blurred_copy_that_is_larger():
    copy = with_detail(segment(0, np.zeros(100), 0, size=400), -1.5)
    speaker = with_detail(segment(0, np.full(100, 400.0), 1), -0.4)
    main, other = group_by_identity(found([copy, speaker], {}))
    assert main.segments[0].tracklet == 1
    assert reason_left_out(main) is None and reason_left_out(other) == "out of focus"


@pytest.mark.parametrize(
    ("face", "reason"),
    [
        (segment(0, np.zeros(100), 1, size=40), "under 64 pixels"),
        (segment(0, np.zeros(30), 1), "seen for less than 2 s"),
        (segment(0, np.zeros(100), 1), None),
    ],
)
def test_a_face_that_gets_no_file_has_a_reason(face, reason):
    assert reason_left_out(FaceTrack((face,), 1000, 500)) == reason


def test_a_photograph_is_not_the_main_face():
    photograph = segment(0, np.zeros(100), 0, size=300)
    photograph.landmarks[:] = photograph.landmarks[0]
    speaker = segment(0, np.full(100, 600.0), 1)
    main, other = group_by_identity(found([photograph, speaker], {}))
    assert main.segments[0].tracklet == 1 and other.movement < 1e-6


def test_a_photograph_that_is_filmed_by_hand_is_not_the_main_face_and_no_other(random):
    photograph = segment(0, np.zeros(100), 0, size=300)
    trembling = random.normal(0, 0.5, photograph.landmarks.shape)
    photograph.landmarks[:] = photograph.landmarks[0] + trembling
    speaker = segment(0, np.full(100, 600.0), 1)
    main, other = group_by_identity(found([photograph, speaker], {}))
    assert main.segments[0].tracklet == 1 and other.movement > STILL_THRESHOLD
    assert reason_left_out(main) is None and reason_left_out(other) is not None


def test_a_face_too_short_for_the_liveness_test_gets_a_file(random):
    parts = [segment(60 * number, np.zeros(40), number) for number in range(3)]
    for part in parts:
        part.landmarks[:] = part.landmarks[0] + random.normal(0, 0.5, part.landmarks.shape)
    assert reason_left_out(FaceTrack(tuple(parts), 1000, 500)) is None


def test_a_tracklet_of_two_people_becomes_two_faces(random):
    walk = np.concatenate([np.linspace(0, 200, 60), np.linspace(240, 0, 60)])
    embeddings = [near(person(n), random) for n in (0, 0, 1, 1)]
    samples = {0: TrackletSamples([10, 45, 75, 110], [], embeddings)}
    faces = group_by_identity(found([segment(0, walk, 0)], samples))
    spans = sorted((int(face.numbers[0]), int(face.numbers[-1])) for face in faces)
    assert len(spans) == 2 and spans[0][1] < 60 <= spans[1][0]
    assert faces[0].segments[0].start in (0, spans[1][0])  # where its pictures are kept


@pytest.fixture(scope="session")
def embedder() -> FaceEmbedder:
    return FaceEmbedder(obtain_model(DLIB_EMBEDDING))


@pytest.fixture
def sample_landmarks(face_frames):
    from utils.FaceDetector import make_face_detector
    from utils.LandmarkDetector import make_landmark_detector

    mesh, faces = make_landmark_detector("mediapipe"), make_face_detector("blazeface")
    box = faces.detect(face_frames[:1])[0][0]
    place = mesh.roi_of_box(face_frames[0], box)
    return mesh.detect(face_frames[:1], [place])[0].landmarks


def test_an_embedding_does_not_depend_on_the_faces_place(embedder, face_frames, sample_landmarks):
    corner = np.array([200, 100])
    elsewhere = np.zeros((400, 500, 3), np.uint8)
    elsewhere[100:356, 200:456] = face_frames[0]
    here = embedder.embed(embedder.chip(face_frames[0], sample_landmarks))
    there = embedder.embed(embedder.chip(elsewhere, sample_landmarks + corner))
    assert here.shape == (128,) and np.linalg.norm(here - there) < 0.1


def test_a_video_of_one_tracklet_is_not_embedded(face_frames, sample_landmarks):
    class Counting:
        def __init__(self) -> None:
            self.embedded = 0

        def chip(self, frame, landmarks):
            return frame[:2, :2]

        def embed(self, chip):
            self.embedded += 1
            return np.zeros(128)

    counting = Counting()
    sampler = IdentitySampler(counting, fps=25)
    for index in range(300):
        sampler.see(0, index, face_frames[0], sample_landmarks)
    assert counting.embedded == 0 and len(sampler.tracklets[0].chips) == 5
    sampler.see(1, 2, face_frames[0], sample_landmarks)
    assert counting.embedded == 6


def projected(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Landmarks (68, 2) of the generic head, turned by degrees, in a frame of 640 x 480."""
    import cv2

    from utils.tracking.pose import HEAD, POINTS

    y, p, r = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    camera = np.array([[640, 0, 320], [0, 640, 240], [0, 0, 1.0]])
    rotation = cv2.Rodrigues(about_z @ about_x @ about_y)[0]
    points, _ = cv2.projectPoints(HEAD, rotation, np.array([0, 0, 600.0]), camera, None)
    landmarks = np.zeros((68, 2))
    landmarks[list(POINTS)] = points[:, 0]
    landmarks[36:42], landmarks[42:48] = landmarks[36], landmarks[45]
    return landmarks


@pytest.mark.parametrize("angles", [(0, 0, 0), (25, 0, 0), (-25, 0, 0), (0, 15, 0), (0, 0, 20)])
def test_the_pose_of_a_head_is_found(angles):
    (pose,) = head_poses(projected(*angles)[None], 640, 480)
    assert pose == pytest.approx(angles, abs=1.0)


@given(st.integers(0, 3), st.integers(0, 7))
def test_turning_by_what_is_found_makes_a_face_upright(turns, more):
    face = projected(0, 0, 0)
    turned = rotate_landmarks(face, turns, 640, 480)
    found_turns = upright_quarter_turns(turned[None])
    assert found_turns == -turns % 4
    size = (640, 480) if turns % 2 == 0 else (480, 640)
    upright = rotate_landmarks(turned, found_turns + 4 * more, *size)
    assert np.abs(upright - face).max() < 1e-9
