import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import PROJECT, reference
from conftest import run_classify as run

from utils.console import notice, progress
from utils.errors import InputError
from utils.landmark_files.formats import align
from utils.landmark_files.header import LandmarkHeader
from utils.landmark_files.io import LandmarkTrack, read_landmarks, write_landmarks
from utils.report.result_writers import LineWriter
from utils.run.detection import list_inputs
from utils.verdict.results import VideoResult, video_label
from utils.verdict.scores import clip_scores, video_score
from utils.weights.sets import PROJECT_WEIGHTS, read_manifest

SAMPLES = PROJECT / "landmarks"


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


def test_bad_files_get_one_line_each_and_do_not_affect_others(monkeypatch, capsys, landmark_folder):
    status, lines, errors = run(monkeypatch, capsys, "-i", landmark_folder, "--weights", "bundled")
    assert status == 1
    assert [line.split()[0] for line in lines] == ["good.txt"]
    for name in ("short", "narrow", "nan", "words", "gone"):
        assert sum(f"{name}.txt" in line for line in errors.splitlines()) == 1
    assert "Traceback" not in errors


def test_the_samples_get_their_labels(monkeypatch, capsys, tmp_path):
    """The real one is a portrait brought to life, so that it may be unclear, but not fake."""
    table = tmp_path / "out.csv"
    status, lines, _ = run(
        monkeypatch, capsys, "-i", SAMPLES, "--weights", "bundled", "--csv", table
    )
    assert status == 0
    fake, real = (line.split()[1] for line in lines)
    assert fake == "Fake" and real in ("Real", "Unclear")
    rows = list(csv.DictReader(table.open()))
    assert [row["label"] for row in rows] == [fake, real]
    assert rows[0]["clips"] == "5" and rows[0]["error"] == ""
    assert float(rows[0]["score"]) > float(rows[1]["score"]) + 0.2


def test_json_holds_every_clip(monkeypatch, capsys, tmp_path):
    path = tmp_path / "out" / "all.json"
    run(monkeypatch, capsys, "-i", SAMPLES, "--weights", "bundled", "--json", path)
    content = json.loads(path.read_text())
    assert content["weights"] == "bundled" and content["threshold"] == 0.5
    video = content["videos"][0]
    assert video["frames"] == 300 and video["error"] is None
    assert [clip["start"] for clip in video["clips"]] == list(range(0, 300, 60))
    assert [clip["time"] for clip in video["clips"]] == pytest.approx([0, 2, 4, 6, 8])
    for clip in video["clips"]:
        assert clip["score"] == pytest.approx(
            np.mean([clip[stream] for stream in video["streams"]])
        )
    assert video["mean"] == pytest.approx(np.mean([clip["score"] for clip in video["clips"]]))


def test_json_says_why_a_file_has_no_label(monkeypatch, capsys, tmp_path, landmark_folder):
    path = tmp_path / "all.json"
    run(monkeypatch, capsys, "-i", landmark_folder, "--weights", "bundled", "--json", path)
    by_name = {video["name"]: video for video in json.loads(path.read_text())["videos"]}
    assert by_name["short.txt"]["label"] is None
    assert "29 frames" in by_name["short.txt"]["error"]


def test_auto_is_the_bundled_set_without_a_notice(monkeypatch, capsys, tmp_path):
    by_default = run(monkeypatch, capsys, "-i", SAMPLES, "--model_weights", tmp_path)
    assert by_default == run(monkeypatch, capsys, "-i", SAMPLES, "--weights", "bundled")
    assert by_default[0] == 0 and by_default[2] == ""


def test_a_named_set_that_is_not_available_is_an_error(monkeypatch, capsys, tmp_path):
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
    shutil.copytree(PROJECT_WEIGHTS / "bundled", tmp_path / "bundled")
    damaged = tmp_path / "bundled" / "g2.weights.h5"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
    status, lines, errors = run(
        monkeypatch, capsys, "-i", SAMPLES,
        *("--weights", "bundled", "--model_weights", tmp_path),
    )  # fmt: skip
    assert status == 2 and not lines
    assert "g2.weights.h5: wrong checksum" in errors


