"""The timelines of a video's faces as an SVG file, drawn as the report's page draws them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..atomic_write import AtomicFile
from ..console import printable
from ..verdict.results import VideoResult
from .file_names import FileNames
from .per_video import PerVideoWriter
from .templating import template_environment
from .timeline import Timeline


class TimelineWriter(PerVideoWriter):
    """Writes `<video>.svg` for each video, one timeline per face.

    Raises:
        InputError: the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._names = FileNames()
        self._template = template_environment().get_template("timelines.svg.j2")

    def write_video(self, faces: Sequence[VideoResult]) -> None:
        rows = [(_title(face), Timeline(face), face.band) for face in faces if face.clips]
        if not rows:
            return
        path = self._folder / f"{self._names.of(faces[0])}.svg"
        with AtomicFile(path, errors="replace") as file:
            file.write(self._template.render(rows=rows))


def _title(face: VideoResult) -> str:
    name = printable(face.video or face.name)
    return f"{name}, face {face.face}: {face.label}, {face.score:.2f}"
