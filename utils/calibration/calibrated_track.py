"""Calibrated, normalized landmarks for every frame of a face track."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from ..errors import InputError
from ..face_boxes import CropBox, cut_face
from ..shared import CROP_CENTRE
from ..tracking.face_tracks import FaceTrack
from .face_crop import to_crop_pixels, to_frame_pixels, video_crops
from .flow_and_kalman import Calibrator, normalize


@dataclass(frozen=True)
class CalibratedTrack:
    """Normalized landmarks (frames, 68, 2), the share of landmarks whose flow was trusted, and the
    crop of each frame, by segment."""

    landmarks: np.ndarray
    trusted_share: float
    crops: Sequence[Sequence[CropBox]]

    def in_frames(self) -> np.ndarray:
        """The landmarks (frames, 68, 2) in frame pixels."""
        pixels = self.landmarks * CROP_CENTRE + CROP_CENTRE
        pairs = zip(pixels, chain.from_iterable(self.crops), strict=True)
        return np.array([to_frame_pixels(points, box) for points, box in pairs])


def face_crops(track: FaceTrack, crop: str) -> list[list[CropBox]]:
    """The box of each frame's face, a list a segment; `crop` is `stable` or `per-frame`."""
    size = track.frame_width, track.frame_height
    return [video_crops(one.landmarks, *size, stable=crop == "stable") for one in track.segments]


def cut_faces(
    pictures: Iterable[np.ndarray], numbers: np.ndarray, crops: Sequence[Sequence[CropBox]]
) -> Iterator[np.ndarray]:
    """The crops (400, 400, 3) of the frames that show a face.

    Args:
        pictures: all of the video.
        numbers: (frames,), ascending, of those that show it; crops: their boxes, by segment.
    """
    boxes = [box for of_segment in crops for box in of_segment]
    wanted = dict(zip(numbers.tolist(), boxes, strict=True))
    for number, picture in enumerate(pictures):
        if number in wanted:
            yield cut_face(picture, wanted.pop(number))
        if not wanted:
            return


def calibrate_landmarks(
    faces: Iterable[np.ndarray], track: FaceTrack, crops: Sequence[Sequence[CropBox]]
) -> CalibratedTrack:
    """Calibrates a track; flow and filter restart at each segment.

    Args:
        faces: uint8 (400, 400, 3), the crop of each of the track's frames.
        crops: where they lie, of `face_crops`.

    Raises:
        InputError: the faces end before the track does.
    """
    cut = iter(faces)
    calibrated: list[np.ndarray] = []
    trusted: list[float] = []
    for segment, boxes in zip(track.segments, crops, strict=True):
        calibrator = Calibrator()
        for box, detection in zip(boxes, segment.landmarks, strict=True):
            face = next(cut, None)
            if face is None:
                raise InputError(
                    f"the video ends before frame {track.numbers[len(calibrated)]}, for which "
                    "there are landmarks"
                )
            calibrated.append(normalize(calibrator.step(face, to_crop_pixels(detection, box))))
        trusted += [calibrator.trusted_share] * len(segment)
    return CalibratedTrack(np.array(calibrated), float(np.mean(trusted)), crops)


def normalize_landmarks(track: FaceTrack, crops: Sequence[Sequence[CropBox]]) -> CalibratedTrack:
    """Landmarks as they were detected, in the crop's units; nothing is rounded."""
    normalized = [
        normalize(to_crop_pixels(detection, box, whole=False))
        for segment, boxes in zip(track.segments, crops, strict=True)
        for detection, box in zip(segment.landmarks, boxes, strict=True)
    ]
    return CalibratedTrack(np.array(normalized), 1.0, crops)