def with_set(folder: Path, **changes) -> Path:
    """A folder of weights whose set `mine` is our own but for some declarations, None: without."""
    entry = yaml.safe_load((PROJECT_WEIGHTS / "manifest.yaml").read_text())["sets"]["bundled"]
    shutil.copytree(PROJECT_WEIGHTS / "bundled", folder / "mine")
    changed = entry | {"rules": None} | changes  # it decides by a band, or by a threshold
    declared = {key: value for key, value in changed.items() if value is not None}
    content = {"sets": {"mine": declared}}
    (folder / "manifest.yaml").write_text(yaml.safe_dump(content))
    return folder


def test_an_aligned_file_for_a_set_that_reads_normalized_ones_is_an_error(
    monkeypatch, capsys, tmp_path
):
    weights = with_set(tmp_path, format="normalized")
    status, lines, errors = run(
        monkeypatch, capsys, "-i", SAMPLES, "--weights", "mine", "--model_weights", weights
    )
    assert status == 1 and not lines
    assert "holds aligned landmarks" in errors


@pytest.mark.parametrize("landmark_format", ["any", "aligned"])
def test_both_formats_of_one_face_get_one_score(
    monkeypatch, capsys, tmp_path, wandering_landmarks, random, landmark_format
):
    landmarks = wandering_landmarks + random.normal(0, 0.004, (90, 68, 2))
    write_landmarks(tmp_path / "in" / "n.txt", LandmarkTrack(landmarks, "normalized"))
    rounded = read_landmarks(tmp_path / "in" / "n.txt").landmarks
    write_landmarks(tmp_path / "in" / "a.txt", LandmarkTrack(align(rounded), "aligned"))
    weights = with_set(tmp_path / "w", format=landmark_format)
    results = tmp_path / "both.json"
    where = "-i", tmp_path / "in", "--weights", "mine", "--model_weights", weights
    run(monkeypatch, capsys, *where, "--json", results)
    aligned, normalized = json.loads(results.read_text())["videos"]
    assert aligned["score"] == pytest.approx(normalized["score"], abs=5e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "label"), [("dfo_fake", "Fake"), ("dfo_real", "Real")])
def test_the_deeper_set_is_confident_on_converted_dlib_landmarks(
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


def logit(probabilities) -> np.ndarray:
    """Log-odds (n, 1)."""
    values = np.array(probabilities, float)
    return np.log(values / (1 - values))[:, None]


def test_vote_is_the_share_of_clips_at_or_over_a_half():
    g1, g2 = logit([0.5, 0.48, 0.9, 0.1]), logit([0.5, 0.5, 0.9, 0.1])
    frames = np.full(4, 60)
    assert video_score(g1, g2, "vote", frames) == 0.5
    assert video_score(g1, g2, "mean", frames) == pytest.approx(0.4975)


def test_evidence_is_that_of_the_most_likely_family():
    swap, head = logit([0.9, 0.2, 0.2]), logit([0.6, 0.7, 0.65])
    families = np.concatenate([swap, head], axis=1)
    assert video_score(families, families, "evidence", np.full(3, 60)) == pytest.approx(
        1 / (1 + np.exp(-head.mean()))
    )
    assert clip_scores(families, families) == pytest.approx([0.9, 0.7, 0.65])


def test_a_clip_counts_for_the_evidence_as_often_as_it_has_frames():
    said = logit([0.9, 0.3])
    expected = 1 / (1 + np.exp(-(2 * said[0, 0] + said[1, 0]) / 3))
    assert video_score(said, said, "evidence", np.array([60, 30])) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("declared", "asked", "expected"),
    [("mean", [], "mean"), ("vote", [], "vote"), ("mean", ["--score", "vote"], "vote")],
)
def test_the_score_is_the_sets_own_unless_a_flag_overrides_it(
    monkeypatch, capsys, tmp_path, declared, asked, expected
):
    weights = with_set(tmp_path, score=declared, unclear=None)
    results = tmp_path / "out.json"
    where = "-i", SAMPLES, "--weights", "mine", "--model_weights", weights, "--json", results
    run(monkeypatch, capsys, *where, *asked)
    for video in json.loads(results.read_text())["videos"]:
        scores = np.array([clip["score"] for clip in video["clips"]])
        plain = {"vote": (scores >= 0.5).mean(), "mean": scores.mean()}[expected]
        assert video["score"] == pytest.approx(plain)


