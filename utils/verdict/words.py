"""A verdict in words of evidence."""

from __future__ import annotations

from collections.abc import Sequence

from ..shared import FAKE_THRESHOLD
from .results import FAKE, REAL, UNCLEAR, ClipScore, VideoResult

CAVEAT = (
    "This is about the motion and texture of one face, as far as a model has learned them. It is "
    "evidence, not proof; the score is not a probability; voice and context are not examined."
)
_STREAMS = {
    "g1": "g1, which reads the non-rigid motion of the landmarks, its moving average removed",
    "g2": "g2, which reads how the landmarks change from frame to frame",
    "g3": "g3, which reads how the texture of the face changes from frame to frame",
}


def describe_verdict(face: VideoResult) -> str:
    """One sentence on a face's label."""
    if face.label == FAKE:
        like = f", most of all those of the kind {face.family}" if face.family else ""
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


def describe_stream(stream: str, clips: Sequence[ClipScore]) -> str:
    """One sentence on what a stream (`g1`, `g2` or `g3`) saw."""
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
