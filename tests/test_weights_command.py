import shutil
import sys

from conftest import PROJECT, reference

import utils.weights.__main__ as weights
from utils.console import run_script


def run(monkeypatch, capsys, *arguments: object) -> tuple[int, dict[str, str], str]:
    """Exit status, state by name, stderr."""
    monkeypatch.setattr(sys, "argv", ["weights", *map(str, arguments)])
    status = run_script("utils.weights", weights.main)
    printed = capsys.readouterr()
    states = {line[:20].strip(): line[22:30].strip() for line in printed.out.splitlines()}
    return status, states, printed.err


def test_every_set_and_model_is_listed_with_its_state(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    status, states, _ = run(monkeypatch, capsys, "--model_weights", tmp_path)
    assert status == 0
    assert states["bundled"] == "bundled" and states["mediapipe"] == "on disk"
    assert states["deeper"] == states["ensemble"] == states["fan"] == "missing"
    assert {"blazeface", "retinaface", "ff", "dfo-2024"} <= set(states)


def test_what_lies_in_the_folder_is_found(monkeypatch, capsys):
    _, states, _ = run(monkeypatch, capsys, "--model_weights", reference("weights"))
    on_disk = {"deeper", "ffpp-2022", "ensemble", "blazeface", "retinaface"}
    assert {states[name] for name in on_disk} == {"on disk"}


def test_a_damaged_set_is_called_so(monkeypatch, capsys, tmp_path):
    (tmp_path / "deeper").mkdir()
    for stream in ("g1.h5", "g2.h5"):
        (tmp_path / "deeper" / stream).write_bytes(b"?")
    _, states, _ = run(monkeypatch, capsys, "--model_weights", tmp_path)
    assert states["deeper"] == "damaged"


def test_a_set_whose_third_stream_is_damaged_is_called_so(monkeypatch, capsys, tmp_path):
    shutil.copytree(PROJECT / "model_weights", tmp_path, dirs_exist_ok=True)
    (tmp_path / "bundled" / "g3.npz").write_bytes(b"?")
    _, states, _ = run(monkeypatch, capsys, "--model_weights", tmp_path)
    assert states["bundled"] == "damaged"


def test_a_failed_fetch_is_reported(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    status, states, errors = run(monkeypatch, capsys, "deeper", "fan", "--model_weights", tmp_path)
    assert status == 1
    assert states == {"deeper": "missing", "fan": "missing"}
    assert "deeper/g1.h5 is missing" in errors and "2DFAN4" in errors


def test_an_unknown_name_is_reported(monkeypatch, capsys):
    status, _, errors = run(monkeypatch, capsys, "nonsense")
    assert status == 1 and "unknown weight set 'nonsense'" in errors
