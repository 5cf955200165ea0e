"""Safe, unique output file names for videos of any name."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

from ..landmark_files.io import SUFFIX
from ..verdict.results import VideoResult, video_key

MAX_NAME_BYTES, MAX_SUFFIX = 80, 8
_HARMLESS = re.compile(r"[^\w.-]+|^[.-]+")


def upload_name(name: str) -> str:
    """A harmless name for an uploaded file; its suffix is kept."""
    plain = Path(name.replace("\\", "/")).name
    suffix = _HARMLESS.sub("", Path(plain).suffix)[:MAX_SUFFIX]
    stem = _HARMLESS.sub("_", Path(plain).stem.encode("utf-8", "replace").decode())
    return (_cut(stem) or "video") + (f".{suffix}" if suffix else "")


def _cut(name: str) -> str:
    return name.encode()[:MAX_NAME_BYTES].decode("utf-8", "ignore")


class FileNames:
    """Gives each video a name without a suffix that is safe in any file system and address, and no
    other video's."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def reserve(self, name: str) -> None:
        """Keeps a name from being given."""
        self._taken.add(name.casefold())

    def of(self, face: VideoResult) -> str:
        plain = video_key(face)[1].removesuffix(SUFFIX)
        name = _cut(_HARMLESS.sub("_", plain.encode("utf-8", "replace").decode())) or "_"
        if name != plain:
            name += f"-{zlib.crc32(plain.encode('utf-8', 'surrogatepass')):08x}"
        unique, number = name, 1
        while unique.casefold() in self._taken:
            number += 1
            unique = f"{name}-{number}"
        self._taken.add(unique.casefold())
        return unique
