"""Whole videos of several faces, cuts and gaps, with the default detectors."""

import sys
import threading

import cv2
import numpy as np
import pytest
from conftest import PROJECT, write_video

import extract_landmarks
from utils.console import run_script
from utils.landmark_files.io import output_names, read_landmarks
from utils.run import video_extraction
from utils.run.extraction import extract_videos
from utils.video import prefetch

MEDIAPIPE = ("--fd", "blazeface", "--ld", "mediapipe")


@pytest.fixture(scope="module")
def speaking() -> list[np.ndarray]:
    """60 frames of our sample video, half size: (256, 256, 3) uint8 BGR."""
    capture = cv2.VideoCapture(str(PROJECT / "input" / "sample_real.mp4"))
    frames = [cv2.resize(capture.read()[1], (256, 256)) for _ in range(60)]
    capture.release()
    return frames


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def beside(face: np.ndarray, left: int, width: int = 640) -> np.ndarray:
    """A frame (256, width, 3) of grey with a face in it."""
    frame = np.full((256, width, 3), 90, np.uint8)
    frame[:, left : left + 256] = face
    return frame


def run(monkeypatch, capsys, *arguments: object) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["x", *map(str, arguments), *MEDIAPIPE])
    status = run_script(extract_landmarks.NAME, extract_landmarks.main)
    return status, capsys.readouterr().err


def extracted(monkeypatch, capsys, folder, frames, *flags) -> dict[str, dict[str, str]]:
    """File name -> header, of a video of these frames."""
    write_video(folder / "film.avi", frames)
    status, _ = run(monkeypatch, capsys, "-i", "film.avi", "-o", "out", *flags)
    assert status == 0
    return {path.name: read_landmarks(path).header for path in (folder / "out").glob("*.txt")}


def test_two_people_get_one_file_each(monkeypatch, capsys, here, speaking):
    frames = [np.hstack([a, b]) for a, b in zip(speaking, speaking[::-1], strict=True)]
    headers = extracted(monkeypatch, capsys, here, frames)
    assert set(headers) == {"film.txt", "film.face2.txt"}
    assert headers["film.txt"].face == "1 of 2"
    assert headers["film.face2.txt"].face == "2 of 2"
    assert all(header.segments == "0-59@0.000" for header in headers.values())
    log = (here / "landmark_logs.txt").read_text().splitlines()
    assert len(log) == 2 and " face=2" in log[1] and " face=" not in log[0]


def test_only_the_main_face_is_kept_where_one_is_asked_for(monkeypatch, capsys, here, speaking):
    frames = [np.hstack([face, face]) for face in speaking]
    assert len(extracted(monkeypatch, capsys, here, frames)) == 2
    alone = extracted(monkeypatch, capsys, here, frames, "--faces", 1, "--overwrite")
    assert set(alone) == {"film.txt"} and alone["film.txt"].face == "1 of 1"
    assert alone["film.txt"].left_out == "1 not asked for (--faces)"


def test_faces_beyond_the_limit_are_counted(monkeypatch, capsys, here, speaking):
    write_video(here / "film.avi", [np.hstack([face, face, face]) for face in speaking])
    _, errors = run(monkeypatch, capsys, "-i", "film.avi", "-o", "out", "--max_faces", 2)
    header = read_landmarks(here / "out" / "film.txt").header
    assert header.left_out == "1 beyond --max_faces 2" and "face gets no file" in errors