def test_an_unknown_declared_score_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="mine: score 'best'"):
        read_manifest(with_set(tmp_path, score="best"))


def face(path: Path, landmarks: np.ndarray, **header: str) -> Path:
    write_landmarks(
        path, LandmarkTrack(landmarks, "normalized", LandmarkHeader.parse({"fps": "25", **header}))
    )
    return path


def classified(monkeypatch, capsys, tmp_path, *paths: Path, **changes) -> list[dict]:
    weights = with_set(tmp_path / "weights", **changes)
    results = tmp_path / "results.json"
    where = "--weights", "mine", "--model_weights", weights, "--json", results
    run(monkeypatch, capsys, "-i", *paths, *where)
    return json.loads(results.read_text())["videos"]


@pytest.fixture
def long_landmarks(wandering_landmarks, random) -> np.ndarray:
    """240 frames in which the face itself moves too."""
    whole = np.concatenate([wandering_landmarks, wandering_landmarks[::-1]] * 2)[:240]
    return whole + random.normal(0, 0.004, whole.shape)


def test_no_clip_crosses_the_border_of_a_segment(monkeypatch, capsys, tmp_path, long_landmarks):
    segments = "0-69@0.000 100-139@4.000 200-328@8.000"
    path = face(tmp_path / "a.txt", long_landmarks[:239], segments=segments)
    (video,) = classified(monkeypatch, capsys, tmp_path, path)
    places = [(clip["start"], clip["end"], clip["time"]) for clip in video["clips"]]
    assert places == [(0, 60, 0.0), (100, 140, 4.0), (200, 260, 8.0), (260, 320, 10.4)]


def test_segments_that_do_not_fit_the_file_are_an_error(
    monkeypatch, capsys, tmp_path, long_landmarks
):
    path = face(tmp_path / "a.txt", long_landmarks, segments="0-99@0.000")
    (video,) = classified(monkeypatch, capsys, tmp_path, path)
    assert "segments of 100 frames in 240 lines" in video["error"]


def test_what_does_not_move_is_left_out_and_counted(monkeypatch, capsys, tmp_path, long_landmarks):
    frozen = np.concatenate([long_landmarks[:70], np.repeat(long_landmarks[69:70], 90, axis=0)])
    (video,) = classified(monkeypatch, capsys, tmp_path, face(tmp_path / "a.txt", frozen))
    assert video["still"] == 160 - 93 and len(video["clips"]) == 2
    assert video["clips"][-1]["end"] == 93


def test_a_still_picture_gets_no_label(monkeypatch, capsys, tmp_path, long_landmarks):
    still = np.repeat(long_landmarks[:1], 120, axis=0)
    (video,) = classified(monkeypatch, capsys, tmp_path, face(tmp_path / "a.txt", still))
    assert video["label"] is None and "this is a still picture" in video["error"]


def test_sixty_frames_per_second_are_subsampled_to_thirty(
    monkeypatch, capsys, tmp_path, long_landmarks
):
    path = face(tmp_path / "a.txt", long_landmarks, fps="60")
    (video,) = classified(monkeypatch, capsys, tmp_path, path)
    assert video["fps"] == 30
    assert [(clip["start"], clip["end"]) for clip in video["clips"]] == [(0, 120), (120, 240)]


