"""The report: a page for each video and an index over all, without any outside address."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..atomic_write import AtomicFile
from ..console import notice, printable
from ..errors import InputError
from ..landmark_files.segments import parse_segments
from ..shared import VERSION
from ..verdict.reliability import (
    MeasurementRow,
    face_measurements,
    measurement_table,
)
from ..verdict.results import ClipScore, VideoResult, video_label
from ..verdict.words import (
    CAVEAT,
    describe_stream,
    describe_strength,
    describe_verdict,
    format_time,
)
from ..weights.downloads import checksum
from ..weights.sets import WeightSet
from .colours import score_rgb
from .content_credentials import can_read_credentials, read_credentials
from .evidence_frames import ClipPicture, clip_pictures, select_clips
from .file_names import FileNames
from .per_video import (
    PerVideoWriter,
    RunApart,
    VideoFinder,
    landmarks_by_frame,
    run_here,
    track_of,
    video_rate,
)

TEMPLATES = Path(__file__).resolve().parent / "templates"


@dataclass(frozen=True)
class Span:
    """A stretch of a timeline, in shares of its length, with what is told of it."""

    start: float
    length: float
    said: str = ""
    clip: ClipScore | None = None
    colour: str = ""


@dataclass(frozen=True)
class FacePart:
    """A face as the page shows it."""

    result: VideoResult
    verdict: str
    strength: str = ""
    clips: Sequence[Span] = ()
    segments: Sequence[Span] = ()
    cuts: Sequence[float] = ()
    ticks: Sequence[tuple[float, str]] = ()
    streams: Sequence[str] = ()
    pictures: Sequence[ClipPicture] = ()
    figures: Sequence[MeasurementRow] = ()


@dataclass(frozen=True)
class IndexRow:
    """A video's line of the index."""

    page: str
    name: str
    label: str
    score: float | None
    faces: int
    reason: str


class PageWriter(PerVideoWriter):
    """Writes `<video>.html` for each video, then `index.html`.

    Args:
        weights: the set that judged; find_video: where a face's video is.
        run_apart: does work that reads a video, in a process that may die.

    Raises:
        InputError: the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        weights: WeightSet,
        find_video: VideoFinder,
        run_apart: RunApart = run_here,
    ) -> None:
        super().__init__()
        self._folder = folder
        self._weights = weights
        self._find_video = find_video
        self._run_apart = run_apart
        self._names = FileNames()
        self._names.reserve("index")
        self._rows: list[IndexRow] = []

    def write_video(self, faces: Sequence[VideoResult]) -> None:
        video = self._find_video(faces[0])
        hashed = video or faces[0].path
        name = printable(faces[0].video or faces[0].name)
        page = f"{self._names.of(faces[0])}.html"
        label = video_label(faces) or "No verdict"
        self._write(
            page,
            "video.html.j2",
            name=name,
            label=label,
            faces=[self._part(face, video) for face in faces],
            video=video,
            sha256=checksum(hashed) if hashed.is_file() else "",
            hashed=printable(hashed.name),
            credentials=read_credentials(video) if video else None,
            can_read_credentials=can_read_credentials(),
        )
        scores = [face.score for face in faces if face.score is not None]
        deciding = next((face for face in faces if face.label == label), faces[0])
        reasons = [*deciding.reasons, deciding.error or ""]
        score = max(scores, default=None)
        self._rows.append(
            IndexRow(page, name, label, score, len(faces), printable(reasons[0]) if reasons else "")
        )

    def finish(self, interrupted: bool = False) -> None:
        self._write("index.html", "index.html.j2", rows=self._rows, interrupted=interrupted)

    def _part(self, face: VideoResult, video: Path | None) -> FacePart:
        if face.error is not None:
            return FacePart(face, describe_verdict(face))
        timeline = _Timeline(face)
        measured = face_measurements(face.header, face.fps, face.liveliness)
        return FacePart(
            face,
            describe_verdict(face),
            describe_strength(face),
            timeline.clips,
            timeline.segments,
            timeline.cuts,
            timeline.ticks,
            [describe_stream(stream, face.clips) for stream in face.streams],
            self._pictures(face, video),
            measurement_table(measured, self._weights),
        )

    def _pictures(self, face: VideoResult, video: Path | None) -> list[ClipPicture]:
        if video is None:
            return []
        try:
            landmarks = landmarks_by_frame(track_of(face))
            job = video, select_clips(face.clips), landmarks, video_rate(face)
            return self._run_apart(clip_pictures, job)
        except InputError as error:
            notice(f"{face.name}: no pictures for the report ({error})")
            return []

    @cached_property
    def _environment(self) -> Any:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        environment.globals |= {
            "style": (TEMPLATES / "page.css").read_text(encoding="utf-8"),
            "script": script,
            "script_hash": f"sha256-{digest}",
            "version": VERSION,
            "weights": self._weights,
            "caveat": CAVEAT,
        }
        environment.filters |= {"clock": format_time}
        return environment

    def _write(self, page: str, template: str, **content: Any) -> None:
        text = self._environment.get_template(template).render(**content)
        with AtomicFile(self._folder / page, errors="replace") as file:
            file.write(text)


class _Timeline:
    """A face's clips, segments and cuts in shares of the video's length."""

    def __init__(self, face: VideoResult) -> None:
        self._fps = video_rate(face)
        segments = parse_segments(face.header.segments, face.frames)
        parts = [(one.time, one.time + (one.end - one.start) / self._fps) for one in segments]
        of_video = (face.header.video_frames or 0) / self._fps
        self._length = max(of_video, *(end for _, end in parts), 1e-3)
        self.segments = [
            self._span(start, end, f"seen from {format_time(start)} to {format_time(end)}")
            for start, end in parts
        ]
        self.clips = [self._clip(clip) for clip in face.clips]
        times = face.header.shot_times or ()
        self.cuts = [time / self._length for time in times if 0 < time < self._length]
        steps = (1, 2, 5, 10, 30, 60, 300, 600, 1800, 3600)
        step = next((one for one in steps if self._length / one <= 10), int(self._length / 10) + 1)
        moments = range(0, int(self._length) + 1, step)
        self.ticks = [(moment / self._length, format_time(moment)) for moment in moments]

    def _span(self, start: float, end: float, said: str = "", **more: Any) -> Span:
        return Span(start / self._length, (end - start) / self._length, said, **more)

    def _clip(self, clip: ClipScore) -> Span:
        end = clip.time + (clip.end - clip.start) / self._fps
        said = (
            f"{format_time(clip.time)} to {format_time(end)}: score {clip.score:.2f}, "
            f"g1 {clip.g1:.2f}, g2 {clip.g2:.2f}"
        )
        red, green, blue = score_rgb(clip.score)
        colour = f"#{red:02x}{green:02x}{blue:02x}"
        return self._span(clip.time, end, said, clip=clip, colour=colour)
