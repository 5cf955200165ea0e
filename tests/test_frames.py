"""Frames as players show them, on small files that PyAV writes here."""

import struct
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from utils.errors import InputError
from utils.video.display import (
    HYBRID_LOG_GAMMA,
    PERCEPTUAL_QUANTIZER,
    orientation_of,
    over_black,
    square_pixels,
    tone_map,
)
from utils.video.frames import Video

ROWS, COLUMNS = 96, 128


def corners(colours: str = "rgbw", rows: int = ROWS, columns: int = COLUMNS) -> np.ndarray:
    """A picture whose quarters, row by row, have the colours that are named; uint8 BGR."""
    named = {"r": (0, 0, 200), "g": (0, 200, 0), "b": (200, 0, 0), "w": (200, 200, 200)}
    small = np.array([named[name] for name in colours], np.uint8).reshape(2, 2, 3)
    return cv2.resize(small, (columns, rows), interpolation=cv2.INTER_NEAREST)


def colours_of(picture: np.ndarray) -> str:
    """The colours of a picture's quarters, as `corners` names them."""
    rows, columns = picture.shape[:2]
    names = ""
    for y in (rows // 4, 3 * rows // 4):
        for x in (columns // 4, 3 * columns // 4):
            high = picture[y, x] > 100
            names += "w" if high.all() else "bgr"[int(picture[y, x].argmax())]
    return names


def write(
    path, pictures, fps=25, codec="libx264", pixels="yuv420p", times=None, aspect=None, **more
):
    """Writes pictures; `times` are in frames' time, `more` are the encoder's options."""
    with av.open(str(path), "w", options=more.pop("muxer", {})) as container:
        stream = container.add_stream(codec, rate=fps, options={k: str(v) for k, v in more.items()})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixels
        stream.codec_context.time_base = Fraction(1, fps)
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, "bgr24")
            frame.pts = number if times is None else times[number]
            frame.time_base = Fraction(1, fps)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path


def read(path, **options) -> list:
    with Video(path, **options) as video:
        return list(video.frames())


def with_matrix(source, target, a, b, c, d):
    """A copy of an mp4 whose video track has a display matrix (ISO 14496-12, tkhd)."""
    content = bytearray(source.read_bytes())
    at = content.find(b"tkhd")
    at += 8 + (32 if content[at + 4] == 1 else 20) + 16
    fixed = [int(value * 65536) & 0xFFFFFFFF for value in (a, b, 0, c, d, 0, 0, 0)]
    content[at : at + 36] = struct.pack(">9I", *fixed, 0x40000000)
    target.write_bytes(content)
    return target


def test_a_video_exposes_its_properties(tmp_path):
    path = write(tmp_path / "a.mp4", [corners()] * 10, fps=30)
    with Video(path) as video:
        assert (video.path, video.fps, video.frame_count_hint) == (path, 30, 10)
        assert (video.width, video.height, video.codec, video.stream) == (COLUMNS, ROWS, "h264", 0)


def test_frames_come_with_their_times(tmp_path):
    frames = read(write(tmp_path / "a.mkv", [corners()] * 4, times=[0, 1, 4, 5]))
    assert [frame.time for frame in frames] == pytest.approx([0, 0.04, 0.16, 0.2], abs=2e-3)
    assert frames[0].picture.shape == (ROWS, COLUMNS, 3) and frames[0].picture.dtype == np.uint8


def test_a_video_can_be_read_twice(tmp_path):
    with Video(write(tmp_path / "a.mp4", [corners()] * 5)) as video:
        first, second = list(video.pictures()), list(video.pictures())
    assert len(first) == 5 and (np.array(first) == np.array(second)).all()


@pytest.mark.parametrize(
    ("matrix", "stored"),
    [
        ((1, 0, 0, 1), "rgbw"),
        ((-1, 0, 0, 1), "grwb"),  # mirrored left and right
        ((1, 0, 0, -1), "bwrg"),  # upside down and mirrored
        ((-1, 0, 0, -1), "wbgr"),  # half a turn
        ((0, 1, -1, 0), "gwrb"),  # a quarter turn clockwise
        ((0, -1, 1, 0), "brwg"),  # a quarter turn counter-clockwise
    ],
)
def test_rotation_and_mirror_of_the_display_matrix_are_applied(tmp_path, matrix, stored):
    plain = write(tmp_path / "plain.mp4", [corners(stored)] * 3)
    with Video(with_matrix(plain, tmp_path / "turned.mp4", *matrix)) as video:
        picture = next(video.pictures())
        assert picture.shape[:2] == (video.height, video.width)
    assert colours_of(picture) == "rgbw"


def test_no_matrix_turns_nothing(random):
    picture = random.integers(0, 255, (4, 6, 3), np.uint8)
    assert orientation_of(None).apply(picture) is picture


def test_pixels_are_made_square(tmp_path):
    path = write(tmp_path / "a.mp4", [corners(columns=64)] * 3, aspect=Fraction(2, 1))
    with Video(path) as video:
        assert (video.width, video.height) == (128, 96)
        assert next(video.pictures()).shape == (96, 128, 3)


@pytest.mark.parametrize(
    ("aspect", "size"), [(1, (720, 576)), (2, (1440, 576)), (0.5, (720, 1152)), (0, (720, 576))]
)
def test_the_side_that_is_too_short_grows(aspect, size):
    assert square_pixels(720, 576, aspect) == size


def test_interlaced_pictures_are_this_videos_and_as_many(tmp_path):
    moving = [np.roll(corners(), 3 * step, axis=1) for step in range(12)]
    options = {"flags": "+ildct+ilme", "x264-params": "tff=1:fake-interlaced=1"}
    path = write(tmp_path / "a.mp4", moving, **options)
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).interlaced_frame
    frames = read(path)
    assert len(frames) == 12
    for frame, expected in zip(frames, moving, strict=True):
        assert np.abs(frame.picture.astype(int) - expected).mean() < 12


