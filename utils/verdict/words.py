"""Verdicts in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..shared import FAKE_THRESHOLD
from ..weights.sets import DecisionRule, WeightSet
from .reliability import out_of_range
from .results import FAKE, REAL, STRENGTHS, UNCLEAR, ClipScore, VideoResult

CAVEAT = (
    "This is about the motion and texture of one face, as far as a model has learned them. It is "
    "evidence, not proof; the score is not a probability; voice and context are not examined."
)
LONG_SECONDS = 8  # that a face should be seen
_STREAMS = {
    "g1": "g1, which reads the non-rigid motion of the landmarks, its moving average removed",
    "g2": "g2, which reads how the landmarks change from frame to frame",
    "g3": "g3, which reads how the texture of the face changes from frame to frame",
    "g4": "g4, which compares what g1's network sees in the motion with faces that it was shown",
}
_FAMILIES = {
    "swap": "face swaps: someone else's face put over this one, regenerated for each frame",
    "reenactment": "reenactments: a person's picture, driven by someone else's face",
    "lip-sync": "lip-syncs: a real video whose mouth was made to say something else",
    "talking head": "talking heads: a picture brought to life from a voice or a text",
}
# What a better copy would need, by the measurement that lies out of its range.
_BETTER_COPY = {
    "eye_pixels": "a larger face: a copy of higher resolution, or one that is not cropped",
    "seconds": "more seconds of this face without a cut",
    "fps": "a copy at its first frame rate, 24 to 30 frames per second",
    "share_of_frames": "a part in which the face is seen all the time",
    "score": "a part in which the face is plainly seen, in better light or focus",
    "yaw": "a part in which the face looks towards the camera",
    "pitch": "a part in which the face is held level",
    "covered_mouth": "a part in which nothing covers the mouth",
    "covered_eyes": "a part in which nothing covers the eyes",
    "outside_frame": "a copy that shows the whole face",
    "liveliness": "a part in which the person speaks or moves the face",
}
_OTHER_CHECKS = (
    "look for the earliest copy of the video, and who published it (reverse image search of some "
    "frames)",
    "compare it with other footage of the same person and of the same event",
    "ask what the person, or people who were there, say of it",
)


def describe_verdict(face: VideoResult) -> str:
    """One sentence on a face's label."""
    if face.label == FAKE:
        like = f", most of all like {_FAMILIES[face.family]}" if face.family in _FAMILIES else ""
        return f"The face moves and changes as in the fakes that the model knows{like}."
    if face.label == REAL:
        return "The face moves and changes like the real faces that the model knows."
    if face.label == UNCLEAR:
        return "The model cannot tell."
    return "There is no verdict."


def describe_strength(face: VideoResult) -> str:
    """What the evidence is worth: how often others had such a score; empty where that is not
    known."""
    if face.strength is None or face.share_of_others is None:
        return ""
    others, end = ("real", "as high") if face.leaning == FAKE else ("fake", "as low")
    start = f"{face.strength.capitalize()} evidence"
    if face.reasons:
        start += f" for {face.leaning}, which decides nothing"
    return (
        f"{start}: of 1000 {others} videos from sources that the model never saw, at most "
        f"{1000 * face.share_of_others:.0f} had {end} a score."
    )


def describe_false_alarms(rule: DecisionRule | None) -> str:
    """What stands beside each Fake: how often real videos are called so; empty where that was not
    measured."""
    if rule is None or rule.real_called_fake is None:
        return ""
    share = 100 * rule.real_called_fake
    return f"{share:.1f} % of the real videos of sources that the model never saw were called Fake."


def strength_legend(rule: DecisionRule | None) -> list[tuple[str, str, float, float]]:
    """What each word of strength is worth: the word, the label that it speaks for, and how often it
    fell on real and on fake videos; empty where that was not measured."""
    if rule is None:
        return []
    return [
        (word, label, *rule.strengths[label][word])
        for label in (FAKE, REAL)
        for _, word in STRENGTHS
        if word in rule.strengths.get(label, {})
    ]


def next_steps(
    measured: Mapping[str, float], weights: WeightSet
) -> tuple[list[str], Sequence[str]]:
    """For a face that is Unclear: what a better copy would need, and what else can be looked at."""
    outside = [name for name, *_ in out_of_range(measured, weights)]
    better = [_BETTER_COPY[name] for name in outside if name in _BETTER_COPY]
    if not outside and measured.get("seconds", LONG_SECONDS) < LONG_SECONDS:
        better.append(f"{_BETTER_COPY['seconds']}: {LONG_SECONDS} or more, now they are few")
    if not better:
        better.append("another part of the same video, or a copy that was compressed less")
    return better, _OTHER_CHECKS


def summary(name: str, label: str, faces: Sequence[VideoResult], sha256: str, about: str) -> str:
    """A video's verdict as plain text, to be pasted elsewhere.

    Args:
        sha256: of the file, or empty; about: the program, its weights and the date.
    """
    lines = [f"{name}: {label}"]
    for face in faces:
        which = f"Face {face.face}: " if len(faces) > 1 else ""
        score = "" if face.score is None else f", score {face.score:.2f} (0 real, 1 fake)"
        why = "; ".join(face.reasons) or face.error or describe_verdict(face)
        lines.append(f"{which}{face.label or 'no verdict'}{score}. {why}")
        lines += [strength] if (strength := describe_strength(face)) else []
    lines += [f"File: SHA-256 {sha256}"] if sha256 else []
    return "\n".join([*lines, about, CAVEAT])


def describe_stream(stream: str, clips: Sequence[ClipScore]) -> str:
    """One sentence on what a stream (`g1` to `g4`) saw."""
    values = [getattr(clip, stream) for clip in clips]
    over = sum(value >= FAKE_THRESHOLD for value in values)
    highest = max(range(len(values)), key=values.__getitem__)
    where = format_time(clips[highest].time)
    return (
        f"{_STREAMS[stream]}, leans to fake in {over} of {len(values)} clips, "
        f"most at {where} ({values[highest]:.2f})."
    )


def format_time(seconds: float) -> str:
    """Minutes and seconds, mm:ss; hours before them where there are some."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return (f"{hours}:" if hours else "") + f"{minutes:02d}:{whole % 60:02d}"
