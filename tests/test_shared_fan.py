"""One FAN for the faces of several videos: in threads, in processes, on a cluster."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from conftest import write_video

from utils.commands import classify, extract_landmarks
from utils.errors import InputError
from utils.LandmarkDetector import fan
from utils.LandmarkDetector.fan import FanNetwork
from utils.LandmarkDetector.gathered_calls import GatheredCalls
from utils.run import shared_fan
from utils.run.shared_fan import FanOfRun, fan_process, sharing_fan
from utils.run.video_extraction import ExtractionOptions, VideoExtractor
from utils.run.workers import run_in_workers
from utils.tracking import following
from utils.weights import detector_models
from utils.weights.detector_models import ModelFile

WAIT = 30  # seconds, for what takes none


class Doubler:
    """Doubles what it is given, once it is let; keeps the sizes of its batches."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self, values: np.ndarray) -> np.ndarray:
        self.sizes.append(len(values))
        self.begun.set()
        assert self.go_on.wait(WAIT)
        if (values < 0).any():
            raise ValueError("negative")
        return 2 * values


def ask_while_busy(doubler: Doubler, gathered: GatheredCalls, calls: list[np.ndarray]) -> list:
    """What becomes of calls that all come while the function is at work on another."""
    with ThreadPoolExecutor(len(calls) + 1) as threads:
        first = threads.submit(gathered, np.zeros(1))
        assert doubler.begun.wait(WAIT)
        futures = [threads.submit(gathered, values) for values in calls]
        while len(gathered._waiting) < len(calls):
            threading.Event().wait(0.01)
        doubler.go_on.set()
        first.result(WAIT)
        return [future.exception(WAIT) or future.result() for future in futures]


def test_calls_that_wait_are_answered_in_one_pass_each_with_its_own():
    doubler = Doubler()
    calls = [np.full(size, float(size)) for size in (1, 2, 3)]
    answers = ask_while_busy(doubler, GatheredCalls([doubler], 8), calls)
    assert doubler.sizes == [1, 6]
    for values, answer in zip(calls, answers, strict=True):
        assert np.array_equal(answer, 2 * values)


def test_a_batch_is_no_larger_than_is_served_at_once_unless_one_call_is():
    doubler = Doubler()
    answers = ask_while_busy(
        doubler, GatheredCalls([doubler], 4), [np.ones(size) for size in (3, 3, 9, 1)]
    )
    assert sorted(doubler.sizes[1:]) in ([1, 3, 3, 9], [3, 4, 9])
    assert [len(answer) for answer in answers] == [3, 3, 9, 1]


def test_what_goes_wrong_is_told_to_all_of_the_batch_and_the_next_is_served():
    doubler = Doubler()
    gathered = GatheredCalls([doubler], 8)
    answers = ask_while_busy(doubler, gathered, [np.ones(2), -np.ones(2)])
    assert [str(answer) for answer in answers] == ["negative", "negative"]
    assert np.array_equal(gathered(np.ones(3)), 2 * np.ones(3))


def test_two_functions_work_at_the_same_time():
    doublers = Doubler(), Doubler()
    gathered = GatheredCalls(doublers, 8)
    with ThreadPoolExecutor(2) as threads:
        futures = [threads.submit(gathered, np.ones(1)) for _ in range(2)]
        assert all(doubler.begun.wait(WAIT) for doubler in doublers)
        for doubler in doublers:
            doubler.go_on.set()
        assert [future.result(WAIT).tolist() for future in futures] == [[2], [2]]


@pytest.fixture
def fan_options(monkeypatch, tmp_path, random_fan_weights) -> ExtractionOptions:
    stand_in = ModelFile(random_fan_weights.name)
    monkeypatch.setitem(detector_models.DETECTOR_FILES, "fan", (stand_in,))
    return ExtractionOptions(
        output_path=tmp_path / "out",
        landmark_detector="fan",
        model_weights=random_fan_weights.parent,
    )


class FanOfTest(FanOfRun):
    """Where the test's stand-in for FAN's weights is not known."""

    def __init__(self, options, devices) -> None:
        (path,) = options.model_weights.glob("*.pth.tar")
        detector_models.DETECTOR_FILES["fan"] = (ModelFile(path.name),)
        super().__init__(options, devices)


@pytest.fixture
def stand_in_process(monkeypatch):
    monkeypatch.setattr(shared_fan._Manager, "_registry", dict(shared_fan._Manager._registry))
    shared_fan._Manager.register("FanOfRun", FanOfTest, shared_fan._Proxy)


def some_faces(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (1, 256, 256, 3), np.uint8)


def ask(network, seed: int) -> np.ndarray:
    return network(some_faces(seed))


def test_processes_get_from_one_fan_what_each_would_have_from_its_own(
    fan_options, random_fan_weights, stand_in_process
):
    own = FanNetwork(random_fan_weights, "cpu")
    with fan_process(fan_options, ["cpu"]) as network:
        said = dict(run_in_workers(partial(ask, network), [1, 2, 3], workers=2))
    for seed in (1, 2, 3):
        assert np.allclose(said[seed], own(some_faces(seed)), atol=1e-4)


