"""Decoded frames to arrays: the same pixels as a plain conversion, in memory that is used again."""

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from utils.video.pixels import LAYOUTS, PixelConverter


def frame_of(random, pixels="yuv420p", columns=64, rows=48) -> av.VideoFrame:
    """A frame of smooth noise in a pixel format."""
    picture = random.integers(0, 255, (rows, columns, 3), np.uint8)
    return av.VideoFrame.from_ndarray(picture, "bgr24").reformat(format=pixels)


@pytest.mark.parametrize("pixels", LAYOUTS)
@pytest.mark.parametrize("stored", ["yuv420p", "yuv422p", "nv12", "gray", "bgr0", "gbrp", "pal8"])
def test_pixels_are_those_of_a_plain_conversion(random, stored, pixels):
    if stored == "pal8":
        picture = random.integers(0, 3, (48, 64), np.uint8)
        colours = random.integers(0, 255, (256, 4), np.uint8)
        frame = av.VideoFrame.from_ndarray((picture, colours), "pal8")
    else:
        frame = frame_of(random, stored)
    plain = VideoReformatter().reformat(frame, format=pixels).to_ndarray()
    converted = PixelConverter()(frame, pixels)
    assert converted.dtype == plain.dtype and (converted == plain).all()


@pytest.mark.parametrize("columns", [2, 31, 63, 65])
def test_rows_that_are_padded_in_memory_come_out_whole(random, columns):
    frame = frame_of(random, "yuv444p", columns)
    plain = frame.reformat(format="bgr24").to_ndarray()
    assert (PixelConverter()(frame, "bgr24") == plain).all()


def test_a_picture_that_is_kept_outlives_the_frames_after_it(random):
    convert = PixelConverter()
    frames = [frame_of(random) for _ in range(20)]
    kept = [convert(frame, "bgr24") for frame in frames]
    plain = [frame.reformat(format="bgr24").to_ndarray() for frame in frames]
    del convert
    assert (np.array(kept) == np.array(plain)).all()


def test_a_picture_that_is_let_go_leaves_its_memory_to_the_next(random):
    convert, frame = PixelConverter(), frame_of(random, columns=640, rows=480)
    places = {convert(frame, "bgr24").ctypes.data for _ in range(20)}
    assert len(places) <= 2


def test_what_is_drawn_on_a_picture_changes_no_frame(random):
    frame = frame_of(random, "bgr24")
    before = frame.to_ndarray()
    PixelConverter()(frame, "bgr24")[:] = 7
    assert (frame.to_ndarray() == before).all()


def test_frames_may_change_their_format_in_mid_stream(random):
    convert = PixelConverter()
    for stored, columns in (("yuv420p", 64), ("yuv444p", 64), ("yuv444p", 32), ("yuv420p", 64)):
        frame = frame_of(random, stored, columns)
        plain = frame.reformat(format="bgr24").to_ndarray()
        assert (convert(frame, "bgr24") == plain).all()
