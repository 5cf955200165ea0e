"""The project's own network in NumPy, held to the same network in Keras."""

import subprocess
import sys

import numpy as np
import pytest
from conftest import PROJECT

from utils.errors import InputError
from utils.network.convolutional import load_convolutional_stream, read_networks

BUNDLED = PROJECT / "model_weights" / "bundled"


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> tuple:
    """Two Keras networks with weights by chance, and their file."""
    from utils.network.two_stream import build_stream

    model = build_stream("convolutional", units=8, networks=2)
    random = np.random.default_rng(3)
    model.set_weights([random.normal(0, 0.5, one.shape) for one in model.get_weights()])
    path = tmp_path_factory.mktemp("weights") / "a.weights.h5"
    model.save_weights(path)
    return model, path


def test_every_clip_length_has_the_logits_that_keras_gives(stored, random):
    from utils.network.two_stream import fake_logits

    model, path = stored
    stream = load_convolutional_stream(path, 8, 2)
    for frames in range(1, 62):
        values = random.normal(size=(2, frames, 136))
        assert stream(values) == pytest.approx(fake_logits(model, values), abs=1e-5)


@pytest.mark.parametrize("stream", ["g1", "g2"])
def test_the_bundled_networks_have_the_logits_that_keras_gives(stream, random):
    from utils.network.two_stream import build_stream, fake_logits
    from utils.weights.stream_weights import load_stream_weights

    path = BUNDLED / f"{stream}.weights.h5"
    model = build_stream("convolutional", networks=3)
    load_stream_weights(model, "convolutional", path)
    ours = load_convolutional_stream(path, 128, 3)
    for frames in (15, 29, 44, 59, 60):
        values = 0.02 * random.normal(size=(3, frames, 136)).cumsum(axis=1)
        assert ours(values) == pytest.approx(fake_logits(model, values), abs=1e-5)


def test_logits_of_a_clip_do_not_depend_on_its_batch(stored, random):
    stream = load_convolutional_stream(stored[1], 8, 2)
    values = random.normal(size=(40, 60, 136))
    alone = np.concatenate([stream(values[n : n + 1]) for n in range(40)])
    assert stream(values) == pytest.approx(alone, abs=1e-5)


@pytest.mark.parametrize(("units", "networks"), [(8, 1), (8, 3), (16, 2)])
def test_weights_of_another_network_are_refused(stored, units, networks):
    with pytest.raises(InputError, match="not the weights of this network"):
        load_convolutional_stream(stored[1], units, networks)


def test_no_deep_learning_library_is_imported_for_the_bundled_set():
    code = (
        "import sys; from pathlib import Path; from utils.api import detect;"
        "result = detect(Path('landmarks'));"
        "assert len(result.videos) == 2 and all(one.label for one in result.videos);"
        "print([name for name in ('tensorflow', 'keras', 'torch') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("stream", ["g1", "g2"])
def test_the_onnx_export_has_the_same_logits(stream, random):
    pytest.importorskip("onnx", reason="onnx is missing: requirements-dev.txt")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is missing")
    from training.export_onnx import onnx_model

    path = BUNDLED / f"{stream}.weights.h5"
    model = onnx_model(read_networks(path, 128, 3))
    session = runtime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    ours = load_convolutional_stream(path, 128, 3)
    for frames in (30, 59, 60):
        values = 0.02 * random.normal(size=(2, frames, 136)).cumsum(axis=1).astype(np.float32)
        (said,) = session.run(None, {"values": values.astype(np.float32)})
        assert said == pytest.approx(ours(values), abs=1e-4)
