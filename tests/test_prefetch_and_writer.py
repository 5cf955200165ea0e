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


def test_in_turns_nothing_is_made_while_items_are_used():
    drawn = []
    with Prefetch(counting(10, drawn), turn=4) as items:
        made = []
        for item in items:
            made.append((item, len(drawn)))
            time.sleep(0.02)
    assert [item for item, _ in made] == list(range(10))
    assert [so_far for _, so_far in made] == [4] * 4 + [8] * 4 + [10] * 2


@pytest.mark.parametrize("turn", [0, 4])
def test_leaving_early_stops_the_thread(turn):
    before = threading.active_count()
    with Prefetch(iter(int, 1), turn=turn) as items:
        next(items)
    assert threading.active_count() == before


def test_in_turns_the_time_is_that_of_one_item():
    def slow():
        for number in range(6):
            time.sleep(0.1)
            yield number

    with Prefetch(slow(), timeout=0.3, turn=6) as items:
        assert list(items) == list(range(6))


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