def test_a_video_has_the_same_landmarks_by_a_shared_fan(
    fan_options, stand_in_process, face_frames, tmp_path, monkeypatch
):
    for name, value in (("LARGEST_MOVE", np.inf), ("LARGEST_GROWTH", np.inf), ("LEAST_GROWTH", 0)):
        monkeypatch.setattr(following, name, value)  # random landmarks jump about
    monkeypatch.setattr(fan, "BATCH_ON_GPU", fan.BATCH_ON_CPU)  # rounding depends on the batch
    video = write_video(tmp_path / "face.avi", face_frames[:5])
    own, shared = tmp_path / "own.txt", tmp_path / "shared.txt"
    assert not VideoExtractor(fan_options).extract(video, own, False).error
    with fan_process(fan_options, ["cpu"]) as network:
        extractor = VideoExtractor(replace(fan_options, network=network))
        assert not extractor.extract(video, shared, False).error
    assert shared.read_bytes() == own.read_bytes()


def test_a_fan_that_has_ended_gets_each_video_a_line(fan_options, stand_in_process, face_video):
    with fan_process(fan_options, ["cpu"]) as network:
        extractor = VideoExtractor(replace(fan_options, network=network))
    report = extractor.extract(face_video, fan_options.output_path / "a.txt", False)
    assert "FAN" in report.error and "has ended" in report.error


def test_a_machine_without_a_gpu_is_told_of(fan_options, monkeypatch):
    monkeypatch.setattr(shared_fan, "_gpus", list)
    with pytest.raises(InputError, match="no CUDA device"):
        FanOfRun(fan_options).load()


def test_weights_that_do_not_fit_end_the_run_with_a_line(fan_options, stand_in_process, tmp_path):
    (tmp_path / "fan.pth.tar").write_bytes(b"no weights")
    options = replace(fan_options, model_weights=tmp_path)
    with (
        pytest.raises(InputError, match=r"fan\.pth\.tar: not FAN's weights"),
        fan_process(options, ["cpu"]),
    ):
        pass


@pytest.mark.parametrize(
    ("device", "face", "landmarks", "workers"),
    [
        ("cpu", "blazeface", "fan", 4),
        ("cuda", "blazeface", "mediapipe", 4),
        ("cuda", "retinaface", "fan", 4),
        ("cuda", "blazeface", "fan", 1),
    ],
)
def test_what_has_nothing_to_share_shares_nothing(device, face, landmarks, workers):
    options = ExtractionOptions(
        device=device, face_detector=face, landmark_detector=landmarks, workers=workers
    )
    with sharing_fan(options, None) as of_workers:
        assert of_workers is options


@pytest.mark.parametrize("command", [extract_landmarks, classify])
@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--ray_gpus", "1"], "add --ray"),
        (["--ray_cpus", "2"], "add --ray"),
        (["--ray", "auto", "--ray_gpus", "0"], "more than 0"),
    ],
)
def test_flags_of_a_cluster_without_one_are_an_error(command, flags, told, capsys):
    with pytest.raises(SystemExit):
        command.parse_arguments(flags)
    assert told in capsys.readouterr().err


def test_a_cluster_s_gpus_are_asked_for_by_their_number(capsys):
    with pytest.raises(SystemExit):
        extract_landmarks.parse_arguments(["--ray", "--device", "cuda"])
    assert "--ray_gpus" in capsys.readouterr().err


def test_workers_on_a_cluster_share_fan(fan_options, random_fan_weights, monkeypatch, tmp_path):
    ray = pytest.importorskip("ray", reason="Ray is missing: pip install -r requirements-ray.txt")
    from ray.cluster_utils import Cluster as Nodes

    from utils.run.cluster import Cluster, ClusterOptions

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    own = FanNetwork(random_fan_weights, "cpu")
    head = {"num_cpus": 2, "num_gpus": 1, "include_dashboard": False}
    nodes = Nodes(initialize_head=True, head_node_args=head)
    try:
        with Cluster(ClusterOptions(nodes.address, shared_gpus=0.5)) as cluster:
            actors = cluster.share(FanOfTest, fan_options, ["cpu"], calls_at_once=4)
            network = shared_fan._Actors(actors)
            assert len(actors) == 2
            said = dict(cluster.run(partial(ask, network), [1, 2, 3]))
            for actor in actors:
                ray.kill(actor)
            (tmp_path / "fan.pth.tar").write_bytes(b"no weights")
            wrong = replace(fan_options, model_weights=tmp_path)
            network = shared_fan._Actors(cluster.share(FanOfTest, wrong, ["cpu"], calls_at_once=4))
            with pytest.raises(InputError, match=r"^\S*fan\.pth\.tar: not FAN's weights"):
                list(cluster.run(partial(ask, network), [1]))
    finally:
        nodes.shutdown()
    for seed in (1, 2, 3):
        assert np.allclose(said[seed], own(some_faces(seed)), atol=1e-4)
