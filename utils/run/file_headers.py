"""Fills in landmark file headers: facts about the video, the extraction and the face."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from ..landmark_files.header import LandmarkHeader, Quartiles
from ..landmark_files.segments import format_segments
from ..tracking.face_tracks import FaceTrack
from ..tracking.pose import head_poses
from ..video.frames import Video
from .extraction_job import FaceReport


@dataclass(frozen=True)
class LandmarkSource:
    """Where a video's landmarks come from: for the header, and a notice."""

    face_detector: str
    landmark_detector: str
    calibration: str
    frames: int
    shots: list[float]
    fps: float
    people: int = 1
    detect_every: int | None = None
    precomputed: str = ""
    left_out: tuple[str, ...] = ()  # why, of each face that gets no file
    notice: str = ""


def describe_left_out(reasons: Iterable[str]) -> str:
    """How many faces get no file for which reason, as `2 under 64 pixels, 1 a still picture`."""
    return ", ".join(f"{count} {reason}" for reason, count in Counter(reasons).items())


def video_header(
    video: Video, source: LandmarkSource, frames_lost: int, crop: str
) -> LandmarkHeader:
    """The header keys that all faces of a video share."""
    return LandmarkHeader(
        video=video.path.name,
        video_bytes=video.file_bytes or None,  # an image sequence has none
        fps=source.fps,
        width=video.width,
        height=video.height,
        video_frames=source.frames,
        frames_lost=frames_lost,
        shot_times=tuple(source.shots),
        people=source.people,
        left_out=describe_left_out(source.left_out),
        face_detector=source.face_detector,
        landmark_detector=source.landmark_detector,
        detect_every=source.detect_every,
        precomputed=source.precomputed,
        crop=crop,
        calibration=source.calibration,
    )


def face_header(of_video: LandmarkHeader, face: FaceTrack, report: FaceReport) -> LandmarkHeader:
    """The same with the keys of one face."""
    poses = head_poses(face.landmarks, face.frame_width, face.frame_height)
    quartiles: list[Quartiles | None] = [None] * 3
    if len(poses):
        quartiles = [
            (low, middle, high)
            for low, middle, high in np.percentile(poses, (25, 50, 75), axis=0).T
        ]
    return replace(
        of_video,
        frames=report.frames,
        first_frame=int(face.numbers[0]),
        frames_with_face=report.frames_with_face,
        score=report.score,
        trusted_share=report.trusted_share,
        seconds=face.seconds,
        face_pixels=face.pixels,
        eye_pixels=face.eye_pixels,
        movement=face.movement,
        outside_frame=face.outside_share,
        covered_mouth=face.covered("mouth"),
        covered_eyes=face.covered("eyes"),
        segments=format_segments((s.numbers, s.times) for s in face.segments),
        yaw=quartiles[0],
        pitch=quartiles[1],
        roll=quartiles[2],
    )
