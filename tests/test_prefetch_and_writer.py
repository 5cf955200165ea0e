import threading
import time

import pytest

from utils.errors import InputError
from utils.video.prefetch import Prefetch
from utils.video.writer import VideoWriter


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


def test_what_does_not_come_in_time_is_an_input_error():
    def hanging():
        yield 1
        time.sleep(5)

    with Prefetch(hanging(), timeout=0.2) as items:
        assert next(items) == 1
        with pytest.raises(InputError, match=r"0\.2 seconds without a new frame"):
            next(items)


def test_a_writer_that_fails_leaves_no_file(tmp_path, face_frames):
    with pytest.raises(RuntimeError), VideoWriter(tmp_path / "x.avi", 25) as writer:
        writer.write(face_frames[0])
        raise RuntimeError
    assert not list(tmp_path.iterdir())
