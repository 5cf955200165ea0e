"""Validity checks: measurements of a face against the ranges that a set was validated on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..landmark_files.header import LandmarkHeader
from ..shared import STILL_THRESHOLD
from ..weights.sets import DecisionRule, WeightSet

Measurements = Mapping[str, float]
# What a set's `ranges` can bound: the words for too little and too much of it.
_TOO_LITTLE = {
    "eye_pixels": "{value:.0f} pixels between the eyes, minimum {bound:.0f}: the face is too small",
    "fps": "{value:.3g} frames per second, minimum {bound:.3g}",
    "seconds": "the face is visible for {value:.1f} s, minimum {bound:.1f} s",
    "share_of_frames": "the face is detected in {value:.0%} of its frames, minimum {bound:.0%}",
    "score": "landmark confidence {value:.2f}, minimum {bound:.2f}",
    "trusted_share": "optical flow tracks {value:.0%} of the landmarks, minimum {bound:.0%}",
    "liveliness": "non-rigid motion of the face {value:.2%} of the inter-ocular distance, "
    "minimum {bound:.1%}: it may be a filmed photograph",
}
_TOO_MUCH = {
    "fps": "{value:.3g} frames per second, maximum {bound:.3g}",
    "yaw": "head yaw {value:.0f} degrees, maximum {bound:.0f}",
    "pitch": "head pitch {value:.0f} degrees, maximum {bound:.0f}",
    "covered_mouth": "mouth covered: confidence {value:.2f}, maximum {bound:.2f}",
    "covered_eyes": "eyes covered: confidence {value:.2f}, maximum {bound:.2f}",
    "outside_frame": "{value:.0%} of the landmarks outside of the frame, maximum {bound:.0%}",
}


_NAMES = {
    "eye_pixels": ("distance between the eyes, pixels", "{:.0f}"),
    "fps": ("frame rate, frames per second", "{:.3g}"),
    "seconds": ("face visible, seconds", "{:.1f}"),
    "share_of_frames": ("frames with the face detected", "{:.0%}"),
    "score": ("landmark confidence", "{:.2f}"),
    "trusted_share": ("landmarks tracked by optical flow", "{:.0%}"),
    "yaw": ("head yaw, degrees", "{:.0f}"),
    "pitch": ("head pitch, degrees", "{:.0f}"),
    "covered_mouth": ("mouth covered (0 visible, 1 covered)", "{:.2f}"),
    "covered_eyes": ("eyes covered (0 visible, 1 covered)", "{:.2f}"),
    "outside_frame": ("landmarks outside the frame", "{:.0%}"),
    "movement": ("non-rigid motion, share of the inter-ocular distance", "{:.4f}"),
    "liveliness": ("the same without detector noise, best two seconds", "{:.4f}"),
}


@dataclass(frozen=True)
class MeasurementRow:
    """A figure for people: what it is, its value, what is needed, and whether it lies outside."""

    name: str
    value: str
    needed: str
    outside: bool


def header_measurements(header: LandmarkHeader) -> dict[str, float]:
    """The figures of a landmark file's header that a verdict can use, where they were measured;
    angles are the median, unsigned."""
    known = {
        "eye_pixels": header.eye_pixels,
        "fps": header.fps,
        "seconds": header.seconds,
        "score": header.score,
        "trusted_share": header.trusted_share,
        "movement": header.movement,
        "share_of_frames": header.share_of_frames,
        "outside_frame": header.outside_frame,
        "covered_mouth": header.covered_mouth,
        "covered_eyes": header.covered_eyes,
        "yaw": None if header.yaw is None else abs(header.yaw[1]),
        "pitch": None if header.pitch is None else abs(header.pitch[1]),
    }
    return {key: value for key, value in known.items() if value is not None}


def face_measurements(
    header: LandmarkHeader, fps: float | None, liveliness: float | None
) -> dict[str, float]:
    """A header's figures, and over them those of what was read of the face; None: not measured."""
    read = {"fps": fps, "liveliness": liveliness}
    known = {key: value for key, value in read.items() if value is not None}
    return header_measurements(header) | known


def out_of_range(
    measured: Measurements, weights: WeightSet
) -> Iterator[tuple[str, float, float, bool]]:
    """What lies outside of the ranges that the set was validated on: its name, its value, the bound
    that it is beyond, and whether that is too much."""
    for name, (least, most) in weights.ranges.items():
        value = measured.get(name)
        if value is None:
            continue
        if least is not None and value < least:
            yield name, value, least, False
        if most is not None and value > most:
            yield name, value, most, True


def out_of_range_reasons(measured: Measurements, weights: WeightSet) -> list[str]:
    """Why the set's word counts for nothing with this face; empty where it counts."""
    reasons = []
    for name, value, bound, too_much in out_of_range(measured, weights):
        texts, end = (_TOO_MUCH, "maximum") if too_much else (_TOO_LITTLE, "minimum")
        text = texts.get(name, f"{name} {{value:.3g}}, {end} {{bound:.3g}}")
        reasons.append(text.format(value=value, bound=bound))
    if measured.get("movement", 1.0) < STILL_THRESHOLD:
        reasons.append("the face does not move: this is a still picture")
    return reasons


def _undecided(score: float, band: tuple[float, float]) -> str:
    low, high = band
    between = f"score {score:.2f} is between {low:g} and {high:g}"
    return f"{between}, where this model makes too many mistakes"


def abstain_reasons(score: float, of_streams: Sequence[float], weights: WeightSet) -> list[str]:
    """Why a score does not decide, if it does not.

    Args:
        of_streams: the scores of g1 and of g2 alone: a fake must be one in each.
    """
    if weights.unclear is None or score < weights.unclear[0]:
        return []
    if score < weights.unclear[1]:
        return [_undecided(score, weights.unclear)]
    if min(of_streams) < weights.unclear[1]:
        g1, g2 = of_streams
        return [f"the streams disagree: {g1:.2f} by where landmarks lie, {g2:.2f} by how they move"]
    return []


def reasons_by_rule(
    score: float, band: tuple[float, float], similarity: float | None, rule: DecisionRule
) -> list[str]:
    """Why a score by a rule of decision does not decide, if it does not.

    Args:
        band: of the face's length; similarity: of its texture to what was learned.
    """
    reasons = []
    if similarity is not None and rule.similarity is not None and similarity < rule.similarity:
        reasons.append(
            "unlike the videos this model was trained on "
            f"(similarity {similarity:.2f}, minimum {rule.similarity:.2f})"
        )
    low, high = band
    if low <= score < high:
        reasons.append(f"{_undecided(score, band)} on videos of this length")
    return reasons


def measurement_table(measured: Measurements, weights: WeightSet) -> list[MeasurementRow]:
    """Everything that was measured of a face, beside the range in which the set's word counts."""
    ranges = dict(weights.ranges)
    if weights.unclear is not None:
        ranges["movement"] = (STILL_THRESHOLD, None)
    figures = []
    for key, (name, form) in _NAMES.items():
        if key not in measured:
            continue
        value, (least, most) = measured[key], ranges.get(key, (None, None))
        words = [] if least is None else [f"{form.format(least)} or more"]
        words += [] if most is None else [f"{form.format(most)} or less"]
        outside = (least is not None and value < least) or (most is not None and value > most)
        figures.append(MeasurementRow(name, form.format(value), ", ".join(words), outside))
    return figures