def test_ten_bits_become_eight(tmp_path):
    path = write(tmp_path / "a.mkv", [corners()] * 3, pixels="yuv420p10le")
    assert colours_of(read(path)[0].picture) == "rgbw"


@pytest.mark.parametrize("transfer", [PERCEPTUAL_QUANTIZER, HYBRID_LOG_GAMMA])
def test_hdr_keeps_its_order_of_brightness_and_its_white(transfer):
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)
    shown = tone_map(np.repeat(ramp[None, :, None], 3, axis=2), transfer)[0, :, 0].astype(int)
    assert (np.diff(shown) >= 0).all() and shown[0] == 0 and shown[-1] == 255
    # diffuse white (203 nits) has the code value 0.58 in PQ and 0.75 in HLG (ITU-R BT.2408)
    white = shown[round({PERCEPTUAL_QUANTIZER: 0.58, HYBRID_LOG_GAMMA: 0.75}[transfer] * 255)]
    assert 210 < white < 250


def test_alpha_is_laid_over_black():
    picture = np.array([[[200, 100, 50, 255], [200, 100, 50, 0], [200, 100, 50, 128]]], np.uint8)
    assert over_black(picture).tolist() == [[[200, 100, 50], [0, 0, 0], [100, 50, 25]]]


def test_grey_video_is_read(tmp_path):
    path = write(tmp_path / "a.mkv", [corners()] * 3, codec="ffv1", pixels="gray")
    picture = read(path)[0].picture
    assert picture.shape == (ROWS, COLUMNS, 3) and (picture[..., 0] == picture[..., 2]).all()


def test_av1_is_read(tmp_path):
    path = write(tmp_path / "a.mp4", [corners()] * 3, codec="libsvtav1", preset=12)
    assert [colours_of(frame.picture) for frame in read(path)] == ["rgbw"] * 3


def test_an_animated_gif_is_read(tmp_path):
    path = write(tmp_path / "a.gif", [corners()] * 4, codec="gif", pixels="rgb8", fps=10)
    frames = read(path)
    assert len(frames) == 4 and colours_of(frames[-1].picture) == "rgbw"


def test_an_animated_webp_is_read(tmp_path):
    from PIL import Image

    path = tmp_path / "a.webp"
    pictures = [Image.fromarray(corners(name)[..., ::-1]) for name in ("rgbw", "wbgr", "grwb")]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=80)
    frames = read(path)
    assert [colours_of(frame.picture) for frame in frames] == ["rgbw", "wbgr", "grwb"]
    assert [frame.time for frame in frames] == pytest.approx([0, 0.08, 0.16])
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match="no frame can be decoded"):
        Video(path)


