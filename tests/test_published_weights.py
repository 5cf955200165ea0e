import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import PROJECT, reference

from utils.errors import InputError
from utils.landmark_files.io import read_landmarks
from utils.network.classifiers import (
    Classifier,
    load_classifier,
    max_family_probability,
    probability,
)
from utils.network.clips import cut_clips
from utils.network.two_stream import build_stream, fake_logits
from utils.weights.sets import ARCHITECTURES, read_manifest
from utils.weights.stream_weights import load_stream_weights

PUBLISHED = [
    *("deeper", "ff", "df-tf-2022", "df-torch-2022", "ffpp-all-2022"),
    *("ffpp-2022", "ffpp-2024", "dfo-2024"),
]


def clips_of(file: str, length: int) -> np.ndarray:
    path = next(reference("landmarks").glob(f"*/{file}"))
    return np.stack(cut_clips(read_landmarks(path).landmarks, length, length))


def probabilities(classifier: Classifier, clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    outputs = classifier.outputs(clips)
    return max_family_probability(outputs.g1), max_family_probability(outputs.g2)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_set_answers_as_its_authors_code_does(name):
    golden = json.loads(reference("golden", "predictions.json").read_text())[name]
    classifier = load_classifier(read_manifest(), name, reference("weights"))
    for file, expected in golden.items():
        clips = clips_of(file, classifier.weights.clip_length)
        g1, g2 = probabilities(classifier, clips)
        assert len(g1) == len(expected["g1"])
        assert np.abs(g1 - expected["g1"]).max() <= 1e-4
        assert np.abs(g2 - expected["g2"]).max() <= 1e-4
        assert ((g1 + g2) / 2 >= 0.5).mean() == pytest.approx(expected["score"], abs=1e-3)


def test_the_ensemble_is_the_mean_logit_of_each_stream():
    manifest, folder = read_manifest(), reference("weights")
    clips = clips_of("dfo_real.txt", 30)
    said = [
        probabilities(load_classifier(manifest, name, folder), clips)
        for name in ("dfo-2024", "ffpp-2024")
    ]
    logits = np.log(np.array(said)) - np.log1p(-np.array(said))
    joined = probabilities(load_classifier(manifest, "ensemble", folder), clips)
    assert np.allclose(joined, probability(logits.mean(axis=0)), atol=1e-5)


@pytest.mark.slow
def test_the_torch_backend_gives_the_same_answers():
    golden = reference("golden", "predictions.json")
    program = f"""
import json, sys
sys.path[:0] = [{str(PROJECT)!r}, {str(PROJECT / "tests")!r}]
import numpy as np
from test_published_weights import *
import keras
assert keras.backend.backend() == "torch"
expected = json.load(open({str(golden)!r}))["ffpp-2024"]["dfo_fake.txt"]
classifier = load_classifier(read_manifest(), "ffpp-2024", reference("weights"))
g1, g2 = probabilities(classifier, clips_of("dfo_fake.txt", 30))
assert np.abs(g1 - expected["g1"]).max() <= 1e-4 and np.abs(g2 - expected["g2"]).max() <= 1e-4
"""
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_stream_reads_clips_of_any_length(architecture, random):
    stream = build_stream(architecture)
    for frames in (29, 60):
        logits = fake_logits(stream, random.standard_normal((2, frames, 136)))
        assert logits.shape == (2, 4 if architecture == "convolutional" else 1)
        assert np.isfinite(logits).all()


def test_architecture_b_lets_its_backward_half_read_the_last_frame_only(random):
    stream = build_stream("gru-last-step")
    stream.get_layer("gru_forward").set_weights(
        [0 * weight for weight in stream.get_layer("gru_forward").get_weights()]
    )
    clips = random.standard_normal((1, 30, 136))
    other_start = clips.copy()
    other_start[:, :-1] += 1
    assert fake_logits(stream, clips) == fake_logits(stream, other_start)


@pytest.mark.parametrize("suffix", [".weights.h5", ".h5", ".pth"])
def test_a_file_that_holds_no_weights_is_refused(tmp_path, suffix):
    path = tmp_path / f"g1{suffix}"
    path.write_bytes(b"these are no weights" * 50)
    with pytest.raises(InputError, match="g1"):
        load_stream_weights(build_stream("gru-residual"), "gru-residual", path)


def test_weights_of_another_architecture_are_refused():
    path = reference("weights", "dfo-2024", "g1.pth")
    with pytest.raises(InputError, match="architecture gru-last-step"):
        load_stream_weights(build_stream("gru-last-step"), "gru-last-step", path)


def test_a_pickle_that_would_run_code_is_not_run(tmp_path):
    import torch

    class Trap:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    path = tmp_path / "g1.pth"
    torch.save({"gru.weight_ih_l0": Trap()}, path)
    with pytest.raises(InputError):
        load_stream_weights(build_stream("gru-residual"), "gru-residual", path)
    assert not (tmp_path / "ran").exists()
