"""Extraction between remote addresses: download, extract on disk, upload."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from ..errors import InputError
from ..landmark_files.io import other_face_files, remove_stale_outputs
from ..locations import is_remote, local_copy, storage_errors, upload
from ..texture.texture_file import texture_path
from .extraction_job import ExtractionOptions, VideoReport
from .video_extraction import VideoExtractor


class RemoteExtractor:
    """Does what `VideoExtractor` does, with videos, landmarks and drawn videos wherever they are.

    Raises:
        InputError: a detector's model is not available.
    """

    def __init__(self, options: ExtractionOptions) -> None:
        self._options = options
        self._drawn: tempfile.TemporaryDirectory | None = None
        if is_remote(options.visualize_path):
            self._drawn = tempfile.TemporaryDirectory(prefix="lrnet-drawn-")
            options = replace(options, visualize_path=Path(self._drawn.name))
        self._extractor = VideoExtractor(options)

    def extract(self, video: Path, output: Path, show_progress: bool) -> VideoReport:
        """As `VideoExtractor.extract`; what fails on the way ends in the report too."""
        with ExitStack() as stack:
            try:
                copy = stack.enter_context(local_copy(video))
                local = output
                if is_remote(output):
                    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="lrnet-out-"))
                    local = Path(folder) / output.name
                report = self._extractor.extract(copy, local, show_progress)
                if not report.error:
                    self._deliver(local, output)
            except InputError as error:
                return VideoReport(video, error=f"{video}: {error}")
        faces = [replace(face, file=output.with_name(face.file.name)) for face in report.faces]
        reason = report.error.replace(str(copy), str(video))
        return replace(report, video=video, error=reason, faces=tuple(faces))

    def _deliver(self, local: Path, output: Path) -> None:
        """The main face's file last: where it exists, all are there."""
        if self._drawn is not None:
            drawn = sorted(Path(self._drawn.name).iterdir())
            upload(drawn, self._options.visualize_path)
            for file in drawn:
                file.unlink()
        if not is_remote(output):
            return
        others = other_face_files(local)
        with storage_errors(output, "written"):
            remove_stale_outputs(output, 1 + len(others))
        textures = [path for path in map(texture_path, (*others, local)) if path.is_file()]
        upload([*textures, *others, local], output.parent)
