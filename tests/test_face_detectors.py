import json
import subprocess
import sys
from dataclasses import replace
from itertools import islice

import cv2
import numpy as np
import pytest
import torch
from conftest import PROJECT, reference
from hypothesis import given
from hypothesis import strategies as st

from utils.errors import InputError
from utils.face_boxes import overlaps
from utils.FaceDetector import make_face_detector
from utils.FaceDetector.blazeface import unrotate_boxes
from utils.FaceDetector.retinaface import (
    RetinaFaceDetector,
    RetinaFaceSettings,
    anchors,
    decode,
    read_settings,
    suppress,
)
from utils.FaceDetector.retinaface_network import VARIANTS, RetinaFaceNetwork
from utils.shared import FACE_DETECTORS
from utils.video.frames import Video

VIDEOS = ("dfo_fake", "dfo_real")


def golden_frames(video: str) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    golden = json.loads(reference("golden", "retinaface_boxes.json").read_text())[video]
    frames = Video(reference("videos", f"{video}.mp4")).pictures()
    wanted = [next(islice(frames, 0 if number == 0 else 9, None)) for number in golden["frames"]]
    return wanted, np.array(golden["boxes"]), np.array(golden["scores"])


def retinaface(**settings) -> RetinaFaceDetector:
    weights = reference("weights", "retinaface", "mobilenet0.25_Final.pth")
    return RetinaFaceDetector(weights, replace(read_settings(), **settings), "cpu")


@pytest.mark.parametrize("name", FACE_DETECTORS)
def test_every_detector_finds_the_face_of_the_sample(name, face_frames):
    weights = None if name == "dlib" else reference("weights")
    detector = make_face_detector(name, "cpu", weights)
    found = detector.detect(face_frames[:3])
    assert detector.name == name and len(found) == 3
    for boxes in found:
        assert boxes.shape[0] == 1 and boxes.shape[1] in (5, 6)
        assert overlaps(np.array([70, 85, 190, 205]), boxes[:, :4])[0] > 0.5


@pytest.mark.parametrize("name", FACE_DETECTORS)
def test_every_detector_finds_nothing_in_a_flat_frame(name):
    weights = None if name == "dlib" else reference("weights")
    flat = np.full((120, 200, 3), 90, np.uint8)
    (boxes,) = make_face_detector(name, "cpu", weights).detect([flat])
    assert len(boxes) == 0 and boxes.shape[1] in (5, 6)


@pytest.mark.parametrize("video", VIDEOS)
def test_retinaface_gives_the_published_boxes_at_the_frames_own_size(video):
    frames, boxes, scores = golden_frames(video)
    found = np.array([faces[0] for faces in retinaface(origin_size=True).detect(frames)])
    assert np.abs(found[:, :4] - boxes).max() <= 0.5
    assert np.abs(found[:, 4] - scores).max() <= 1e-3


@pytest.mark.parametrize("video", VIDEOS)
def test_retinaface_on_a_shrunk_frame_stays_near_the_published_boxes(video):
    frames, boxes, _ = golden_frames(video)
    found = np.array([faces[0, :4] for faces in retinaface().detect(frames)])
    widths = boxes[:, 2] - boxes[:, 0]
    assert (np.abs(found - boxes).max(axis=1) / widths).max() <= 0.03


def test_a_batch_gives_what_single_frames_give():
    frames, _, _ = golden_frames("dfo_real")
    batched = retinaface(batch_size=4).detect(frames)
    single = retinaface(batch_size=1).detect(frames)
    assert np.allclose(np.concatenate(batched), np.concatenate(single), atol=1e-2)


@pytest.fixture(scope="session")
def blazeface():
    return make_face_detector("blazeface")


def on_grey(face: np.ndarray, left: int, top: int, width: int, height: int) -> np.ndarray:
    frame = np.full((height, width, 3), 90, np.uint8)
    frame[top : top + face.shape[0], left : left + face.shape[1]] = face
    return frame


def test_blazeface_looks_beside_the_central_square(blazeface, face_frames):
    (boxes,) = blazeface.detect([on_grey(face_frames[0], 0, 0, 900, 256)])
    assert len(boxes) == 1 and boxes[0, 2] < 256


@pytest.mark.parametrize("place", [(20, 30), (900, 500), (1780, 880)])
def test_blazeface_finds_a_face_of_fifty_pixels_in_a_large_frame(blazeface, face_frames, place):
    small = cv2.resize(face_frames[0], (110, 110), interpolation=cv2.INTER_AREA)
    (boxes,) = blazeface.detect([on_grey(small, *place, 1920, 1080)])
    assert len(boxes) == 1
    assert np.abs(boxes[0, :2] - place - 32).max() < 25 and 30 < np.ptp(boxes[0, [0, 2]]) < 75


def test_blazeface_finds_two_faces(blazeface, face_frames):
    (boxes,) = blazeface.detect([np.hstack([face_frames[0], face_frames[5]])])
    assert len(boxes) == 2


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_blazeface_reports_the_roll_of_a_face(blazeface, face_frames, turns):
    turned = np.ascontiguousarray(np.rot90(face_frames[0], turns))
    (boxes,) = blazeface.detect([on_grey(turned, 40, 10, 400, 300)])
    expected = -turns * np.pi / 2  # counter-clockwise turns are negative as seen
    off = (boxes[0, 5] - expected + np.pi) % (2 * np.pi) - np.pi
    assert len(boxes) == 1 and abs(off) < 0.3