@pytest.mark.parametrize(
    ("ranges", "header", "reason"),
    [
        (
            {"eye_pixels": [32, None]},
            {"eye_pixels": "20.4"},
            "20 pixels between the eyes, minimum 32",
        ),
        ({"fps": [15, None]}, {"fps": "12"}, "12 frames per second, minimum 15"),
        ({"yaw": [None, 45]}, {"yaw": "-70 -60 -50"}, "head yaw 60 degrees, maximum 45"),
        ({}, {"movement": "0.0002"}, "the face does not move"),
        ({"liveliness": [0.01, None]}, {}, "minimum 1.0%: it may be a filmed photograph"),
        ({}, {"eye_pixels": "20.4"}, None),
    ],
)
def test_measurements_out_of_range_make_a_verdict_unclear_with_the_reason(
    monkeypatch, capsys, tmp_path, long_landmarks, ranges, header, reason
):
    path = face(tmp_path / "a.txt", long_landmarks, **header)
    changes = {"ranges": ranges, "unclear": [0.5, 0.5]}
    (video,) = classified(monkeypatch, capsys, tmp_path, path, **changes)
    assert (video["label"] == "Unclear") is (reason is not None)
    assert not reason or reason in video["reasons"][0]


def test_a_score_in_the_band_is_unclear_and_a_set_without_one_decides(
    monkeypatch, capsys, tmp_path, long_landmarks
):
    path = face(tmp_path / "a.txt", long_landmarks)
    (video,) = classified(monkeypatch, capsys, tmp_path, path, unclear=[0.0, 1.01], ranges={})
    assert video["label"] == "Unclear" and "too many mistakes" in video["reasons"][0]
    shutil.rmtree(tmp_path / "weights")
    (video,) = classified(monkeypatch, capsys, tmp_path, path, unclear=[0.5, 0.5], ranges={})
    assert video["label"] in ("Fake", "Real")


def test_a_face_too_short_for_the_liveness_test_passes_it(
    monkeypatch, capsys, tmp_path, long_landmarks
):
    short = face(tmp_path / "a.txt", long_landmarks[:45], fps="30")
    changes = {"ranges": {"liveliness": [0.01, None]}, "unclear": [0.5, 0.5]}
    (video,) = classified(monkeypatch, capsys, tmp_path, short, **changes)
    assert video["liveliness"] is None and not video["reasons"]


def lines_of(results: list[VideoResult]) -> list[str]:
    lines: list[str] = []
    writer = LineWriter(lines.append, [result.path for result in results])
    for result in results:
        writer.add(result)
    writer.close()
    return lines


def test_several_faces_get_one_line_each_and_one_for_the_video():
    folder = Path("x")
    faces = [
        VideoResult("a.txt", folder / "a.txt", "a.mp4", "1 of 2", label="Real", score=0.1),
        VideoResult("a.face2.txt", folder / "a.face2.txt", "a.mp4", "2 of 2", None, "Fake", 0.9),
        VideoResult("b.txt", folder / "b.txt", label="Unclear", score=0.5, reasons=["why"]),
    ]
    assert [line.split(maxsplit=4) for line in lines_of(faces)] == [
        ["a.txt", "Real", "0.1000"],
        ["a.face2.txt", "Fake", "0.9000"],
        ["a.mp4", "(2", "faces)", "Fake"],
        ["b.txt", "Unclear", "0.5000", "why"],
    ]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["Real", "Fake", "Unclear"], "Fake"),
        (["Real", "Unclear"], "Unclear"),
        (["Real", None], "Real"),
        ([None], None),
    ],
)
def test_a_videos_label_is_the_worst_of_its_faces(labels, expected):
    faces = [VideoResult("a", Path("a"), label=label) for label in labels]
    assert video_label(faces) == expected


def test_files_with_the_same_name_are_shown_with_their_paths():
    results = [
        VideoResult("a.txt", Path(folder) / "a.txt", label="Real", score=0.0)
        for folder in ("x", "y")
    ]
    assert [line.split()[0] for line in lines_of(results)] == ["x/a.txt", "y/a.txt"]


