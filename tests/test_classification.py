import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import PROJECT, reference

import classify
from utils.console import run_script
from utils.errors import InputError
from utils.landmark_files.formats import align
from utils.landmark_files.text import LandmarkTrack, read_landmarks, write_landmarks
from utils.report.result_writers import write_lines
from utils.run.classification import choose_sets, list_landmark_files, video_score
from utils.verdict.results import VideoResult
from utils.weights.sets import PROJECT_WEIGHTS, read_manifest

SAMPLES = PROJECT / "landmarks"


def run(monkeypatch, capsys, *arguments: object) -> tuple[int, list[str], str]:
    """Exit status, stdout's lines and stderr of classify.py, run here."""
    monkeypatch.setattr(sys, "argv", ["classify.py", *map(str, arguments)])
    status = run_script(classify.NAME, classify.main)
    printed = capsys.readouterr()
    return status, printed.out.splitlines(), printed.err


@pytest.fixture
def landmark_folder(tmp_path, wandering_landmarks) -> Path:
    """Five files that cannot be classified and one that can."""
    folder = tmp_path / "in"
    normalized = LandmarkTrack(wandering_landmarks, "normalized")
    write_landmarks(folder / "good.txt", normalized)
    write_landmarks(folder / "short.txt", LandmarkTrack(wandering_landmarks[:29], "normalized"))
    (folder / "narrow.txt").write_text("1 2 3\n" * 40)
    (folder / "nan.txt").write_text((" nan" * 136 + "\n") * 40)
    (folder / "words.txt").write_text("not landmarks\n")
    write_landmarks(folder / "gone.txt", normalized)
    (folder / "gone.txt").write_text("")
    return folder


def test_bad_files_get_a_line_each_and_cost_no_other_file(monkeypatch, capsys, landmark_folder):
    status, lines, errors = run(monkeypatch, capsys, "-i", landmark_folder, "--weights", "bundled")
    assert status == 1
    assert [line.split()[0] for line in lines] == ["good.txt"]
    for name in ("short", "narrow", "nan", "words", "gone"):
        assert sum(f"{name}.txt" in line for line in errors.splitlines()) == 1
    assert "Traceback" not in errors


def test_the_samples_are_told_apart_in_both_formats(monkeypatch, capsys, tmp_path):
    table = tmp_path / "out.csv"
    status, lines, _ = run(
        monkeypatch, capsys, "-i", SAMPLES, "--weights", "bundled", "--csv", table
    )
    assert status == 0
    assert [line.split()[:2] for line in lines] == [
        ["sample_fake.txt", "Fake"],
        ["sample_real.txt", "Real"],
    ]
    rows = list(csv.DictReader(table.open()))
    assert [row["label"] for row in rows] == ["Fake", "Real"]
    assert rows[0]["clips"] == "10" and rows[0]["error"] == ""


def test_json_holds_every_clip(monkeypatch, capsys, tmp_path):
    path = tmp_path / "out" / "all.json"
    run(monkeypatch, capsys, "-i", SAMPLES, "--weights", "bundled", "--json", path)
    content = json.loads(path.read_text())
    assert content["weights"] == "bundled" and content["threshold"] == 0.5
    video = content["videos"][0]
    assert video["frames"] == 300 and video["error"] is None
    assert [clip["start"] for clip in video["clips"]] == list(range(0, 300, 30))
    for clip in video["clips"]:
        assert clip["score"] == pytest.approx((clip["g1"] + clip["g2"]) / 2)
    assert video["mean"] == pytest.approx(np.mean([clip["score"] for clip in video["clips"]]))


def test_json_tells_why_a_file_has_no_label(monkeypatch, capsys, tmp_path, landmark_folder):
    path = tmp_path / "all.json"
    run(monkeypatch, capsys, "-i", landmark_folder, "--weights", "bundled", "--json", path)
    by_name = {video["name"]: video for video in json.loads(path.read_text())["videos"]}
    assert by_name["short.txt"]["label"] is None
    assert "29 frames" in by_name["short.txt"]["error"]


def test_auto_takes_the_bundled_set_where_the_ensemble_cannot_be_had(monkeypatch, capsys, tmp_path):
    status, lines, errors = run(monkeypatch, capsys, "-i", SAMPLES, "--model_weights", tmp_path)
    assert status == 0 and len(lines) == 2
    assert errors.count("using the bundled weights") == 1


def test_auto_leaves_aligned_files_to_the_bundled_set():
    manifest = read_manifest()
    said: list[str] = []
    _, choices = choose_sets(manifest, "auto", reference("weights"), said.append)
    assert said == [
        "using the weights ensemble (normalized), bundled (aligned); --weights names others"
    ]
    assert [member.name for member in choices["normalized"]] == ["dfo-2024", "ffpp-2024"]
    assert [member.name for member in choices["aligned"]] == ["bundled-aligned"]


def test_a_named_set_that_cannot_be_had_is_an_error(monkeypatch, capsys, tmp_path):
    status, lines, errors = run(
        monkeypatch, capsys, "-i", SAMPLES, "--weights", "deeper", "--model_weights", tmp_path
    )
    assert status == 2 and not lines
    assert "deeper/g1.h5 is missing" in errors


def test_an_unknown_set_is_an_error_that_names_the_known_ones(monkeypatch, capsys):
    status, _, errors = run(monkeypatch, capsys, "-i", SAMPLES, "--weights", "best")
    assert status == 2
    assert "unknown weight set 'best'" in errors and "bundled" in errors


