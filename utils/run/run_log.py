"""The extraction log: one line per face, appended as videos finish."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from ..console import notice, printable
from ..errors import InputError
from ..landmark_files.io import other_face_files, read_header
from ..locations import is_remote
from .extraction_job import VideoReport, parse_face_report

_LINE = re.compile(r"(.*) -?\d+\.\d{4} \d{4}-\d\d-\d\dT\S+ frames=")


class RunLog:
    """Appends to a log; several runs may share one.

    A run that was killed between a landmark file and its line leaves the line to the next.

    Raises:
        InputError: the log cannot be written; raised before the work, not halfway through.
    """

    def __init__(self, path: Path) -> None:
        lines: list[str] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                with path.open("a+", encoding="utf-8", errors="replace") as log:
                    log.seek(0)
                    lines = log.readlines()
                    if lines and not lines[-1].endswith("\n"):  # the disk was full
                        log.write("\n")
            elif not os.access(path.parent, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            reason = f"{path}: cannot be written ({error.strerror})"
            raise InputError(f"{reason}; choose another file with -l") from None
        self._path = path
        named = (_LINE.match(line) for line in lines)
        self._earlier = {match[1] for match in named if match}

    def note(self, report: VideoReport) -> None:
        """Logs a video that was extracted; one that failed has no line."""
        lines = "".join(f"{line}\n" for line in log_lines(report)).encode()
        if lines:  # in one piece, so that lines of several runs do not mix
            try:
                with self._path.open("ab", buffering=0) as log:
                    log.write(lines)
            except OSError as error:
                notice(f"{self._path}: lacks {report.video.name} ({error.strerror})")

    def note_earlier(self, video: Path, main: Path) -> None:
        """Logs a video whose landmarks were there already, if its line is missing."""
        if printable(video.name) in self._earlier or is_remote(main):
            return
        headers = [(path, read_header(path)) for path in (main, *other_face_files(main))]
        faces = [parse_face_report(*one) for one in headers]
        frames = headers[0][1].video_frames
        if None not in faces and frames is not None:
            self.note(VideoReport(video, frames=frames, faces=tuple(filter(None, faces))))


def log_lines(report: VideoReport) -> Iterator[str]:
    """`<video> <score> <ISO time> <frames> <frames with a face> <trusted share>`, one line per
    face; those after the first have their number."""
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    name = printable(report.video.name)
    for number, face in enumerate(report.faces, start=1):
        which = f" face={number}" if number > 1 else ""
        yield (
            f"{name} {face.score:.4f} {now} frames={report.frames} "
            f"with_face={face.frames_with_face} trusted={face.trusted_share:.4f}{which}"
        )
