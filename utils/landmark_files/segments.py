"""Segments in a landmark file's header: which video frames its rows belong to.

`segments: 0-119@0.000 140-300@4.667`: frame numbers, both included, and the time in seconds at
which each segment begins. The file's lines are these frames in order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..errors import InputError

_SEGMENT = re.compile(r"(\d{1,12})-(\d{1,12})@(\d{1,12}(?:\.\d{1,12})?)")


@dataclass(frozen=True)
class FileSegment:
    """Lines of a file that are consecutive frames of one shot.

    Attributes:
        start, end: the first line, and the one after the last.
        frame, time: of the video, at the first line; time in seconds.
    """

    start: int
    end: int
    frame: int
    time: float


def format_segments(segments: Iterable[tuple[np.ndarray, np.ndarray]]) -> str:
    """The header's value, from each segment's frame numbers and times (frames,)."""
    return " ".join(f"{numbers[0]}-{numbers[-1]}@{times[0]:.3f}" for numbers, times in segments)


def parse_segments(value: str, lines: int) -> list[FileSegment]:
    """The segments of a file of so many lines; one, from frame 0, where its header has none.

    Raises:
        InputError: the value is none of this form, or does not fit the number of lines.
    """
    if not value:
        return [FileSegment(0, lines, 0, 0.0)]
    segments, start = [], 0
    for word in value.split():
        match = _SEGMENT.fullmatch(word)
        if match is None or int(match[2]) < int(match[1]):
            raise InputError(f"segment {word!r} cannot be read; extract the file again")
        first, last = int(match[1]), int(match[2])
        end = start + last - first + 1
        segments.append(FileSegment(start, end, first, float(match[3])))
        start = end
    if start != lines:
        raise InputError(f"segments of {start} frames in {lines} lines; extract the file again")
    return segments
