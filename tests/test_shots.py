import cv2
import numpy as np
import pytest

from utils.landmark_utils import shot_batches
from utils.tracking.face_tracks import longest_step, measured_fps
from utils.video import shots
from utils.video.display import TimedFrame
from utils.video.shots import ShotFrame, mark_shots


def scene(random, colour: int) -> np.ndarray:
    """A picture of blobs, uint8 (120, 160, 3), unlike one of another colour."""
    noise = random.integers(0, 60, (12, 16, 3)) + np.roll([colour, 255 - colour, 90], colour)
    small = np.clip(noise, 0, 255).astype(np.uint8)
    return cv2.resize(small, (160, 120), interpolation=cv2.INTER_CUBIC)


def film(random, *lengths: int) -> list[TimedFrame]:
    """Scenes one after another, each moving a little."""
    pictures = []
    for number, length in enumerate(lengths):
        still = scene(random, 40 + 97 * number % 200)
        pictures += [np.roll(still, step // 2, axis=1) for step in range(length)]
    return [TimedFrame(picture, number / 25) for number, picture in enumerate(pictures)]


@pytest.mark.parametrize("lengths", [(30,), (20, 30), (20, 20, 20), (6, 25, 9, 30)])
def test_every_cut_is_found_where_it_is(random, lengths):
    marked = list(mark_shots(film(random, *lengths)))
    begins = [number for number, frame in enumerate(marked) if frame.begins_shot]
    assert begins == np.concatenate([[0], np.cumsum(lengths[:-1])]).tolist()


def test_all_frames_come_out_in_their_order(random):
    frames = film(random, 7, 12)
    marked = list(mark_shots(frames))
    assert [frame.time for frame in marked] == [frame.time for frame in frames]
    assert all((a.picture is b.picture) for a, b in zip(marked, frames, strict=True))


def dissolve(random, length: int) -> list[TimedFrame]:
    """Twenty-five frames of one scene, `length` that blend, twenty-five of another."""
    first, second = scene(random, 40), scene(random, 137)
    share = np.clip((np.arange(50 + length) - 24) / (length + 1), 0, 1)
    pictures = [
        (1 - part) * np.roll(first, number // 2, axis=1)
        + part * np.roll(second, number // 3, axis=1)
        for number, part in enumerate(share)
    ]
    return [TimedFrame(np.uint8(picture), n / 25) for n, picture in enumerate(pictures)]


@pytest.mark.parametrize("length", [3, 5, 8, 12, 15])
def test_a_dissolve_is_one_cut_near_its_middle(random, length):
    marked = list(mark_shots(dissolve(random, length)))
    begins = [number for number, frame in enumerate(marked) if frame.begins_shot]
    assert len(begins) == 2
    assert abs(begins[1] - (25 + length / 2)) <= length / 2 + 1


def test_light_that_fades_is_no_dissolve(random):
    still = scene(random, 40)
    light = np.clip((np.arange(60) - 24) / 12, 0, 1) * 0.6 + 0.4
    frames = [TimedFrame(np.uint8(still * part), n / 25) for n, part in enumerate(light)]
    assert [frame.begins_shot for frame in mark_shots(frames)].count(True) == 1


def test_large_frames_wait_less(random, monkeypatch):
    monkeypatch.setattr(shots, "HELD_BYTES", 3 * 120 * 160 * 3)
    marked = list(mark_shots(film(random, 20, 30)))
    assert [number for number, frame in enumerate(marked) if frame.begins_shot] == [0, 20]


def test_few_frames_are_held_back(random):
    taken = []

    def counted():
        for frame in film(random, 30):
            taken.append(frame)
            yield frame

    next(mark_shots(counted()))
    assert len(taken) <= 10


def shown(times: list[float], cuts: tuple[int, ...] = ()) -> list[ShotFrame]:
    picture = np.zeros((2, 2, 3), np.uint8)
    return [ShotFrame(picture, time, n in (0, *cuts)) for n, time in enumerate(times)]


def test_a_batch_ends_with_the_shot():
    batches = list(shot_batches(shown([n / 25 for n in range(10)], cuts=(4,)), 3, 25))
    assert [(begins, len(batch)) for begins, batch in batches] == [
        (True, 3), (False, 1), (True, 3), (False, 3)
    ]  # fmt: skip


def test_a_pause_ends_a_stretch_as_a_cut_does():
    times = [0, 0.04, 0.08, 1.2, 1.24]
    batches = list(shot_batches(shown(times), 8, 25))
    assert [(begins, len(batch)) for begins, batch in batches] == [(True, 3), (True, 2)]


def test_slow_videos_have_longer_steps():
    assert longest_step(25) == 0.2 and longest_step(5) == 0.5


@pytest.mark.parametrize(
    ("times", "frame_count_hint", "expected"),
    [
        (np.arange(50) / 25, 25, 25),
        (np.arange(50) / 24.9, 25, 25),  # rounding
        (np.arange(50) / 12, 25, 12),
        (np.concatenate([np.arange(20), 200 + np.arange(20)]) / 10, 10, 10),  # a pause
        (np.zeros(1), 30, 30),
    ],
)
def test_the_rate_is_measured_by_the_times(times, frame_count_hint, expected):
    assert measured_fps(times, frame_count_hint) == pytest.approx(expected)


@pytest.mark.parametrize("length", [1, 2, 4])
def test_a_flash_is_no_cut(random, length):
    pictures = cv2.GaussianBlur(random.integers(0, 200, (90, 160, 3)).astype(np.uint8), (0, 0), 5)
    film = [pictures.copy() for _ in range(60)]
    for flash in (15, 40):
        for number in range(flash, flash + length):
            film[number] = np.clip(film[number].astype(int) + 110, 0, 255).astype(np.uint8)
    frames = [TimedFrame(picture, number / 25) for number, picture in enumerate(film)]
    assert [frame.begins_shot for frame in mark_shots(frames)] == [True] + [False] * 59


def test_a_cut_during_a_flash_is_a_cut(random):
    first, second = (
        cv2.GaussianBlur(random.integers(0, 200, (90, 160, 3)).astype(np.uint8), (0, 0), 5)
        for _ in range(2)
    )
    film = [first] * 30 + [np.full_like(first, 250)] * 2 + [255 - second] * 30
    frames = [TimedFrame(picture, number / 25) for number, picture in enumerate(film)]
    assert any([frame.begins_shot for frame in mark_shots(frames)][28:34])


def brightened(picture: np.ndarray, share: float) -> np.ndarray:
    return (picture * (1 - share) + 255 * share).astype(np.uint8)


@pytest.mark.parametrize("frames", [4, 8, 12])
def test_a_fade_to_white_and_back_is_no_cut(random, frames):
    picture = cv2.GaussianBlur(random.integers(0, 200, (90, 160, 3)).astype(np.uint8), (0, 0), 5)
    there = [brightened(picture, number / frames) for number in range(1, frames + 1)]
    film = [picture] * 25 + there + there[::-1] + [picture] * 25
    shown = [TimedFrame(one, number / 25) for number, one in enumerate(film)]
    assert [frame.begins_shot for frame in mark_shots(shown)] == [True] + [False] * (len(film) - 1)


def test_a_photographers_burst_is_no_cut(random):
    picture = cv2.GaussianBlur(random.integers(0, 200, (90, 160, 3)).astype(np.uint8), (0, 0), 5)
    film = [picture] * 60
    for number in (25, 26, 30, 31, 35, 36):
        film[number] = brightened(picture, 0.85)
    shown = [TimedFrame(one, number / 25) for number, one in enumerate(film)]
    assert sum(frame.begins_shot for frame in mark_shots(shown)) == 1