def test_both_sets_of_blazeface_weights_find_the_same_box(blazeface, face_frames):
    theirs = make_face_detector("blazeface", "cpu", reference("weights"))
    ours, others = blazeface.detect(face_frames[:3]), theirs.detect(face_frames[:3])
    for one, other in zip(ours, others, strict=True):
        assert overlaps(one[0, :4], other[:, :4])[0] > 0.7


@given(
    st.integers(1, 3), st.integers(2, 60), st.integers(2, 60),
    st.tuples(*[st.floats(0, 1)] * 4),
)  # fmt: skip
def test_a_box_is_rotated_back_to_the_frame(turns, height, width, shares):
    frame = np.arange(height * width).reshape(height, width)
    turned = np.rot90(frame, turns)
    rows, columns = turned.shape
    x0, x1 = sorted(int(share * (columns - 1)) for share in shares[:2])
    y0, y1 = sorted(int(share * (rows - 1)) for share in shares[2:])
    box = np.array([[x0, y0, x1 + 1, y1 + 1, 0.7, 0.0]])
    left, top, right, bottom = unrotate_boxes(box, turns, height, width)[0, :4].astype(int)
    inside = frame[top:bottom, left:right]
    assert sorted(inside.ravel()) == sorted(turned[y0 : y1 + 1, x0 : x1 + 1].ravel())


def test_anchors_cover_each_level():
    boxes = anchors(64, 96)
    assert len(boxes) == 2 * (8 * 12 + 4 * 6 + 2 * 3)
    assert boxes[0].tolist() == [4, 4, 16, 16] and boxes[1].tolist() == [4, 4, 32, 32]
    assert boxes[-1].tolist() == [80, 48, 512, 512]


def test_a_regression_of_zero_is_the_anchor_itself():
    assert decode(np.zeros((1, 4)), np.array([[50.0, 40, 20, 10]])).tolist() == [[40, 35, 60, 45]]


def test_of_overlapping_boxes_the_most_confident_is_kept():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60.0]])
    kept = suppress(boxes, np.array([0.7, 0.9, 0.6]), RetinaFaceSettings())
    assert kept[:, 4].tolist() == [0.9, 0.6]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("network: vgg", "network is 'vgg'"),
        ("netwrok: resnet50", "unknown: netwrok"),
        ("- a\n- b", "no settings"),
        ("a: [", "cannot be read"),
    ],
)
def test_settings_that_cannot_be_used_say_why(tmp_path, content, complaint):
    path = tmp_path / "args.yaml"
    path.write_text(content)
    with pytest.raises(InputError, match=complaint):
        read_settings(path)


def test_weights_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "mobilenet0.25_Final.pth"
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="not RetinaFace weights"):
        RetinaFaceDetector(path, RetinaFaceSettings(), "cpu")


def test_the_data_parallel_prefix_of_a_state_is_accepted(tmp_path, face_frames):
    torch.manual_seed(1)
    state = RetinaFaceNetwork(VARIANTS["mobile0.25"]).state_dict()
    path = tmp_path / "weights.pth"
    torch.save({f"module.{name}": value for name, value in state.items()}, path)
    detector = RetinaFaceDetector(path, RetinaFaceSettings(confidence_threshold=0.99), "cpu")
    assert detector.detect(face_frames[:1])[0].shape[1] == 5


def test_resnet50_has_the_published_names_and_runs():
    """In a process of its own: torchvision's compiled operators are defined here where missing."""
    program = f"""
import sys
sys.path.insert(0, {str(PROJECT)!r})
import torch
try:
    import torchvision
except RuntimeError:
    for module in [name for name in sys.modules if name.startswith("torchvision")]:
        del sys.modules[module]
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor boxes, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor boxes, Tensor scores, float iou_threshold) -> Tensor")
from utils.FaceDetector.retinaface_network import VARIANTS, RetinaFaceNetwork
network = RetinaFaceNetwork(VARIANTS["resnet50"]).eval()
names = set(network.state_dict())
for name in ("body.conv1.weight", "body.layer4.2.bn3.bias", "fpn.output3.1.weight",
             "ssh2.conv7x7_3.0.weight", "ClassHead.0.conv1x1.bias",
             "LandmarkHead.2.conv1x1.weight"):
    assert name in names, name
assert not any(name.startswith(("body.fc", "body.avgpool")) for name in names)
with torch.inference_mode():
    boxes, scores = network(torch.zeros(2, 3, 96, 160))
assert boxes.shape == (2, 630, 4) and scores.shape == (2, 630), boxes.shape
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_torchvision_that_does_not_match_is_reported(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torchvision.models", None)  # its import now fails
    settings = RetinaFaceSettings("Resnet50_Final.pth", "resnet50")
    with pytest.raises(InputError, match="needs a torchvision that matches torch"):
        RetinaFaceDetector(tmp_path / "any.pth", settings, "cpu")


def test_dlib_finds_a_small_face_on_a_second_look(face_frames):
    frame = np.full((720, 1280, 3), 90, np.uint8)
    small = cv2.resize(face_frames[0], (200, 200), interpolation=cv2.INTER_AREA)
    frame[300:500, 600:800] = small  # the face is about 90 pixels of 720
    (boxes,) = make_face_detector("dlib").detect([frame])
    assert len(boxes) == 1
