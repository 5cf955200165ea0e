"""Reads the clips of a landmark file, and where each lies in the video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..landmark_files.formats import align
from ..landmark_files.io import LandmarkTrack
from ..landmark_files.segments import FileSegment
from ..network.clips import clip_bounds, frame_stride, moving_ranges
from ..rigid_motion import liveliness
from ..shared import ALIGNED, ANY_FORMAT, NORMALIZED
from ..texture.clip_figures import measured_share, texture_clips, texture_figures
from ..texture.texture_file import TextureTrack, read_texture
from ..video.file_types import DEFAULT_FPS
from ..weights.sets import WeightSet

MIN_MEASURED = 0.7  # of the frames of a texture clip


@dataclass(frozen=True)
class FaceClips:
    """The clips of a landmark file.

    Attributes:
        fps: frames per second of what is read; still: frames in which nothing moves.
        clips: one (frames, 136) float32 a clip.
        places: of each clip, first frame, frame after the last, and time.
        liveliness: of the liveliest part that is read, where one is long enough.
        figures: (clips of g3, n); figure_places: of each, first frame and the one after the last.
    """

    path: Path
    track: LandmarkTrack
    fps: float
    still: int
    clips: list[np.ndarray]
    places: list[tuple[int, int, float]]
    liveliness: float | None
    figures: np.ndarray
    figure_places: list[tuple[int, int]]


def read_clips(
    path: Path, track: LandmarkTrack, weights: WeightSet, with_texture: bool
) -> FaceClips:
    """The clips that a set reads of a file.

    Raises:
        InputError: the format is not what the set reads, or there is no clip.
    """
    landmarks, rate = _in_format(path, track, weights.format), track.header.fps or DEFAULT_FPS
    step = frame_stride(rate, weights.frame_rate)
    texture = _texture_at(path, track, step) if with_texture else None
    clips: list[np.ndarray] = []
    places: list[tuple[int, int, float]] = []
    figures: list[np.ndarray] = []
    figure_places: list[tuple[int, int]] = []
    lively: list[float | None] = []
    moving = 0
    for segment in track.segments:
        inside = landmarks[segment.start : segment.end]
        for first, last in moving_ranges(inside, rate):
            moving += last - first
            lively.append(liveliness(inside[first:last], rate))
            part = inside[first:last:step]
            for start, end in clip_bounds(len(part), weights.clip_length, weights.shortest):
                clips.append(part[start:end].reshape(end - start, -1).astype(np.float32))
                begins, ends = first + start * step, min(first + end * step, last)
                time = segment.time + begins / rate
                places.append((segment.frame + begins, segment.frame + ends, time))
            if texture is not None:
                lines = slice(segment.start + first, segment.start + last, step)
                part_texture = texture.rows[lines], texture.activations[lines]
                found = _figures(*part_texture, rate / step, segment.frame + first, step)
                figures += [one for one, _ in found]
                figure_places += [place for _, place in found]
    still = len(landmarks) - moving
    if not clips:
        raise InputError(f"{path}: {_no_clip(track.segments, still, step, weights.shortest)}")
    liveliest = max((one for one in lively if one is not None), default=None)
    return FaceClips(
        *(path, track, rate / step, still, clips, places, liveliest),
        np.array(figures),
        figure_places,
    )


def _figures(
    rows: np.ndarray, activations: np.ndarray, fps: float, frame: int, step: int
) -> list[tuple[np.ndarray, tuple[int, int]]]:
    """The figures of texture rows (frames, 49, 10) and activations (frames, 96), every `step`-th
    from a frame on, and the first frame and the one after the last of each."""
    return [
        (
            texture_figures(rows[start:end], activations[start:end], fps),
            (frame + start * step, frame + end * step),
        )
        for start, end in texture_clips(len(rows))
        if measured_share(rows[start:end]) >= MIN_MEASURED
    ]


def _texture_at(path: Path, track: LandmarkTrack, step: int) -> TextureTrack | None:
    """What the texture file holds, where there is one for this stride."""
    texture = read_texture(path, len(track.landmarks))
    return None if texture is None or texture.stride != step else texture


def _in_format(path: Path, track: LandmarkTrack, wanted: str) -> np.ndarray:
    if wanted in (track.format, ANY_FORMAT):
        return track.landmarks
    if track.format == NORMALIZED and wanted == ALIGNED:
        landmarks = align(track.landmarks)
        if not np.isfinite(landmarks).all():
            raise InputError(f"{path}: a frame's eyes coincide, so it cannot be aligned")
        return landmarks
    raise InputError(
        f"{path}: holds aligned landmarks, and the set reads normalized ones; choose another "
        "set, or extract the video again"
    )


def _no_clip(segments: list[FileSegment], still: int, step: int, shortest: int) -> str:
    """Why a file has no clip: a still picture, cuts or gaps, or too few frames."""
    frames, needed = segments[-1].end, shortest * step
    if still and frames - still < needed:
        return f"{still} of {frames} frames do not move: this is a still picture"
    if frames >= needed and len(segments) > 1:
        longest = max(one.end - one.start for one in segments)
        return (
            f"cuts or gaps divide its {frames} frames into {len(segments)} parts, the longest of "
            f"{longest}; {needed} in one piece make a clip"
        )
    return f"{frames} frames are too few; {needed} in one piece make a clip"
