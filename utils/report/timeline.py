"""The timeline of a face: clips, segments, cuts and motion, as fractions of the video's length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..landmark_files.io import LandmarkTrack
from ..landmark_files.segments import parse_segments
from ..rigid_motion import region_speeds
from ..shared import NORMALIZED
from ..verdict.results import ClipScore, VideoResult
from ..verdict.words import format_time
from .colours import score_hex
from .per_video import video_rate

TICK_SECONDS = (1, 2, 5, 10, 30, 60, 300, 600, 1800, 3600)
MAX_CURVE_POINTS = 500
MIN_CURVE_FRAMES = 15
CURVE_HEIGHT = 60.0  # units of the drawing


@dataclass(frozen=True)
class Span:
    """A stretch of a timeline, in shares of its length and in seconds, with its description."""

    start: float
    length: float
    said: str = ""
    clip: ClipScore | None = None
    colour: str = ""
    seconds: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Curve:
    """How fast a part of the face moved.

    Attributes:
        name: of the part; lines: of each segment, SVG points: x from 0 to 1000, y from 60, still,
            to 0.
        band: y of the most and the least of the range of real faces, or None where it is not known.
        said: what of it lies outside of that range; empty where that is little.
    """

    name: str
    lines: Sequence[str]
    band: tuple[float, float] | None
    said: str


class Timeline:
    """A face's timeline; `seconds` is the length of the video."""

    def __init__(self, face: VideoResult) -> None:
        self._fps = video_rate(face)
        segments = parse_segments(face.header.segments, face.frames)
        parts = [(one.time, one.time + (one.end - one.start) / self._fps) for one in segments]
        of_video = (face.header.video_frames or 0) / self._fps
        self.seconds = max(of_video, *(end for _, end in parts), 1e-3)
        self.segments = [
            self._span(start, end, f"seen from {format_time(start)} to {format_time(end)}")
            for start, end in parts
        ]
        self.clips = [self._clip(clip) for clip in face.clips]
        times = face.header.shot_times or ()
        self.cuts = [time / self.seconds for time in times if 0 < time < self.seconds]
        longest = int(self.seconds / 10) + 1
        step = next((one for one in TICK_SECONDS if self.seconds / one <= 10), longest)
        moments = range(0, int(self.seconds) + 1, step)
        self.ticks = [(moment / self.seconds, format_time(moment)) for moment in moments]

    def _span(self, start: float, end: float, said: str = "", **more: Any) -> Span:
        share = self.seconds
        return Span(start / share, (end - start) / share, said, seconds=(start, end), **more)

    def _clip(self, clip: ClipScore) -> Span:
        end = clip.time + (clip.end - clip.start) / self._fps
        streams = {"g1": clip.g1, "g2": clip.g2, "g3": clip.g3, "g4": clip.g4}
        of_streams = [f"{name} {by:.2f}" for name, by in streams.items() if by is not None]
        when = f"{format_time(clip.time)} to {format_time(end)}"
        said = f"{when}: {', '.join([f'score {clip.score:.2f}', *of_streams])}"
        return self._span(clip.time, end, said, clip=clip, colour=score_hex(clip.score))

    def curves(
        self, track: LandmarkTrack, ranges: Mapping[str, tuple[float, float]]
    ) -> list[Curve]:
        """How fast the parts of the face moved.

        Args:
            ranges: of real faces, by part: the least and the most of 90 % of the time.
        """
        if track.format != NORMALIZED:
            return []
        found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
        for segment in track.segments:
            landmarks = track.landmarks[segment.start : segment.end]
            if len(landmarks) < MIN_CURVE_FRAMES:
                continue
            times = segment.time + (np.arange(len(landmarks) - 1) + 0.5) / self._fps
            for name, speeds in region_speeds(landmarks, self._fps).items():
                found.setdefault(name, []).append((times, speeds))
        return [self._curve(name, parts, ranges.get(name)) for name, parts in found.items()]

    def _curve(
        self,
        name: str,
        parts: Sequence[tuple[np.ndarray, np.ndarray]],
        known: tuple[float, float] | None,
    ) -> Curve:
        values = np.concatenate([speeds for _, speeds in parts])
        top = max(float(values.max()), 1.2 * known[1] if known else 0.0, 1e-6)
        step = 1 + len(values) // MAX_CURVE_POINTS

        def height(speed: float) -> float:
            return round(CURVE_HEIGHT * (1 - speed / top), 1)

        lines = [
            " ".join(
                f"{1000 * time / self.seconds:.1f},{height(speed)}"
                for time, speed in zip(times[::step], speeds[::step], strict=True)
            )
            for times, speeds in parts
        ]
        band = (height(known[1]), height(known[0])) if known else None
        return Curve(name, lines, band, _outside(name, values, known))


def _outside(name: str, values: np.ndarray, known: tuple[float, float] | None) -> str:
    """What a part does unlike most real faces, where it does so for a tenth of the time or more."""
    if known is None:
        return ""
    slower, faster = float((values < known[0]).mean()), float((values > known[1]).mean())
    parts = [(slower, "more slowly"), (faster, "faster")]
    said = [f"{share:.0%} of the time {how}" for share, how in parts if share >= 0.1]
    verb = "move" if name == "eyes" else "moves"
    return f"The {name} {verb} {' and '.join(said)} than 95 % of real faces do." if said else ""
