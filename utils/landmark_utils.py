"""The path of one video: frames -> detected landmarks -> calibrated, normalized landmarks.

A stable crop needs the mean face size of the whole video, so the frames are read twice: once to
detect, once to calibrate. No more than a few of them are in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np

from utils.calibration import Calibrator, normalize
from utils.errors import InputError
from utils.face_crop import cut_face, to_crop_pixels, to_frame_pixels, video_crops
from utils.face_following import FaceFollower
from utils.shared import LANDMARKS

Item = TypeVar("Item")

# Called with a frame, its detected and its calibrated landmarks (68, 2) in frame pixels.
Watcher = Callable[[np.ndarray, np.ndarray, np.ndarray], None]


@dataclass(frozen=True)
class DetectedTrack:
    """One face's landmarks as detected, from the first frame that shows it.

    Attributes:
        landmarks: (frames, 68, 2) in frame pixels; a frame without the face repeats the one before.
        detected: (frames,) bool, False for those repeated.
        first_frame: how many leading frames without the face were dropped.
        frame_width, frame_height: in pixels.
        score: mean score of the detected landmarks.
    """

    landmarks: np.ndarray
    detected: np.ndarray
    first_frame: int
    frame_width: int
    frame_height: int
    score: float = 1.0


@dataclass(frozen=True)
class CalibratedTrack:
    """Normalized landmarks (frames, 68, 2) and the share of landmarks whose flow was trusted."""

    landmarks: np.ndarray
    trusted_share: float


def in_batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Consecutive lists of `size` items; the last may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def fill_gaps(landmarks: np.ndarray, detected: np.ndarray) -> tuple[np.ndarray, int]:
    """Frames without a detection take the one before; leading ones are dropped.

    Args:
        landmarks: (frames, 68, 2); what a frame that is not detected holds is ignored.
        detected: (frames,) bool.

    Returns:
        Landmarks from the first detected frame on, and that frame's number. Empty where no frame
        is detected.
    """
    if not detected.any():
        return landmarks[:0], len(landmarks)
    first = int(detected.argmax())
    source = np.where(detected, np.arange(len(detected)), 0)
    return landmarks[np.maximum.accumulate(source)[first:]], first


def detect_landmarks(frames: Iterable[np.ndarray], follower: FaceFollower) -> DetectedTrack:
    """Finds one face's landmarks in every frame.

    Raises:
        InputError: no frame shows a face.
    """
    detections, frame_shape = [], (0, 0)
    for batch in in_batches(frames, follower.batch_size):
        frame_shape = batch[0].shape
        detections += follower.follow(batch)
    detected = np.array([found is not None for found in detections], bool)
    nothing = np.zeros((LANDMARKS, 2))
    raw = np.array([nothing if found is None else found.landmarks for found in detections])
    scores = [found.score for found in detections if found is not None]
    height, width = frame_shape[:2]
    return track_of_landmarks(raw, detected, width, height, float(np.mean(scores or [0])))


def track_of_landmarks(
    landmarks: np.ndarray, detected: np.ndarray, frame_width: int, frame_height: int, score: float
) -> DetectedTrack:
    """A track of landmarks (frames, 68, 2) in frame pixels, from wherever they come.

    Raises:
        InputError: no frame shows a face.
    """
    if not detected.any():
        raise InputError(f"no face in any of {len(detected)} frames")
    filled, first = fill_gaps(landmarks, detected)
    return DetectedTrack(filled, detected[first:], first, frame_width, frame_height, score)


def calibrate_landmarks(
    frames: Iterable[np.ndarray], track: DetectedTrack, crop: str, watch: Watcher | None = None
) -> CalibratedTrack:
    """Calibrates a detected track on the frames that it was detected in.

    Args:
        frames: the video's frames from its first on; those before `track.first_frame` are skipped.
        track: as `detect_landmarks` gives it; it may end before the video does.
        crop: `stable` or `per-frame`.
        watch: called after each calibrated frame.

    Raises:
        InputError: the frames end before the track does.
    """
    boxes = video_crops(track.landmarks, track.frame_width, track.frame_height, crop == "stable")
    calibrator, calibrated = Calibrator(), []
    used = islice(frames, track.first_frame, track.first_frame + len(boxes))
    for frame, box, detection in zip(used, boxes, track.landmarks, strict=False):
        points = calibrator.step(cut_face(frame, box), to_crop_pixels(detection, box))
        calibrated.append(normalize(points))
        if watch is not None:
            watch(frame, detection, to_frame_pixels(points, box))
    if len(calibrated) < len(boxes):
        raise InputError(f"ended after {len(calibrated)} of {len(boxes)} frames on second reading")
    return CalibratedTrack(np.array(calibrated), calibrator.trusted_share)
