"""The path of one video: frames -> detected landmarks -> calibrated, normalized landmarks.

A stable crop needs the mean face size of the whole video. What it is cut from is therefore kept on
disk between detection and calibration (`utils.video.face_spool`), or the video is decoded twice. No
more than a few frames are in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np

from .calibration.face_crop import to_crop_pixels, to_frame_pixels, video_crops
from .calibration.flow_and_kalman import Calibrator, normalize
from .errors import InputError
from .face_boxes import CropBox, cut_face
from .shared import CROP_CENTRE, LANDMARKS
from .tracking.following import FaceFollower
from .video.face_spool import FaceSpool

Item = TypeVar("Item")


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

    def crops(self, crop: str) -> list[CropBox]:
        """The box of each frame's face; `crop` is `stable` or `per-frame`."""
        size = self.frame_width, self.frame_height
        return video_crops(self.landmarks, *size, stable=crop == "stable")


@dataclass(frozen=True)
class CalibratedTrack:
    """Normalized landmarks (frames, 68, 2) and the share of landmarks whose flow was trusted."""

    landmarks: np.ndarray
    trusted_share: float

    def in_frames(self, boxes: Sequence[CropBox]) -> np.ndarray:
        """The landmarks (frames, 68, 2) in frame pixels."""
        pixels = self.landmarks * CROP_CENTRE + CROP_CENTRE
        pairs = zip(pixels, boxes, strict=True)
        return np.array([to_frame_pixels(points, box) for points, box in pairs])


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


def detect_landmarks(
    frames: Iterable[np.ndarray], follower: FaceFollower, spool: FaceSpool | None = None
) -> DetectedTrack:
    """Finds one face's landmarks in every frame.

    Args:
        spool: is given each frame from the first that shows the face.

    Raises:
        InputError: no frame shows a face.
    """
    detections, frame_shape, last = [], (0, 0), None
    for batch in in_batches(frames, follower.batch_size):
        frame_shape = batch[0].shape
        found = follower.follow(batch)
        detections += found
        for frame, detection in zip(batch, found, strict=True):
            last = last if detection is None else detection.landmarks
            if spool is not None and last is not None:
                spool.add(frame, last)
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


def cut_faces(
    frames: Iterable[np.ndarray], boxes: Sequence[CropBox], first_frame: int
) -> Iterator[np.ndarray]:
    """The crops (400, 400, 3) of a video's frames; those before `first_frame` are skipped."""
    used = islice(frames, first_frame, first_frame + len(boxes))
    for frame, box in zip(used, boxes, strict=False):
        yield cut_face(frame, box)


def calibrate_landmarks(
    faces: Iterable[np.ndarray], track: DetectedTrack, boxes: Sequence[CropBox]
) -> CalibratedTrack:
    """Calibrates a detected track.

    Args:
        faces: uint8 (400, 400, 3), the crop of each of the track's frames.
        track: as `detect_landmarks` gives it.
        boxes: where the crops lie, `track.crops`.

    Raises:
        InputError: the faces end before the track does.
    """
    calibrator, calibrated = Calibrator(), []
    for face, box, detection in zip(faces, boxes, track.landmarks, strict=False):
        points = calibrator.step(face, to_crop_pixels(detection, box))
        calibrated.append(normalize(points))
    if len(calibrated) < len(boxes):
        raise InputError(
            f"the video has {len(calibrated) + track.first_frame} frames where there are "
            f"landmarks for {len(boxes) + track.first_frame}"
        )
    return CalibratedTrack(np.array(calibrated), calibrator.trusted_share)
