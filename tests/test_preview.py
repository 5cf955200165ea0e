"""The preview of a report: its frames, its times, its landmarks."""

import base64
import io
import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from utils.report import preview as module
from utils.report.preview import PreviewWriter
from utils.video.display import TimedFrame

TIMES = [0.0, 0.04, 0.08, 0.5, 0.54, 2.0]


def picture(shade: int, height: int = 96, width: int = 128) -> np.ndarray:
    return np.full((height, width, 3), shade, np.uint8)


def write(path: Path, frames: list[TimedFrame], landmarks: dict | None = None):
    writer = PreviewWriter(path, 25, [landmarks or {}])
    with writer:
        for number, frame in enumerate(frames):
            writer.add(number, frame)
    return writer.preview()


def decode(source: str | Path) -> list[tuple[float, np.ndarray]]:
    if isinstance(source, str):
        source = io.BytesIO(base64.b64decode(source.split(",", 1)[1]))
    with av.open(source) as container:
        return [(f.time, f.to_ndarray(format="bgr24")) for f in container.decode(video=0)]


def test_frames_keep_the_times_that_the_video_has(tmp_path):
    frames = [TimedFrame(picture(20 * number), time) for number, time in enumerate(TIMES)]
    made = write(tmp_path / "a.mp4", frames)
    assert [time for time, _ in decode(made.source)] == pytest.approx(TIMES, abs=1e-3)
    assert (made.seconds, made.whole) == (2.0, True)


def test_a_high_picture_has_480_rows_and_a_low_one_keeps_its_own(tmp_path):
    high = write(tmp_path / "a.mp4", [TimedFrame(picture(9, 1080, 1920), 0.0)])
    low = write(tmp_path / "b.mp4", [TimedFrame(picture(9, 97, 121), 0.0)])
    assert (high.width, high.height) == (854, 480) and (low.width, low.height) == (120, 96)


def test_a_large_one_lies_beside_its_page(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "INLINE_PREVIEW_BYTES", 0)
    made = write(tmp_path / "a.mp4", [TimedFrame(picture(9), 0.0)])
    assert made.source == "a.mp4" and len(decode(tmp_path / "a.mp4")) == 1


def test_a_small_one_lies_within_and_leaves_no_file(tmp_path):
    made = write(tmp_path / "a.mp4", [TimedFrame(picture(9), 0.0)])
    assert made.source.startswith("data:video/mp4;base64,") and not list(tmp_path.iterdir())


def test_it_ends_after_its_longest_time_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_PREVIEW_SECONDS", 0.1)
    made = write(tmp_path / "a.mp4", [TimedFrame(picture(9), time) for time in TIMES])
    assert len(decode(made.source)) == 3 and not made.whole


def test_time_stamps_that_stand_still_or_go_back_are_put_in_order(tmp_path):
    made = write(tmp_path / "a.mp4", [TimedFrame(picture(9), time) for time in (0, 0.1, 0.1, 0.05)])
    times = [time for time, _ in decode(made.source)]
    assert len(times) == 4 and times == sorted(set(times))


def test_landmarks_are_those_of_the_frame_in_the_previews_pixels(tmp_path, random):
    landmarks = {number: random.uniform(0, 900, (68, 2)) for number in (1, 2)}
    frames = [TimedFrame(picture(9, 960, 1280), time) for time in TIMES]
    overlay = json.loads(write(tmp_path / "a.mp4", frames, landmarks).overlay)
    (face,) = overlay["faces"]
    points = np.frombuffer(base64.b64decode(face["points"]), "<u2").reshape(-1, 68, 2)
    assert face["times"] == [40, 80]
    expected = np.array([landmarks[1], landmarks[2]]) / 2
    assert np.abs(points / overlay["units"] - expected).max() <= 0.126


def test_landmarks_of_a_long_video_are_thinned_out(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_OVERLAYS", 10)
    landmarks = {number: np.zeros((68, 2)) for number in range(40)}
    frames = [TimedFrame(picture(9), float(Fraction(number, 25))) for number in range(40)]
    (face,) = json.loads(write(tmp_path / "a.mp4", frames, landmarks).overlay)["faces"]
    assert 5 <= len(face["times"]) <= 10


def test_no_frame_makes_no_preview(tmp_path):
    assert write(tmp_path / "a.mp4", []) is None
