"""What a landmark file's header tells: of the video, of how it was read, of the face."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..face_tracks import FaceTrack
from ..tracking.pose import head_poses
from ..video.frames import Video


@dataclass(frozen=True)
class FaceReport:
    """What came of one face."""

    file: Path
    score: float
    frames: int
    frames_with_face: int
    trusted_share: float


@dataclass(frozen=True)
class LandmarkSource:
    """Where a video's landmarks come from: for the header, and a notice."""

    face_detector: str
    landmark_detector: str
    calibration: str
    more: dict[str, Any]
    frames: int
    shots: list[float]
    fps: float
    people: int = 1
    notice: str = ""


def video_header(
    video: Video, source: LandmarkSource, frames_lost: int, crop: str
) -> dict[str, Any]:
    """What the files of all faces of a video tell."""
    return {
        "video": video.path.name,
        # by which a rerun knows it again; an image sequence has none
        **({"video_bytes": video.file_bytes} if video.file_bytes else {}),
        "fps": f"{source.fps:.6g}",
        "width": video.width,
        "height": video.height,
        "video_frames": source.frames,
        "frames_lost": frames_lost,
        "shots": len(source.shots),
        "shot_times": " ".join(f"{time:.3f}" for time in source.shots),
        "people": source.people,
        "face_detector": source.face_detector,
        "landmark_detector": source.landmark_detector,
        **source.more,
        "crop": crop,
        "calibration": source.calibration,
    }


def face_header(face: FaceTrack, report: FaceReport, source: LandmarkSource) -> dict[str, Any]:
    """What is told of one face."""
    poses = head_poses(face.landmarks, face.frame_width, face.frame_height)
    quartiles = {
        name: " ".join(f"{value:.0f}" for value in np.percentile(poses[:, column], (25, 50, 75)))
        for column, name in enumerate(("yaw", "pitch", "roll"))
        if len(poses)
    }
    return {
        "frames": report.frames,
        "first_frame": int(face.numbers[0]),
        "frames_with_face": report.frames_with_face,
        "share_of_frames": f"{report.frames_with_face / report.frames:.4f}",
        "score": f"{report.score:.4f}",
        "trusted_share": f"{report.trusted_share:.4f}",
        "seconds": f"{face.seconds:.3f}",
        "face_pixels": f"{face.pixels:.1f}",
        "eye_pixels": f"{face.eye_pixels:.1f}",
        "movement": f"{face.movement:.5f}",
        **quartiles,
    }


def parse_face_report(path: Path, header: dict[str, str]) -> FaceReport | None:
    """What a file's header tells of its face; None where another program wrote it."""
    try:
        return FaceReport(
            path,
            float(header["score"]),
            int(header["frames"]),
            int(header["frames_with_face"]),
            float(header["trusted_share"]),
        )
    except (KeyError, ValueError):
        return None