def test_a_folder_without_landmark_files_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no landmark files"):
        list_inputs([tmp_path])


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


@pytest.mark.parametrize("flags", [["--threshold", "0.999"], ["--score", "mean"]])
def test_a_set_with_a_band_refuses_another_rule_of_decision(monkeypatch, capsys, flags):
    status, lines, errors = run(monkeypatch, capsys, "-i", SAMPLES, "--weights", "bundled", *flags)
    assert status == 2 and not lines
    assert flags[0] in errors and "band" in errors and errors.count("\n") == 1


def test_a_published_rule_of_decision_obeys_the_threshold(monkeypatch, capsys, tmp_path):
    weights = with_set(tmp_path, score="mean", unclear=None)
    where = "-i", SAMPLES, "--weights", "mine", "--model_weights", weights
    labels = [
        [line.split()[1] for line in run(monkeypatch, capsys, *where, "--threshold", bound)[1]]
        for bound in ("0", "1")
    ]
    assert labels == [["Fake", "Fake"], ["Real", "Real"]]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_writes_what_it_found(tmp_path, wandering_landmarks, number, status):
    for index in range(400):
        track = LandmarkTrack(wandering_landmarks, "normalized")
        write_landmarks(tmp_path / "in" / f"{index}.txt", track)
    outputs = "--json", "a.json", "--csv", "a.csv", "--report", "r"
    process = subprocess.Popen(
        [sys.executable, PROJECT / "classify.py", "-i", "in", *outputs],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for _ in range(20):
        process.stdout.readline()
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status and "Traceback" not in errors
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["interrupted"] is True and 1 <= len(content["videos"]) < 400
    assert "a.json, a.csv, r/index.html" in errors
    assert "The run was interrupted" in (tmp_path / "r" / "index.html").read_text()


def test_inputs_may_be_positional(monkeypatch, capsys):
    status, lines, _ = run(monkeypatch, capsys, SAMPLES / "sample_fake.txt")
    assert status == 0 and lines[0].startswith("sample_fake.txt  Fake")


def test_a_result_is_named_after_the_video_that_was_given(tmp_path):
    lines = []
    video = tmp_path / "clip.mp4"
    writer = LineWriter(lines.append, [video])
    for face in ("1 of 2", "2 of 2"):
        path = tmp_path / "clip.txt"
        writer.add(VideoResult("clip.txt", path, face=face, source=video, label="Real", score=0.1))
    assert [line.split("  ")[0] for line in lines] == ["clip.mp4 face 1", "clip.mp4 face 2"]


def test_a_log_gets_lines_of_progress_and_no_bar(capsys, monkeypatch):
    monkeypatch.delenv("LRNET_PROGRESS")
    monkeypatch.setattr("utils.console.LOG_SECONDS", 0.01)
    for _ in progress(range(5), desc="a\x1b[2J", unit="face"):
        time.sleep(0.02)
    told = capsys.readouterr().err
    assert "\r" not in told and "\x1b" not in told and "3/5" in told


def test_a_notice_in_a_log_repeats_no_progress(capsys, monkeypatch):
    monkeypatch.delenv("LRNET_PROGRESS")
    for number in progress(range(5), desc="videos", unit="video"):
        notice(f"notice {number}")
    assert capsys.readouterr().err.splitlines() == [f"notice {number}" for number in range(5)]


@pytest.mark.parametrize("script", ["classify.py", "extract_landmarks.py"])
def test_help_and_version_show_defaults_as_a_user_would_type_them(script):
    command = [sys.executable, PROJECT / script]
    told = subprocess.run([*command, "-h"], capture_output=True, text=True).stdout
    assert "PosixPath" not in told and "(default: None)" not in told
    assert told.count("default: input") <= 2
    version = subprocess.run([*command, "--version"], capture_output=True, text=True).stdout
    assert version.startswith("lrnet 1.")
