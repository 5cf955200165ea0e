"""Crop boxes in a landmark file's header: where each row's crop lies in the frame.

`crop_boxes: 0:120,80,412 7:121,80,412`: from line 0 on, the crop's left, top and side in pixels are
120, 80, 412, from line 7 on others. With them normalized landmarks can be drawn on the frames.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from ..errors import InputError
from ..face_boxes import CropBox

_CHANGE = re.compile(r"(\d{1,12}):(-?\d{1,9}),(-?\d{1,9}),(\d{1,9})")


def format_boxes(boxes: Iterable[CropBox]) -> str:
    """The header's value, from the box of each line."""
    words, last = [], None
    for line, box in enumerate(boxes):
        if box != last:
            words.append(f"{line}:{box.left},{box.top},{box.side}")
            last = box
    return " ".join(words)


def parse_boxes(value: str, lines: int) -> np.ndarray | None:
    """Left, top and side (lines, 3) int64 of the crop of each line; None where there are none.

    Raises:
        InputError: the value is none of this form, or does not fit the number of lines.
    """
    if not value:
        return None
    changes = [_CHANGE.fullmatch(word) for word in value.split()]
    if not all(changes):
        raise InputError("crop_boxes cannot be read; extract the file again")
    numbers = np.array([match.groups() for match in changes if match], dtype=np.int64)
    starts = numbers[:, 0]
    if starts[0] != 0 or (np.diff(starts) <= 0).any() or starts[-1] >= lines:
        raise InputError(f"crop_boxes do not fit {lines} lines; extract the file again")
    return np.repeat(numbers[:, 1:], np.diff(np.append(starts, lines)), axis=0)


def denormalize(normalized: np.ndarray, boxes: np.ndarray, turned: int = 0) -> np.ndarray:
    """Normalized landmarks (frames, 68, 2) in pixels of the video's frames, float64.

    Args:
        boxes: (frames, 3) of `parse_boxes`.
        turned: degrees by which the header says that an upside-down or lying face was turned.
    """
    x, y = normalized[..., 0], normalized[..., 1]
    back = {0: (x, y), 90: (-y, x), 180: (-x, -y), 270: (y, -x)}[turned % 360]
    share = (np.stack(back, axis=-1) + 1) / 2  # of the crop's side; 0 is its left or top
    return boxes[:, None, :2] + share * boxes[:, None, 2:]