def test_the_drawn_videos_have_the_films_length_and_both_colours(
    monkeypatch, capsys, here, speaking
):
    frames = [np.hstack([face, face]) for face in speaking]
    extracted(monkeypatch, capsys, here, frames, "-v")
    capture = cv2.VideoCapture(str(here / "visualize" / "film.avi_track.avi"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 60
    blue, green, red = np.moveaxis(capture.read()[1].astype(int), -1, 0)
    halves = [slice(0, 256), slice(256, 512)]
    marked = [
        [
            ((green - red > 80) & (green - blue > 60))[:, half].sum(),
            (blue - red > 80)[:, half].sum(),
        ]
        for half in halves
    ]
    assert sorted(first > second for first, second in marked) == [False, True]


def test_the_same_person_elsewhere_after_a_cut_is_one_face(monkeypatch, capsys, here, speaking):
    frames = [beside(face, 10) for face in speaking[:30]]
    frames += [beside(face, 370) for face in speaking[30:]]
    headers = extracted(monkeypatch, capsys, here, frames)
    assert set(headers) == {"film.txt"}
    assert headers["film.txt"].segments == "0-29@0.000 30-59@1.200"
    assert headers["film.txt"].format()["shots"] == "2"


def test_a_person_who_leaves_and_returns_is_one_face(monkeypatch, capsys, here, speaking):
    empty = np.full((256, 640, 3), 90, np.uint8)
    frames = [beside(face, 10) for face in speaking[:30]]
    frames += [empty] * 8 + [beside(face, 10) for face in speaking[30:]]
    headers = extracted(monkeypatch, capsys, here, frames)
    assert headers["film.txt"].segments == "0-29@0.000 38-67@1.520"
    assert headers["film.txt"].frames == 60
    assert headers["film.txt"].frames_with_face == 60


@pytest.mark.parametrize("pixels_a_frame", [0, 0.4])
def test_a_photograph_beside_a_speaker_is_no_face(
    monkeypatch, capsys, here, speaking, pixels_a_frame
):
    still = cv2.resize(speaking[0], (320, 320))
    frames = []
    for number, face in enumerate(speaking):
        frame = np.full((320, 640, 3), 90, np.uint8)
        left = round(pixels_a_frame * number)
        frame[:, left : left + 320], frame[20:276, 350:606] = still, face
        frames.append(frame)
    headers = extracted(monkeypatch, capsys, here, frames)
    assert set(headers) == {"film.txt"} and headers["film.txt"].people == 2
    assert headers["film.txt"].left_out == "1 a still picture"
    assert headers["film.txt"].movement > 0.003


def test_a_still_picture_is_reported(monkeypatch, capsys, here, speaking):
    write_video(here / "still.avi", speaking[:1] * 50)
    status, errors = run(monkeypatch, capsys, "-i", "still.avi", "-o", "out")
    assert status == 0 and "this is a still picture" in errors


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_face_is_rotated_upright(monkeypatch, capsys, here, speaking, turns):
    write_video(here / "upright.avi", speaking)
    write_video(here / "turned.avi", [np.ascontiguousarray(np.rot90(f, turns)) for f in speaking])
    run(monkeypatch, capsys, "-i", "upright.avi", "turned.avi", "-o", "out")
    upright, turned = (read_landmarks(here / "out" / f"{n}.txt") for n in ("upright", "turned"))
    assert not upright.header.turned
    assert turned.header.turned == str(90 * (-turns % 4))
    size = np.ptp(upright.landmarks[0], axis=0).max()
    off = np.linalg.norm(upright.landmarks - turned.landmarks, axis=2)
    assert off.mean() < 0.03 * size


def test_without_calibration_landmarks_are_not_rounded(monkeypatch, capsys, here, speaking):
    write_video(here / "film.avi", speaking[:30])
    run(monkeypatch, capsys, "-i", "film.avi", "-o", "none")
    run(monkeypatch, capsys, "-i", "film.avi", "-o", "flow", "--calibration", "published")
    none, flow = (read_landmarks(here / way / "film.txt") for way in ("none", "flow"))
    assert none.header.calibration == "none" and flow.header.calibration == "published"

    def on_grid(track) -> float:
        return float(np.mean(np.abs(track.landmarks * 200 - np.rint(track.landmarks * 200)) < 1e-3))

    assert on_grid(flow) == 1 and on_grid(none) < 0.1
    assert np.abs(none.landmarks - flow.landmarks).mean() < 0.02


def test_lists_sequences_and_folders_below_are_inputs(monkeypatch, capsys, here, speaking):
    (here / "videos" / "below").mkdir(parents=True)
    write_video(here / "videos" / "below" / "deep.avi", speaking[:30])
    (here / "videos" / "notes.txt").write_text("no video")
    for number, face in enumerate(speaking[:30]):
        cv2.imwrite(str(here / f"p{number:03d}.png"), face)
    (here / "list.txt").write_text("videos\n\np%03d.png\n")
    arguments = "-i", "@list.txt", "-o", "out", "--recursive", "--fps", 10
    status, errors = run(monkeypatch, capsys, *arguments)
    assert status == 0 and "1 files of other kinds skipped" in errors
    assert read_landmarks(here / "out" / "deep.txt").header.fps == 25
    assert read_landmarks(here / "out" / "p%03d.txt").header.fps == 10


@pytest.mark.parametrize("where", ["opening", "decoding"])
def test_a_video_that_hangs_is_given_up_without_affecting_others(
    monkeypatch, capsys, here, speaking, where
):
    for name in ("a", "b"):
        write_video(here / f"{name}.avi", speaking[:30])
    released = threading.Event()
    monkeypatch.setattr(prefetch, "LEAVING_SECONDS", 0.1)

    class Hanging(video_extraction.Video):
        def __init__(self, path, *options):
            if path.name == "a.avi" and where == "opening":
                released.wait(30)
            super().__init__(path, *options)

        def frames(self):
            for number, frame in enumerate(super().frames()):
                if number == 12 and self.path.name == "a.avi" and where == "decoding":
                    released.wait(30)
                yield frame

    monkeypatch.setattr(video_extraction, "Video", Hanging)
    options = video_extraction.ExtractionOptions(
        here / "out", face_detector="blazeface", landmark_detector="mediapipe", timeout=2
    )
    try:
        assert extract_videos([here / "a.avi", here / "b.avi"], options) == 1
    finally:
        released.set()
    assert "a.avi: given up after 2 seconds without a new frame" in capsys.readouterr().err
    assert [path.name for path in (here / "out").glob("*.txt")] == ["b.txt"]


def test_a_video_that_is_named_like_another_face_keeps_its_suffix(tmp_path):
    videos = [tmp_path / name for name in ("a.mp4", "a.face2.mp4")]
    assert output_names(videos) == ["a.txt", "a.face2.mp4.txt"]