def test_a_weight_file_with_a_wrong_checksum_is_not_used(monkeypatch, capsys, tmp_path):
    shutil.copytree(PROJECT_WEIGHTS / "bundled-aligned", tmp_path / "bundled-aligned")
    damaged = tmp_path / "bundled-aligned" / "g2.weights.h5"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
    status, lines, errors = run(
        monkeypatch, capsys, "-i", SAMPLES,
        *("--weights", "bundled-aligned", "--model_weights", tmp_path),
    )  # fmt: skip
    assert status == 2 and not lines
    assert "g2.weights.h5: wrong checksum" in errors


def test_an_aligned_file_for_a_normalized_set_is_an_error(monkeypatch, capsys):
    status, lines, errors = run(
        monkeypatch, capsys, "-i", SAMPLES, "--weights", "bundled-normalized"
    )
    assert status == 1 and not lines
    assert "holds aligned landmarks" in errors


def test_a_normalized_file_is_aligned_for_an_aligned_set(
    monkeypatch, capsys, tmp_path, wandering_landmarks
):
    write_landmarks(tmp_path / "n.txt", LandmarkTrack(wandering_landmarks, "normalized"))
    rounded = read_landmarks(tmp_path / "n.txt").landmarks
    write_landmarks(tmp_path / "a.txt", LandmarkTrack(align(rounded), "aligned"))
    run(
        monkeypatch, capsys, "-i", tmp_path, "--weights", "bundled-aligned",
        *("--score", "mean", "--json", tmp_path / "both.json"),
    )  # fmt: skip
    aligned, normalized = json.loads((tmp_path / "both.json").read_text())["videos"]
    assert aligned["score"] == pytest.approx(normalized["score"], abs=2e-3)


@pytest.mark.parametrize(("name", "label"), [("dfo_fake", "Fake"), ("dfo_real", "Real")])
def test_the_deeper_set_is_sure_of_converted_dlib_landmarks(
    monkeypatch, capsys, tmp_path, name, label
):
    import extract_landmarks

    video, weights = reference("videos", f"{name}.mp4"), reference("weights")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        sys, "argv", ["x", "-i", str(video), "-o", "out", "--fd", "dlib", "--ld", "dlib"]
    )
    assert extract_landmarks.main() == 0
    for weight_set in ("deeper", "dfo-2024", "ensemble"):
        _, lines, _ = run(
            monkeypatch, capsys, "-i", "out", "--weights", weight_set, "--model_weights", weights
        )
        assert lines[0].split()[1] == label
        if weight_set == "deeper":
            assert float(lines[0].split()[2]) == (label == "Fake")


def test_vote_is_the_share_of_clips_at_or_over_a_half():
    scores = np.array([0.5, 0.49, 0.9, 0.1])
    assert video_score(scores, "vote") == 0.5
    assert video_score(scores, "mean") == pytest.approx(0.4975)


@pytest.mark.parametrize(
    ("declared", "asked", "expected"),
    [("mean", [], "mean"), ("vote", [], "vote"), ("mean", ["--score", "vote"], "vote")],
)
def test_a_video_is_scored_as_its_set_declares_unless_told_otherwise(
    monkeypatch, capsys, tmp_path, declared, asked, expected
):
    entry = yaml.safe_load((PROJECT_WEIGHTS / "manifest.yaml").read_text())["sets"]
    sets = {"bundled-aligned": entry["bundled-aligned"] | {"score": declared}}
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump({"sets": sets}))
    results = tmp_path / "out.json"
    where = "-i", SAMPLES, "--weights", "bundled", "--model_weights", tmp_path, "--json", results
    run(monkeypatch, capsys, *where, *asked)
    for video in json.loads(results.read_text())["videos"]:
        scores = np.array([clip["score"] for clip in video["clips"]])
        assert video["score"] == pytest.approx(video_score(scores, expected))


def test_an_unknown_declared_score_is_an_input_error(tmp_path):
    entry = yaml.safe_load((PROJECT_WEIGHTS / "manifest.yaml").read_text())["sets"]
    sets = {"bundled-aligned": entry["bundled-aligned"] | {"score": "best"}}
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump({"sets": sets}))
    with pytest.raises(InputError, match="bundled-aligned: score 'best'"):
        read_manifest(tmp_path)


def test_files_of_one_name_are_told_apart_by_their_path():
    import io

    out = io.StringIO()
    results = [VideoResult("a.txt", Path(folder) / "a.txt", "Real", 0.0) for folder in ("x", "y")]
    write_lines(results, out)
    assert [line.split()[0] for line in out.getvalue().splitlines()] == ["x/a.txt", "y/a.txt"]


def test_a_folder_without_landmark_files_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no landmark files"):
        list_landmark_files([tmp_path])


def test_nothing_in_the_default_folders_is_an_error(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    status, _, errors = run(monkeypatch, capsys)
    assert status == 2 and "extract some first" in errors


@pytest.mark.parametrize("script", ["classify.py", "extract_landmarks.py"])
def test_help_imports_no_network_library(script):
    program = (
        f"import sys, runpy; sys.argv = [{script!r}, '-h']\n"
        f"sys.path.insert(0, {str(PROJECT)!r})\n"
        f"try: runpy.run_path({str(PROJECT / script)!r}, run_name='__main__')\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'tensorflow', 'keras', 'cv2', 'numpy', 'dlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
