import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import PROJECT, wait_until, write_video

import extract_landmarks
from utils.console import run_script
from utils.landmark_files.io import read_landmarks

DLIB = ("--fd", "dlib", "--ld", "dlib")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(monkeypatch, capsys, *arguments: object) -> tuple[int, str]:
    """Exit status and stderr of extract_landmarks.py, run here; its stdout must stay empty."""
    monkeypatch.setattr(sys, "argv", ["extract_landmarks.py", *map(str, arguments), *DLIB])
    status = run_script(extract_landmarks.NAME, extract_landmarks.main)
    printed = capsys.readouterr()
    assert printed.out == ""
    return status, printed.err


def test_a_video_becomes_a_landmark_file(monkeypatch, capsys, here, face_video):
    status, _ = run(monkeypatch, capsys, "-i", face_video, "-o", "out")
    track = read_landmarks(here / "out" / "face.txt")
    assert status == 0
    assert track.landmarks.shape == (40, 68, 2) and track.format == "normalized"
    assert 0.5 < np.ptp(track.landmarks[0, :, 0]) < 2
    expected = {
        "video": "face.avi", "fps": "25", "frames": "40", "first_frame": "0", "face": "1 of 1",
        "face_detector": "dlib", "landmark_detector": "dlib", "crop": "stable",
        "calibration": "published", "segments": "0-39@0.000", "frames_lost": "0",
    }  # fmt: skip
    assert expected.items() <= track.header.format().items()


def test_a_rerun_skips_what_is_done(monkeypatch, capsys, here, face_video):
    run(monkeypatch, capsys, "-i", face_video, "-o", "out")
    before = (here / "out" / "face.txt").stat().st_mtime_ns
    status, errors = run(monkeypatch, capsys, "-i", face_video, "-o", "out")
    assert status == 0 and "1 skipped" in errors
    assert (here / "out" / "face.txt").stat().st_mtime_ns == before
    run(monkeypatch, capsys, "-i", face_video, "-o", "out", "--overwrite")
    assert (here / "out" / "face.txt").stat().st_mtime_ns > before


def test_each_video_gets_a_log_line(monkeypatch, capsys, here, face_video):
    run(monkeypatch, capsys, "-i", face_video, "-o", "out", "-l", "log.txt")
    video, score, moment, *counts = (here / "log.txt").read_text().split()
    assert (video, float(score)) == ("face.avi", 1.0)
    assert time.strptime(moment[:19], "%Y-%m-%dT%H:%M:%S")
    assert counts[:2] == ["frames=40", "with_face=40"]
    assert 0.8 < float(counts[2].removeprefix("trusted=")) <= 1


