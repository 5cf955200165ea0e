"""Which files are taken for videos, and which names for image sequences."""

from __future__ import annotations

import re
from pathlib import Path

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".asf", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg"}
    | {".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".webp", ".wmv"}
)
DEFAULT_FPS = 25.0  # for containers that do not say
IMAGE_PATTERN = re.compile(r"%0?\d*d")  # names an image sequence, as FFmpeg does


def is_image_pattern(path: Path) -> bool:
    """Whether a path names an image sequence, as `frames/%05d.png`, and no file of that name."""
    return bool(IMAGE_PATTERN.search(path.name)) and not path.is_file()