def test_a_size_that_changes_in_mid_stream_is_scaled_to_the_first(tmp_path):
    parts = [
        write(tmp_path / f"{n}.ts", [corners(rows=48 * n, columns=64 * n)] * 4) for n in (2, 3)
    ]
    both = tmp_path / "both.ts"
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames = read(both)
    assert len(frames) >= 7
    assert {frame.picture.shape for frame in frames} == {(96, 128, 3)}


def two_streams(path, first: str, second: str, default: int):
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=25) for _ in range(2)]
        for number, stream in enumerate(streams):
            stream.width, stream.height, stream.pix_fmt = COLUMNS, ROWS, "yuv420p"
            stream.disposition = 1 if number == default else 0
        for stream, colours in zip(streams, (first, second), strict=True):
            for _ in range(3):
                frame = av.VideoFrame.from_ndarray(corners(colours), "bgr24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("default", [0, 1])
def test_of_two_streams_the_default_one_is_read(tmp_path, default):
    path = two_streams(tmp_path / "a.mkv", "rgbw", "wbgr", default)
    with Video(path) as video:
        assert video.stream == default
        assert colours_of(next(video.pictures())) == ("rgbw", "wbgr")[default]


def test_sound_alone_gets_a_line(tmp_path):
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(InputError, match="there is no picture in this file"):
        Video(path)


@pytest.mark.parametrize("name", ["12:30.mp4", "a b.mp4", "-x.mp4", "ü%41.mp4", "c?d#e.mp4"])
def test_names_are_files_and_nothing_else(tmp_path, monkeypatch, name):
    from pathlib import Path

    monkeypatch.chdir(tmp_path)
    write(tmp_path / "plain.mp4", [corners()] * 2)
    (tmp_path / "plain.mp4").rename(tmp_path / name)
    assert len(read(Path(name))) == 2


def test_a_missing_and_an_empty_file_get_a_line(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        Video(tmp_path / "none.mp4")
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(InputError, match="the file is empty"):
        Video(tmp_path / "empty.mp4")


def noisy_video(path, random, count=40):
    pictures = list(random.integers(0, 255, (count, ROWS, COLUMNS, 3), np.uint8))
    return write(path, pictures, g=1, muxer={"movflags": "faststart"})


def test_a_file_that_breaks_off_is_damaged(tmp_path, random):
    whole = noisy_video(tmp_path / "whole.mp4", random).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"of 40 frames are damaged"):
        read(cut)


def test_a_few_damaged_frames_are_left_out_and_counted(tmp_path, random):
    whole = noisy_video(tmp_path / "whole.mp4", random).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: int(0.96 * len(whole))])
    with Video(cut) as video:
        count = sum(1 for _ in video.frames())
        assert count + video.frames_lost == 40 and 1 <= video.frames_lost <= 3


def test_fewer_frames_than_announced_is_no_damage(tmp_path):
    """A container whose duration counts sound that goes on after the pictures."""
    path = write(tmp_path / "a.avi", [corners()] * 10, codec="mpeg4")
    content = bytearray(path.read_bytes())
    at = content.find(b"strh") + 8 + 32  # dwLength of the stream
    content[at : at + 4] = struct.pack("<I", 500)
    path.write_bytes(content)
    with Video(path) as video:
        assert len(list(video.frames())) == 10 and video.frames_lost == 0


def test_threads_lose_no_frame(tmp_path, random):
    path = noisy_video(tmp_path / "a.mp4", random, count=60)
    single, threaded = read(path, threads=1), read(path, threads=4)
    assert len(single) == len(threaded) == 60
    pairs = zip(single, threaded, strict=True)
    assert all((a.picture == b.picture).all() and a.time == b.time for a, b in pairs)


def test_an_image_sequence_is_a_video(tmp_path):
    for number in range(7, 12):
        cv2.imwrite(str(tmp_path / f"frame{number:04d}.png"), corners())
    frames = read(tmp_path / "frame%04d.png", image_rate=10)
    assert [round(frame.time, 3) for frame in frames] == [0, 0.1, 0.2, 0.3, 0.4]


def test_an_image_sequence_without_images_gets_a_line(tmp_path):
    with pytest.raises(InputError, match="no file has a name of this pattern"):
        Video(tmp_path / "%03d.png")
