"""Files that want to run code, read elsewhere, or fill the memory."""

import json
import os
import pickle
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from benchmarks.fuzz import fuzz, readers
from utils.errors import InputError
from utils.landmark_files.io import read_landmarks
from utils.landmark_files.precomputed import read_precomputed
from utils.landmark_files.segments import parse_segments
from utils.network.two_stream import build_stream
from utils.weights.sets import find_files, read_manifest
from utils.weights.stream_weights import load_stream_weights

ENTRY = {
    **{"format": "any", "clip_length": 60, "architecture": "convolutional", "units": 4},
    "files": {"g1": {"name": "a.weights.h5"}, "g2": {"name": "b.weights.h5"}},
}


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def manifest_of(folder: Path, entry: dict, name: str = "mine") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "manifest.yaml").write_text(yaml.safe_dump({"sets": {name: entry}}))
    return folder


def test_a_malicious_pickle_is_refused_and_runs_nothing(tmp_path):
    mark = tmp_path / "ran"
    path = tmp_path / "g1.pth"
    path.write_bytes(pickle.dumps({"weight": Evil(mark)}))
    with pytest.raises(InputError):
        load_stream_weights(build_stream("gru-residual", units=4), "gru-residual", path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Evil(mark)))
        archive.writestr("archive/version", "3")
    with pytest.raises(InputError):
        load_stream_weights(build_stream("gru-residual", units=4), "gru-residual", path)
    assert not mark.exists()


def test_pickled_arrays_are_never_read(tmp_path):
    mark = tmp_path / "ran"
    evil = np.array([Evil(mark)], dtype=object)
    np.savez(tmp_path / "a.npz", landmarks=evil, detected=np.ones(1, bool))
    with pytest.raises(InputError, match=r"a\.npz"):
        read_precomputed(tmp_path / "a.npz")
    assert not mark.exists()


def test_a_lambda_layer_in_a_keras_file_is_never_built(tmp_path):
    """Of a whole Keras model only datasets are read; its configuration is not looked at."""
    mark = tmp_path / "ran"
    path = tmp_path / "g1.h5"
    with h5py.File(path, "w") as file:
        code = f"__import__('os').mkdir({str(mark)!r})"
        layer = {"class_name": "Lambda", "config": {"function": code}}
        file.attrs["model_config"] = json.dumps(layer)
        file.create_group("model_weights")
    with pytest.raises(InputError, match="not weights of architecture gru"):
        load_stream_weights(build_stream("gru", units=4), "gru", path)
    assert not mark.exists()


@pytest.mark.parametrize("kind", ["external link", "soft link", "external data", "huge"])
def test_weights_lie_in_their_file_and_are_no_larger_than_such_weights_are(tmp_path, kind):
    path = tmp_path / "g1.weights.h5"
    with h5py.File(path, "w") as file:
        if kind == "external link":
            file["layers"] = h5py.ExternalLink("/etc/hostname", "/x")
        elif kind == "soft link":
            file["layers"] = h5py.SoftLink("/x")
        elif kind == "external data":
            file.create_dataset("x", (4,), "u1", external=[("/etc/hostname", 0, 4)])
        else:
            file.create_dataset("x", (10**12,), "f4", chunks=(1 << 20,))
    with pytest.raises(InputError, match=r"link|another file|bytes"):
        load_stream_weights(build_stream("convolutional", units=4), "convolutional", path)


@pytest.mark.parametrize("name", ["../../x", "/etc/hostname", "a/../../x", "..\\x"])
def test_a_manifest_names_no_file_outside_of_its_folder(tmp_path, name):
    entry = ENTRY | {"files": {"g1": {"name": name}, "g2": {"name": "b"}}}
    with pytest.raises(InputError, match="leads out of the folder"):
        read_manifest(manifest_of(tmp_path / "w", entry))
    with pytest.raises(InputError, match="leads out of the folder"):
        read_manifest(manifest_of(tmp_path / "w", ENTRY, name="../mine"))


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    folder = manifest_of(tmp_path / "w", ENTRY)
    (folder / "mine").mkdir()
    for file in ("a.weights.h5", "b.weights.h5"):
        (folder / "mine" / file).symlink_to("/etc/hostname")
    with pytest.raises(InputError, match="a link that leads out"):
        find_files(read_manifest(folder).sets["mine"].files, folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [("units", 10**9), ("clip_length", -1), ("clip_length", "x"), ("networks", 10**6)],
)
def test_a_manifests_numbers_are_bounded(tmp_path, key, value):
    with pytest.raises(InputError, match=f"{key} .*it can be 1 to"):
        read_manifest(manifest_of(tmp_path / "w", ENTRY | {key: value}))


def test_a_manifest_with_aliases_is_refused(tmp_path):
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)]
    (tmp_path / "manifest.yaml").write_text("\n".join(lines))
    with pytest.raises(InputError, match="alias"):
        read_manifest(tmp_path)


def test_a_manifest_runs_nothing(tmp_path):
    mark = tmp_path / "ran"
    text = f"sets: !!python/object/apply:os.mkdir ['{mark}']"
    (tmp_path / "manifest.yaml").write_text(text)
    with pytest.raises(InputError, match="not a manifest"):
        read_manifest(tmp_path)
    assert not mark.exists()


def npy(shape: tuple, content: bytes = b"") -> bytes:
    import io

    buffer = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + content


@pytest.mark.parametrize(
    "content",
    [npy((10**12, 68, 2)), npy((10**6, 68, 2), bytes(8 * 136 * 10**6 // 16))],
    ids=["announces 10^12 frames", "bomb"],
)
def test_an_npz_takes_no_more_memory_than_its_size_allows(tmp_path, content):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("landmarks.npy", content)
        archive.writestr("detected.npy", npy((1,), bytes(8)))
    with pytest.raises(InputError, match=r"announces|expands"):
        read_precomputed(tmp_path / "a.npz")


def test_a_table_whose_frames_jump_far_is_refused(tmp_path):
    columns = [f"{axis}_{point}" for point in range(68) for axis in "xy"]
    head = ",".join(["frame", "confidence", "success", *columns])
    row = ",".join(["1000000000000", "1", "1", *["5"] * 136])
    (tmp_path / "a.csv").write_text(f"{head}\n{row}\n")
    with pytest.raises(InputError, match="frame 1000000000000"):
        read_precomputed(tmp_path / "a.csv")


def test_segments_of_a_trillion_frames_take_no_memory():
    with pytest.raises(InputError, match="1000000000000 frames in 3 lines"):
        parse_segments("0-999999999999@0", 3)


def test_a_pipe_is_no_landmark_file(tmp_path):
    os.mkfifo(tmp_path / "a.txt")
    with pytest.raises(InputError, match="not a file"):
        read_landmarks(tmp_path / "a.txt")


@pytest.fixture(scope="module")
def valid_files(tmp_path_factory):
    return {reader.name: reader for reader in readers(tmp_path_factory.mktemp("made"))}


@pytest.mark.parametrize("name", ["landmarks", "OpenFace", "npz", "manifest", "task", "h5", "pth"])
def test_mutated_files_are_read_or_refused(tmp_path, valid_files, name):
    """A short form of `python -m benchmarks.fuzz`."""
    if name != "pth":  # a state of other layers: it is unpacked, then refused
        valid_files[name].read(_written(tmp_path, valid_files[name]))
    times = max(10, valid_files[name].times // 500)
    assert fuzz(valid_files[name], times, seed=1, folder=tmp_path) == []


def _written(folder: Path, reader) -> Path:
    path = folder / reader.file_name
    path.write_bytes(reader.content)
    return path
