"""Groups tracklets into people, and ranks them: the main face first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .face_tracks import FaceTrack, Segment
from .identity import TrackletSamples, cluster_identities, find_identity_change

MIN_TRACKLET_FRAMES = 3  # frames; less is a detector's slip
AROUND_CHANGE = 3  # frames left out where a tracklet switches to another person
MIN_SECONDS, MIN_PIXELS = 2.0, 64  # that a face beside the main one is seen for, and large


@dataclass(frozen=True)
class VideoFaces:
    """All that was found in a video: its segments, what its people are known by, and its size."""

    segments: list[Segment]
    samples: dict[int, TrackletSamples]
    frames: int
    shots: list[float]  # the time at which each begins
    fps: float
    frame_width: int
    frame_height: int
    beyond_limit: int = 0  # faces at one time that were not followed


def _split_at_change(
    segment: Segment, samples: TrackletSamples | None
) -> list[tuple[Segment, np.ndarray | None]]:
    """A segment, or its two parts where it switches to another person, with mean embeddings."""
    if samples is None or not samples.embeddings:
        return [(segment, None)]
    change = find_identity_change(samples.embeddings)
    if change is None:
        return [(segment, samples.mean)]
    start, end = samples.at[change - 1], min(samples.at[change], len(segment) - 1)
    steps = np.linalg.norm(np.diff(segment.landmarks[start : end + 1], axis=0), axis=2).mean(axis=1)
    middle = start + 1 + int(steps.argmax()) if len(steps) else end
    parts: list[tuple[Segment, np.ndarray | None]] = []
    bounds = ((0, middle - AROUND_CHANGE), (middle + AROUND_CHANGE, len(segment)))
    halves = (samples.embeddings[:change], samples.embeddings[change:])
    for (first, last), of_part in zip(bounds, halves, strict=True):
        part = segment.part(max(0, first), max(0, last))
        if part.detected.sum() >= MIN_TRACKLET_FRAMES:
            parts.append((part, np.mean(of_part, axis=0)))
    return parts or [(segment, samples.mean)]


def group_by_identity(found: VideoFaces) -> list[FaceTrack]:
    """The people of a video, the main one first, then by how long they are seen.

    The main face has the largest area over the frames in which it is in focus and live; where
    there are none, in which it is live; then in which it moves; where nothing moves, the largest
    area.
    """
    parts = [
        part
        for segment in found.segments
        for part in _split_at_change(segment, found.samples.get(segment.tracklet))
    ]
    spans = [(int(part.numbers[0]), int(part.numbers[-1])) for part, _ in parts]
    people = [
        FaceTrack(
            tuple(sorted((parts[index][0] for index in person), key=lambda one: one.numbers[0])),
            found.frame_width,
            found.frame_height,
        )
        for person in cluster_identities([mean for _, mean in parts], spans)
    ]
    main = max(people, key=_main_face_rank)
    others = sorted((face for face in people if face is not main), key=lambda face: -face.seconds)
    return [main, *others]


def _main_face_rank(face: FaceTrack) -> tuple[float, ...]:
    in_focus = face.area(lambda segment: segment.is_live() and not segment.is_blurred())
    return in_focus, face.area(Segment.is_live), face.area(Segment.moves), face.area()


def reason_left_out(face: FaceTrack) -> str | None:
    """Why a face beside the main one gets no file; None where it gets one."""
    if face.pixels < MIN_PIXELS:
        return f"under {MIN_PIXELS} pixels"
    if face.seconds < MIN_SECONDS:
        return f"seen for less than {MIN_SECONDS:g} s"
    if not face.is_live():
        return "a still picture"
    if all(segment.is_blurred() for segment in face.segments):
        return "out of focus"
    return None