@pytest.mark.parametrize("workers", [1, 2])
def test_bad_videos_get_one_line_each_and_do_not_affect_others(
    monkeypatch, capsys, here, face_video, empty_video, workers
):
    folder = here / "videos"
    folder.mkdir()
    (folder / "text.mp4").write_text("no video at all")
    (folder / "void.mp4").write_bytes(b"")
    whole = face_video.read_bytes()
    sample = (PROJECT / "input" / "sample_real.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(sample[: len(sample) // 2])
    (folder / "empty.avi").write_bytes(empty_video.read_bytes())
    (folder / "good.avi").write_bytes(whole)
    status, errors = run(monkeypatch, capsys, "-i", folder, "-o", "out", "--workers", workers)
    assert status == 1
    assert [path.name for path in (here / "out").iterdir()] == ["good.txt"]
    for name, reason in {
        "text.mp4": "not a video", "void.mp4": "empty", "cut.mp4": "damaged",
        "empty.avi": "no face in any of 12 frames",
    }.items():  # fmt: skip
        (line,) = [line for line in errors.splitlines() if name in line and "good" not in line]
        assert reason in line
    assert "1 extracted to out, 0 skipped, 4 failed" in errors
    assert "Traceback" not in errors


def test_a_folder_without_videos_is_an_error(monkeypatch, capsys, here):
    status, errors = run(monkeypatch, capsys, "-i", here, "-o", "out")
    assert status == 2 and "no videos in this folder" in errors


def test_a_missing_input_is_an_error(monkeypatch, capsys, here):
    status, errors = run(monkeypatch, capsys, "-i", "nowhere")
    assert status == 2 and "nowhere: no such file" in errors


def test_visualize_writes_two_videos_of_the_videos_size(monkeypatch, capsys, here, face_video):
    run(monkeypatch, capsys, "-i", face_video, "-o", "out", "-v", "--visualize_path", "drawn")
    for name, colour in {"face.avi_origin.avi": "red", "face.avi_track.avi": "green"}.items():
        capture = cv2.VideoCapture(str(here / "drawn" / name))
        assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 40
        assert capture.get(cv2.CAP_PROP_FPS) == 25
        frame = capture.read()[1].astype(int)
        assert frame.shape == (256, 256, 3)
        blue, green, red = np.moveaxis(frame, -1, 0)
        marked, other = (red, green) if colour == "red" else (green, red)
        assert ((marked - np.maximum(other, blue)) > 80).sum() > 68


def test_leading_frames_without_a_face_are_dropped(monkeypatch, capsys, here, face_frames):
    grey = [np.full_like(face_frames[0], 90)] * 7
    write_video(here / "late.avi", grey + face_frames[:20])
    status, _ = run(monkeypatch, capsys, "-i", "late.avi", "-o", "out")
    track = read_landmarks(here / "out" / "late.txt")
    assert status == 0
    assert len(track.landmarks) == 20 and track.header.first_frame == 7
    assert track.header.segments == "7-26@0.280"


def test_both_crop_modes_work_and_differ(monkeypatch, capsys, here, face_video):
    run(monkeypatch, capsys, "-i", face_video, "-o", "s")
    run(monkeypatch, capsys, "-i", face_video, "-o", "p", "--crop", "per-frame")
    stable, per_frame = (read_landmarks(here / x / "face.txt") for x in "sp")
    assert per_frame.header.crop == "per-frame"
    assert (stable.landmarks != per_frame.landmarks).any()


def _wait_for_partial_file(folder: Path, process: subprocess.Popen) -> Path:
    def begun() -> list[Path]:
        assert process.poll() is None
        return list(folder.rglob("*.partial*"))

    return wait_until(begun)[0]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_leaves_no_partial_file_and_ends_in_130(here, face_frames, workers):
    for name in "ab":
        write_video(here / f"{name}.avi", face_frames * 10)
    script = str(PROJECT / "extract_landmarks.py")
    process = subprocess.Popen(
        [sys.executable, script, "-i", ".", "-o", "out", "-v", *DLIB, "--workers", workers],
        stderr=subprocess.PIPE,
        text=True,
    )
    _wait_for_partial_file(here, process)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "interrupted" in errors and "Traceback" not in errors
    left = {path.name for path in here.rglob("*") if path.is_file()}
    assert left == {"a.avi", "b.avi"}


@pytest.mark.slow
def test_a_killed_worker_loses_one_video_and_leaves_no_partial_file(here, face_frames):
    for name in "abc":
        write_video(here / f"{name}.avi", face_frames * 20)
    script = str(PROJECT / "extract_landmarks.py")
    process = subprocess.Popen(
        [sys.executable, script, "-i", ".", "-o", "out", "-v", *DLIB, "--workers", "2"],
        stderr=subprocess.PIPE,
        text=True,
    )
    begun = _wait_for_partial_file(here, process)
    os.kill(int(re.search(r"-(\d+)\.partial", begun.name)[1]), signal.SIGKILL)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 1 and "2 extracted to out, 0 skipped, 1 failed" in errors
    assert errors.count("reading it killed its worker (SIGKILL") == 1
    assert not list(here.rglob("*.partial*"))


def test_the_shortcuts_move_landmarks_by_less_than_a_fiftieth_of_the_eyes_distance(
    monkeypatch, capsys, here, face_video
):
    run(monkeypatch, capsys, "-i", face_video, "-o", "fast")
    run(monkeypatch, capsys, "-i", face_video, "-o", "slow", "--thorough")
    fast, slow = (read_landmarks(here / way / "face.txt").landmarks for way in ("fast", "slow"))
    eyes = slow[:, 42:48].mean(axis=1) - slow[:, 36:42].mean(axis=1)
    moved = np.linalg.norm(fast - slow, axis=2).mean()
    assert moved < 0.02 * np.linalg.norm(eyes, axis=1).mean()


def test_a_video_that_is_decoded_twice_gives_the_same_landmarks(
    monkeypatch, capsys, here, face_video
):
    from utils.video import face_spool

    run(monkeypatch, capsys, "-i", face_video, "-o", "once")
    monkeypatch.setattr(face_spool, "MAX_DISK_SHARE", 0)
    run(monkeypatch, capsys, "-i", face_video, "-o", "twice")
    assert (here / "once" / "face.txt").read_text() == (here / "twice" / "face.txt").read_text()


def test_a_log_that_cannot_be_written_is_reported_before_the_work(
    monkeypatch, capsys, here, face_video
):
    status, errors = run(monkeypatch, capsys, "-i", face_video, "-o", "out", "-l", here)
    assert status == 2 and "is a folder; name a file in it" in errors
    assert not (here / "out").exists()


def test_a_damaged_video_gets_one_line_and_nothing_from_its_decoder(here):
    (here / "text.mp4").write_text("no video at all")
    script = str(PROJECT / "extract_landmarks.py")
    done = subprocess.run(
        [sys.executable, script, "-i", "text.mp4", *DLIB], capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.splitlines() == [
        "text.mp4: not a video that FFmpeg can read (Invalid data found when processing input)",
        "0 extracted to landmarks_new, 0 skipped, 1 failed",
    ]


def test_a_line_that_a_killed_run_did_not_log_is_logged_by_the_next(
    monkeypatch, capsys, here, face_video
):
    run(monkeypatch, capsys, "-i", face_video, "-o", "out")
    log = here / "landmark_logs.txt"
    whole = log.read_text()
    log.write_text("other.avi 1.0000 2026-01-01T00:00:00 frames=1 with_f")  # and the disk was full
    run(monkeypatch, capsys, "-i", face_video, "-o", "out")
    run(monkeypatch, capsys, "-i", face_video, "-o", "out")
    torn, line = log.read_text().splitlines()
    assert torn.startswith("other.avi")
    name, score, _, *counts = whole.split()
    assert line.split()[:2] == [name, score] and line.split()[3:] == counts
