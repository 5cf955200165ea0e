import threading
import time

import numpy as np
import pytest

from utils.errors import InputError
from utils.video.frames import Prefetch, probe, read_frames
from utils.video.writer import VideoWriter


def test_a_video_is_read_frame_by_frame(face_video):
    frames = list(read_frames(face_video))
    assert len(frames) == 40
    assert frames[0].shape == (256, 256, 3) and frames[0].dtype == np.uint8


def test_probe_tells_rate_and_length(face_video):
    info = probe(face_video)
    assert (info.fps, info.frames) == (25, 40)


def test_a_missing_video_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        next(read_frames(tmp_path / "none.mp4"))


def test_a_video_cut_short_is_an_input_error(face_video, tmp_path):
    whole = face_video.read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole[: int(len(whole) * 0.6)])
    with pytest.raises(InputError, match="breaks off after"):
        list(read_frames(cut))


def test_prefetch_keeps_the_order():
    with Prefetch(range(100), ahead=3) as items:
        assert list(items) == list(range(100))


def test_prefetch_hands_on_an_error():
    def broken():
        yield 1
        raise InputError("broken")

    with Prefetch(broken()) as items:
        assert next(items) == 1
        with pytest.raises(InputError, match="broken"):
            next(items)


def test_prefetch_runs_only_a_little_ahead():
    drawn = []

    def counting():
        for number in range(1000):
            drawn.append(number)
            yield number

    with Prefetch(counting(), ahead=4) as items:
        next(items)
        time.sleep(0.2)
        assert len(drawn) <= 7


def test_leaving_early_stops_the_thread():
    before = threading.active_count()
    with Prefetch(iter(int, 1)) as items:
        next(items)
    assert threading.active_count() == before


def test_a_writer_that_fails_leaves_no_file(tmp_path, face_frames):
    with pytest.raises(RuntimeError), VideoWriter(tmp_path / "x.avi", 25) as writer:
        writer.write(face_frames[0])
        raise RuntimeError
    assert not list(tmp_path.iterdir())
