"""Makes `golden/sample_real_30.npz`: dlib's landmarks of the first 30 frames of our sample video,
and what the published calibration makes of them, with both crops.

    python tests/make_golden.py

The file was made on 2026-11-28 by code that reproduces the published code's answers on LRNet's own
videos (`tests/test_calibration.py`, where that material is present); it lets everybody else see
whether calibration still gives the same. Make it anew only after those tests pass.
"""

import sys
from itertools import islice
from pathlib import Path

import numpy as np

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from utils.calibration.calibrated_track import calibrate_landmarks, cut_faces, face_crops  # noqa: E402
from utils.landmark_utils import detect_faces  # noqa: E402
from utils.tracking.face_tracks import track_of_landmarks  # noqa: E402
from utils.video.frames import Video  # noqa: E402

SAMPLE = PROJECT / "input" / "sample_real.mp4"
GOLDEN = PROJECT / "tests" / "golden" / "sample_real_30.npz"
FRAMES = 30


def first_frames() -> list[np.ndarray]:
    with Video(SAMPLE) as video:
        return [picture.copy() for picture in islice(video.pictures(), FRAMES)]


def calibrated(landmarks: np.ndarray, pictures: list[np.ndarray], crop: str) -> np.ndarray:
    """Normalized landmarks (30, 68, 2), rounded as a landmark file has them."""
    height, width = pictures[0].shape[:2]
    track = track_of_landmarks(landmarks.astype(float), np.ones(FRAMES, bool), width, height)
    crops = face_crops(track, crop)
    faces = cut_faces(pictures, track.numbers, crops)
    return np.round(calibrate_landmarks(faces, track, crops).landmarks, 5)


def main() -> None:
    from utils.FaceDetector import make_face_detector
    from utils.LandmarkDetector import make_landmark_detector
    from utils.tracking.face_tracker import FaceTracker
    from utils.video.shots import ShotFrame

    pictures = first_frames()
    tracker = FaceTracker(make_face_detector("dlib"), make_landmark_detector("dlib"))
    shown = (ShotFrame(p, n / 30, n == 0) for n, p in enumerate(pictures))
    (segment,) = detect_faces(shown, tracker, 30.0).segments
    assert segment.detected.all() and len(segment) == FRAMES
    landmarks = segment.landmarks.astype(np.int16)
    crops = {crop: calibrated(landmarks, pictures, crop) for crop in ("stable", "per-frame")}
    GOLDEN.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        GOLDEN, landmarks=landmarks, stable=crops["stable"], per_frame=crops["per-frame"]
    )


if __name__ == "__main__":
    main()
