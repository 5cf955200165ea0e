"""The HTML report: one page per video and an index, without any external resource."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from ..atomic_write import AtomicFile
from ..console import notice, printable
from ..errors import InputError
from ..shared import FAKE_THRESHOLD, VERSION
from ..verdict.decision import rule_of
from ..verdict.reliability import MeasurementRow, face_measurements, measurement_table
from ..verdict.results import UNCLEAR, VideoResult, video_label
from ..verdict.words import (
    CAVEAT,
    describe_false_alarms,
    describe_stream,
    describe_strength,
    describe_verdict,
    format_time,
    next_steps,
    strength_legend,
    summary,
)
from ..weights.downloads import checksum
from ..weights.sets import WeightSet
from .colours import score_hex
from .content_credentials import can_read_credentials, read_credentials
from .evidence_frames import FaceEvidence, FaceJob, VideoEvidence, gather_evidence, select_clips
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
from .result_writers import CsvWriter, JsonWriter, close_all
from .templating import TEMPLATES, template_environment
from .timeline import Curve, Timeline

NO_VERDICT = "No verdict"


@dataclass(frozen=True)
class FacePart:
    """A face as the page shows it."""

    result: VideoResult
    verdict: str
    strength: str = ""
    timeline: Timeline | None = None
    curves: Sequence[Curve] = ()
    streams: Sequence[str] = ()
    evidence: FaceEvidence = field(default_factory=FaceEvidence)
    figures: Sequence[MeasurementRow] = ()
    better_copy: Sequence[str] = ()
    other_checks: Sequence[str] = ()


@dataclass(frozen=True)
class IndexRow:
    """A video's line of the index."""

    page: str
    name: str
    folder: str
    label: str
    score: float | None
    faces: int
    seconds: float | None
    reason: str
    thumbnail: str
    colour: str


