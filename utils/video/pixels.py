"""Decoded frames to arrays, with memory that is reused.

For each new buffer the kernel has to find pages, which on a 1080p picture can take longer than the
conversion itself (benchmarks/README.md). FFmpeg's filters keep their buffers in a pool.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

# FFmpeg's names -> what a value is, and how many a pixel has
LAYOUTS: dict[str, tuple[Any, int]] = {
    "bgr24": (np.uint8, 3),
    "bgra": (np.uint8, 4),
    "rgb48le": (np.dtype("<u2"), 3),
}
# Matrices that FFmpeg's scaler does not have (ITU-T H.273, table 4), and which are read in their
# place: brightness is the same, colours are near (BT.2020's) or not (YCgCo, ICtCp).
NEAREST_MATRIX = {8: 2, 10: 9, 12: 2, 13: 2, 14: 2, 15: 2, 16: 2, 17: 2}
SCALER = "bilinear"  # of colour that has fewer samples than brightness


def filter_chain(frame: Any, threads: int, *filters: tuple[str, str]) -> Any:
    """A configured PyAV graph that takes frames such as this one through filters, each a name and
    its options."""
    import av.filter

    graph = av.filter.Graph()
    graph.threads = threads
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base or Fraction(1, 1000),
    )
    chain = [source, *(graph.add(*one) for one in filters), graph.add("buffersink")]
    for before, after in pairwise(chain):
        before.link_to(after)
    graph.configure()
    return graph


class PixelConverter:
    """Turns PyAV frames into arrays (H, W, channels) of one of the `LAYOUTS`.

    An array is a view of a pooled buffer, which goes back to the pool with the last view of it.

    Args:
        threads: of a conversion; 0 is as many as FFmpeg likes.
    """

    def __init__(self, threads: int = 0) -> None:
        self._threads = threads
        self._graph: Any = None
        self._takes: tuple | None = None  # what frames the graph was made for

    def __call__(self, frame: Any, pixels: str) -> np.ndarray:
        if frame.format.name == pixels:  # a decoder may still need the buffer that it gave
            return frame.to_ndarray()
        if frame.colorspace in NEAREST_MATRIX:
            frame.colorspace = NEAREST_MATRIX[frame.colorspace]
        takes = (
            *(frame.width, frame.height, frame.format.name),
            *(frame.colorspace, frame.color_range, pixels),
        )
        if takes != self._takes:
            filters = ("scale", f"flags={SCALER}"), ("format", f"pix_fmts={pixels}")
            self._graph, self._takes = filter_chain(frame, self._threads, *filters), takes
        self._graph.push(frame)
        converted = self._graph.pull()
        plane = converted.planes[0]
        values, channels = LAYOUTS[pixels]
        size = np.dtype(values).itemsize
        return np.ndarray(
            (converted.height, converted.width, channels),
            values,
            buffer=plane,
            strides=(plane.line_size, channels * size, size),
        )
