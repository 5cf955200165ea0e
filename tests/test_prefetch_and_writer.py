import sys
import threading
import time

import numpy as np
import pytest

from utils.cores import Cores
from utils.errors import InputError
from utils.video import writer
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


def counting(end, drawn):
    """The numbers below `end`, each noted in `drawn` as it is made."""
    for number in range(end):
        drawn.append(number)
        yield number


def test_prefetch_runs_only_a_little_ahead():
    drawn = []
    with Prefetch(counting(1000, drawn), ahead=4) as items:
        next(items)
        time.sleep(0.2)
        assert len(drawn) <= 7


def test_prefetch_works_in_bursts():
    drawn, cores = [], Cores(2)
    with Prefetch(counting(40, drawn), ahead=8, cores=cores) as items:
        taken = []
        for item in items:
            time.sleep(0.02)  # for the thread to wake
            while cores.decoding:  # on a busy machine
                time.sleep(0.001)
            taken.append((item, len(drawn)))
    assert [item for item, _ in taken] == list(range(40))
    assert {so_far for _, so_far in taken} == {8, 15, 22, 29, 36, 40}  # when one is left


def test_cores_are_notified_when_the_thread_works():
    cores, seen = Cores(2), []

    def watched():
        for number in range(6):
            seen.append(cores.free)
            yield number

    with Prefetch(watched(), ahead=3, cores=cores) as items:
        time.sleep(0.1)
        resting = cores.free
        assert list(items) == list(range(6))
    assert seen == [1] * 6
    assert resting == cores.free == 2


def test_on_a_single_core_nothing_is_made_while_items_are_used():
    drawn = []
    with Prefetch(counting(10, drawn), ahead=4, cores=Cores(1)) as items:
        taken = []
        for item in items:
            time.sleep(0.01)
            taken.append((item, len(drawn)))
    assert taken == list(zip(range(10), [4] * 4 + [8] * 4 + [10] * 2, strict=True))


@pytest.mark.parametrize("taken", [0, 1, 5])
def test_leaving_early_stops_the_thread(taken):
    before = threading.active_count()
    with Prefetch(iter(int, 1)) as items:
        for _ in range(taken):
            next(items)
    assert threading.active_count() == before


@pytest.mark.parametrize("cores", [Cores(1), Cores(2)])
def test_the_time_is_that_of_one_item(cores):
    def slow():
        for number in range(6):
            time.sleep(0.1)
            yield number

    with Prefetch(slow(), ahead=6, timeout=0.3, cores=cores) as items:
        assert list(items) == list(range(6))


def test_an_item_in_use_is_not_referenced_by_prefetch():
    with Prefetch((np.zeros(3) for _ in range(5)), ahead=5) as items:
        time.sleep(0.1)
        item = next(items)
        assert sys.getrefcount(item) == 2  # of this test, and of the call


def test_an_item_that_takes_too_long_is_an_input_error():
    def hanging():
        yield 1
        time.sleep(5)

    with Prefetch(hanging(), timeout=0.2) as items:
        assert next(items) == 1
        with pytest.raises(InputError, match=r"0\.2 seconds without a new frame"):
            next(items)


@pytest.mark.parametrize("method", ["__init__", "close"])
def test_an_encoder_that_is_interrupted_leaves_no_file(tmp_path, monkeypatch, face_frames, method):
    whole = getattr(writer._H264, method)

    def interrupted(*given):
        whole(*given)
        raise SystemExit

    monkeypatch.setattr(writer._H264, method, interrupted)
    with pytest.raises(SystemExit), VideoWriter(tmp_path / "x.mp4", 25) as video:
        video.write(face_frames[0])
    assert not list(tmp_path.iterdir())


def test_a_writer_that_fails_leaves_no_file(tmp_path, face_frames):
    with pytest.raises(RuntimeError), VideoWriter(tmp_path / "x.avi", 25) as video:
        video.write(face_frames[0])
        raise RuntimeError
    assert not list(tmp_path.iterdir())
