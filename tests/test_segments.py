import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.errors import InputError
from utils.landmark_files.segments import FileSegment, format_segments, parse_segments

runs = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 90)), min_size=1, max_size=8)


@given(runs)
def test_what_is_written_is_read_back(gaps_and_lengths):
    segments, frame = [], 0
    for gap, length in gaps_and_lengths:
        numbers = np.arange(frame + gap, frame + gap + length)
        segments.append((numbers, numbers / 25))
        frame += gap + length
    lines = sum(length for _, length in gaps_and_lengths)
    read = parse_segments(format_segments(segments), lines)
    assert [segment.end - segment.start for segment in read] == [n for _, n in gaps_and_lengths]
    for segment, (numbers, times) in zip(read, segments, strict=True):
        assert segment.frame == numbers[0] and abs(segment.time - times[0]) < 1e-3


@pytest.mark.parametrize("value", [None, ""])
def test_a_file_without_segments_is_one(value):
    assert parse_segments(value, 70) == [FileSegment(0, 70, 0, 0.0)]


@pytest.mark.parametrize(
    "value",
    ["0-9", "9-0@0.0", "x", "0-9@-1", "0-9@nan", "0-5@0.0", "0-99999999999999@0", "0-9@0 7"],
)
def test_a_value_that_cannot_be_is_an_input_error(value):
    with pytest.raises(InputError, match="extract the file again"):
        parse_segments(value, 10)