class PageWriter(PerVideoWriter):
    """Writes `<video>.html` for each video, then `index.html`, `results.json` and `results.csv`.

    Args:
        weights: the set that judged; find_video: where a face's video is.
        run_apart: does work that reads a video, in a process that may die.
        home: what a page's link to all videos leads to.
        threshold: from which on a score is fake, where the set has no band.

    Raises:
        InputError: the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        weights: WeightSet,
        find_video: VideoFinder,
        run_apart: RunApart = run_here,
        home: str = "index.html",
        threshold: float = FAKE_THRESHOLD,
    ) -> None:
        super().__init__()
        self._folder = folder
        self._weights = weights
        self._find_video = find_video
        self._run_apart = run_apart
        self._home = home
        self._names = FileNames()
        for taken in ("index", "results"):
            self._names.reserve(taken)
        self._rows: list[IndexRow] = []
        self._tables = (
            JsonWriter(folder / "results.json", weights.name, threshold),
            CsvWriter(folder / "results.csv"),
        )

    def add(self, result: VideoResult) -> None:
        super().add(result)
        # pages are shown to others: folders of this machine are nothing to them
        source = result.source and Path(result.source.name)
        shown = replace(result, path=Path(result.path.name), source=source)
        for table in self._tables:
            table.add(shown)

    def close(self, interrupted: bool = False) -> None:
        try:
            super().close(interrupted)
        finally:
            close_all(self._tables, interrupted)

    def write_video(self, faces: Sequence[VideoResult]) -> None:
        video = self._find_video(faces[0])
        hashed = video or faces[0].path
        name = printable(faces[0].video or faces[0].name)
        stem = self._names.of(faces[0])
        label = video_label(faces) or NO_VERDICT
        evidence = self._evidence(faces, video, f"{stem}.mp4")
        parts = [self._part(face, seen) for face, seen in zip(faces, evidence.faces, strict=True)]
        sha256 = checksum(hashed) if hashed.is_file() else ""
        about = f"LRNet {VERSION}, weights {self._weights.name}, {date.today().isoformat()}"
        self._write(
            f"{stem}.html",
            "video.html.j2",
            name=name,
            label=label,
            faces=parts,
            video=video,
            preview=evidence.preview,
            sha256=sha256,
            hashed=printable(hashed.name),
            home=self._home,
            summary=summary(name, label, faces, sha256, about),
            credentials=read_credentials(video) if video else None,
            can_read_credentials=can_read_credentials(),
        )
        self._rows.append(_index_row(f"{stem}.html", name, label, parts))

    def finish(self, interrupted: bool = False) -> None:
        times = Counter(row.name for row in self._rows)
        rows = [
            replace(row, name=f"{row.name} ({row.folder})") if times[row.name] > 1 else row
            for row in self._rows
        ]
        self._write("index.html", "index.html.j2", rows=rows, interrupted=interrupted)

    def _part(self, face: VideoResult, evidence: FaceEvidence) -> FacePart:
        if face.error is not None:
            return FacePart(face, describe_verdict(face))
        measured = face_measurements(face.header, face.fps, face.liveliness)
        better, others = next_steps(measured, self._weights) if face.label == UNCLEAR else ((), ())
        timeline = Timeline(face)
        return FacePart(
            face,
            describe_verdict(face),
            describe_strength(face),
            timeline,
            self._curves(face, timeline),
            [describe_stream(stream, face.clips) for stream in face.streams],
            evidence,
            measurement_table(measured, self._weights),
            better,
            others,
        )

    def _curves(self, face: VideoResult, timeline: Timeline) -> Sequence[Curve]:
        try:
            return timeline.curves(track_of(face), self._weights.motion)
        except InputError as error:  # its file went away since it was classified
            notice(f"{face.name}: no curves for the report ({error})")
            return []

    def _evidence(
        self, faces: Sequence[VideoResult], video: Path | None, preview: str
    ) -> VideoEvidence:
        nothing = VideoEvidence([FaceEvidence() for _ in faces], None)
        if video is None:
            return nothing
        try:
            jobs = [
                FaceJob((), {})
                if face.error is not None
                else FaceJob(
                    select_clips(face.clips), landmarks_by_frame(track_of(face)), face.fields
                )
                for face in faces
            ]
            job = video, jobs, video_rate(faces[0]), self._folder / preview
            work = partial(gather_evidence, max_megapixels=self._find_video.max_megapixels)
            return self._run_apart(work, job)
        except InputError as error:
            notice(f"{faces[0].name}: no pictures for the report ({error})")
            return nothing

    @cached_property
    def _environment(self) -> Any:
        environment = template_environment()
        script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        environment.globals |= {
            "style": (TEMPLATES / "page.css").read_text(encoding="utf-8"),
            "script": script,
            "script_hash": f"sha256-{digest}",
            "version": VERSION,
            "weights": self._weights,
            "legend": strength_legend(rule_of(self._weights)),
            "false_alarms": describe_false_alarms(rule_of(self._weights)),
            "caveat": CAVEAT,
        }
        environment.filters |= {"clock": format_time}
        return environment

    def _write(self, page: str, template: str, **content: Any) -> None:
        text = self._environment.get_template(template).render(**content)
        with AtomicFile(self._folder / page, errors="replace") as file:
            file.write(text)


def _index_row(page: str, name: str, label: str, parts: Sequence[FacePart]) -> IndexRow:
    faces = [part.result for part in parts]
    score = max((face.score for face in faces if face.score is not None), default=None)
    deciding = next((face for face in faces if face.label == label), faces[0])
    reasons = [*deciding.reasons, deciding.error or ""]
    timeline = parts[0].timeline
    return IndexRow(
        page,
        name,
        printable(str((faces[0].source or faces[0].path).parent)),
        label,
        score,
        len(faces),
        timeline.seconds if timeline else None,
        printable(reasons[0]) if reasons else "",
        parts[0].evidence.thumbnail,
        score_hex(0.5 if score is None else score),
    )
