"""The header of a landmark file (`# key: value` lines) as a typed dataclass. No other module knows
its keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ..console import printable
from ..limits import MAX_FPS, MAX_HEADER_NAME, MIN_FPS

VERSION_KEY, FORMAT_KEY = "lrnet-landmarks", "format"  # `io` reads and writes these
Quartiles = tuple[float, float, float]
_COUNT = re.compile(r"\d{1,12}")


def _line(parse: Callable[[str], Any], form: str = "{}") -> Any:
    """A value of the header: how it is read (ValueError where it cannot be), how it is written."""
    return field(default=None, metadata={"parse": parse, "format": form})


def _text() -> Any:
    return field(default="", metadata={"parse": str, "format": "{}"})


def _name() -> Any:
    return field(default="", metadata={"parse": lambda text: text[:MAX_HEADER_NAME]})


def _count(text: str) -> int:
    if not _COUNT.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if not abs(value) < 1e9:
        raise ValueError(text)
    return value


def _rate(text: str) -> float:
    value = float(text)
    if not MIN_FPS <= value <= MAX_FPS:
        raise ValueError(text)
    return value


def _quartiles(text: str) -> Quartiles:
    low, middle, high = map(_number, text.split())
    return low, middle, high


def _times(text: str) -> tuple[float, ...]:
    return tuple(map(_number, text.split()))


@dataclass(frozen=True)
class LandmarkHeader:
    """The header of a landmark file; None or empty where a key is missing.

    Attributes:
        video: file name; video_bytes: its size, by which a rerun knows it again.
        fps: frames per second; width, height: of its frames, pixels.
        video_frames: of the whole video; frames_lost: that were damaged.
        shot_times: seconds at which each shot begins; people: distinct ones found;
            left_out: how many of them have no file, and why.
        detect_every: frames between two runs of the face detector; precomputed: the file that the
            landmarks come from; crop, calibration: see `extract_landmarks.py`.
        frames: lines of the file; first_frame: of the video; frames_with_face: that show the face,
            the others repeat the one before.
        score: mean landmark score; trusted_share: of the landmarks that the optical flow follows.
        seconds: that the face is seen; face_pixels: larger side of the landmarks' box; eye_pixels:
            between the outer eye corners; movement: see `Segment.movement`.
        outside_frame: share of landmarks outside of the frame; covered_mouth, covered_eyes: from 0,
            plainly visible, to 1, plainly covered.
        yaw, pitch, roll: quartiles, degrees.
        face: as `1 of 2`; segments, crop_boxes: see the modules of these names.
        turned: degrees by which a face that was upside down or lay was turned.
        others: lines that no field holds, and values that cannot be read.
    """

    video: str = _name()
    video_bytes: int | None = _line(_count)
    fps: float | None = _line(_rate, "{:.6g}")
    width: int | None = _line(_count)
    height: int | None = _line(_count)
    video_frames: int | None = _line(_count)
    frames_lost: int | None = _line(_count)
    shot_times: tuple[float, ...] | None = _line(_times, "{:.3f}")
    people: int | None = _line(_count)
    left_out: str = _text()
    face_detector: str = _text()
    landmark_detector: str = _text()
    detect_every: int | None = _line(_count)
    precomputed: str = _text()
    crop: str = _text()
    calibration: str = _text()
    frames: int | None = _line(_count)
    first_frame: int | None = _line(_count)
    frames_with_face: int | None = _line(_count)
    score: float | None = _line(_number, "{:.4f}")
    trusted_share: float | None = _line(_number, "{:.4f}")
    seconds: float | None = _line(_number, "{:.3f}")
    face_pixels: float | None = _line(_number, "{:.1f}")
    eye_pixels: float | None = _line(_number, "{:.1f}")
    movement: float | None = _line(_number, "{:.5f}")
    outside_frame: float | None = _line(_number, "{:.4f}")
    covered_mouth: float | None = _line(_number, "{:.4f}")
    covered_eyes: float | None = _line(_number, "{:.4f}")
    yaw: tuple[float, float, float] | None = _line(_quartiles, "{:.0f}")
    pitch: tuple[float, float, float] | None = _line(_quartiles, "{:.0f}")
    roll: tuple[float, float, float] | None = _line(_quartiles, "{:.0f}")
    face: str = _text()
    segments: str = _text()
    crop_boxes: str = _text()
    turned: str = _text()
    others: dict[str, str] = field(default_factory=dict)

    @property
    def share_of_frames(self) -> float | None:
        """Of the frames in the face's own segments, the share that shows it."""
        if self.frames_with_face is None or not self.frames:
            return None
        return self.frames_with_face / self.frames

    @classmethod
    def parse(cls, lines: Mapping[str, str]) -> LandmarkHeader:
        """The header of these keys and values."""
        known = {one.name: one.metadata["parse"] for one in fields(cls) if one.metadata}
        values: dict[str, Any] = {}
        others = {}
        for key, text in lines.items():
            try:
                values[key] = known[key](text)
            except (KeyError, ValueError):
                if key not in (*_DERIVED, VERSION_KEY, FORMAT_KEY):
                    others[key] = text
        return cls(**values, others=others)

    def format(self) -> dict[str, str]:
        """Keys and values, in the order in which they are written."""
        lines = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if not one.metadata or value is None or value == "":
                continue
            form = one.metadata.get("format", "{}")
            several = value if isinstance(value, tuple) else (value,)
            lines[one.name] = printable(" ".join(form.format(part) for part in several))
        for key, derive in _DERIVED.items():
            value = derive(self)
            if value is not None:
                lines[key] = value
        return lines | {key: printable(str(value)) for key, value in self.others.items()}


# Lines that follow from others: written for people, never read.
_DERIVED: dict[str, Callable[[LandmarkHeader], str | None]] = {
    "shots": lambda header: None if header.shot_times is None else str(len(header.shot_times)),
    "share_of_frames": lambda header: (
        None if header.share_of_frames is None else f"{header.share_of_frames:.4f}"
    ),
}
