"""Face tracks: one person through a video, in segments of consecutive frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from ..errors import InputError
from ..rigid_motion import liveliness, nonrigid_motion
from ..shared import LEFT_EYE, LIVENESS_THRESHOLD, RIGHT_EYE, STILL_THRESHOLD
from ..texture.occlusion import REGIONS
from ..texture.texture_rows import MEASURES
from .face_tracker import GAP_SECONDS

# Log energy of fine detail over that of middle detail, at 56 pixels: of 80 training videos between
# -0.65 and 0.05, blurred by 2.7 % of the face's size (2 of 75 pixels) at most -0.95.
BLURRED_DETAIL = -0.9
FINE, MIDDLE = MEASURES.index("fine"), MEASURES.index("middle")
GAP_FRAMES = 2.5  # frames' time that a slow video may leave between two frames of one segment
RATE_TOLERANCE = 0.02  # of the announced frame rate, that rounding makes of it


@dataclass(frozen=True)
class Segment:
    """One face through consecutive frames of one shot.

    Attributes:
        numbers: (frames,) of the video, from 0, one after another; times: (frames,) in seconds.
        landmarks: (frames, 68, 2) in frame pixels; a frame without the face repeats the one before.
        detected: (frames,) bool, False for those repeated.
        scores: (frames,) of the landmarks; 0 where not detected.
        tracklet: number of the tracklet that it comes from, by which `FaceSpool` knows it.
        start: its first frame among the tracklet's.
        texture: float16 (frames, 49, 10) of `utils.texture`, or None where it was not measured;
            activations: (frames, 96), the same.
        covered: (looks, 3): a frame of the segment, and the probability that mouth and eyes are
            covered in it.
    """

    numbers: np.ndarray
    times: np.ndarray
    landmarks: np.ndarray
    detected: np.ndarray
    scores: np.ndarray
    tracklet: int = 0
    start: int = 0
    texture: np.ndarray | None = None
    activations: np.ndarray | None = None
    covered: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    def part(self, start: int, end: int) -> Segment:
        """Frames `start` (included) to `end` (not)."""
        arrays = ("numbers", "times", "landmarks", "detected", "scores")
        kept = {name: getattr(self, name)[start:end] for name in arrays}
        if self.texture is not None and self.activations is not None:
            kept["texture"] = self.texture[start:end]
            kept["activations"] = self.activations[start:end]
        if self.covered is not None and len(self.covered):
            inside = (self.covered[:, 0] >= start) & (self.covered[:, 0] < end)
            kept["covered"] = self.covered[inside] - (start, 0, 0)
        return replace(self, start=self.start + start, **kept)

    @cached_property
    def movement(self) -> float:
        """How much the face moves in itself, in distances between the eyes."""
        return nonrigid_motion(self.landmarks)

    def is_blurred(self) -> bool:
        """Whether it is out of focus, as a copy that fills the ground behind a video is; False
        where its texture was not measured."""
        if self.texture is None or not np.isfinite(self.texture[..., FINE]).any():
            return False
        detail = self.texture[..., FINE].astype(np.float32) - self.texture[..., MIDDLE]
        return bool(np.nanmedian(detail) < BLURRED_DETAIL)

    def moves(self) -> bool:
        """Whether it is more than a picture that stands still."""
        return self.movement >= STILL_THRESHOLD

    def is_live(self) -> bool:
        """Whether it is more than a picture that is filmed by hand, panned or zoomed; what is too
        short to measure is live if it moves."""
        seconds = self.times[-1] - self.times[0]
        found = liveliness(self.landmarks, (len(self) - 1) / seconds) if seconds > 0 else None
        return self.moves() if found is None else found >= LIVENESS_THRESHOLD


@dataclass(frozen=True)
class FaceTrack:
    """One person through a video: segments in the order of time.

    Attributes:
        frame_width, frame_height: in pixels.
    """

    segments: tuple[Segment, ...]
    frame_width: int
    frame_height: int

    def _joined(self, name: str) -> np.ndarray:
        return np.concatenate([getattr(segment, name) for segment in self.segments])

    @cached_property
    def landmarks(self) -> np.ndarray:
        return self._joined("landmarks")

    @property
    def detected(self) -> np.ndarray:
        return self._joined("detected")

    @property
    def numbers(self) -> np.ndarray:
        return self._joined("numbers")

    @property
    def texture(self) -> tuple[np.ndarray, np.ndarray] | None:
        """That of all frames and their activations, or None where they were not measured."""
        if any(segment.texture is None for segment in self.segments):
            return None
        return self._joined("texture"), self._joined("activations")

    def covered(self, region: str) -> float | None:
        """The probability that a region (`mouth`, `eyes`) is covered, 0 to 1, averaged over all
        looks; None where it was not checked."""
        looks = [one.covered for one in self.segments if one.covered is not None]
        seen = [look[:, 1 + list(REGIONS).index(region)] for look in looks if len(look)]
        return float(np.concatenate(seen).mean()) if seen else None

    @property
    def outside_share(self) -> float:
        """The share of landmarks that lie outside of the frame."""
        size = self.frame_width, self.frame_height
        return float(((self.landmarks < 0) | (self.landmarks >= size)).any(axis=2).mean())

    @property
    def score(self) -> float:
        """The mean score of the landmarks that were detected."""
        return float(self._joined("scores")[self.detected].mean())

    @property
    def seconds(self) -> float:
        """How long the face is seen."""
        return float(sum(segment.times[-1] - segment.times[0] for segment in self.segments))

    @property
    def pixels(self) -> float:
        """The median size of the face: the larger side of its landmarks' box."""
        return float(np.median(np.ptp(self.landmarks, axis=1).max(axis=1)))

    @property
    def eye_pixels(self) -> float:
        """The median distance between the eyes' centres."""
        landmarks = self.landmarks
        across = landmarks[:, LEFT_EYE].mean(axis=1) - landmarks[:, RIGHT_EYE].mean(axis=1)
        return float(np.median(np.linalg.norm(across, axis=1)))

    @property
    def movement(self) -> float:
        """How much the face moves in itself, in distances between the eyes, in its liveliest
        segment."""
        return max(segment.movement for segment in self.segments)

    def is_live(self) -> bool:
        """Whether one of its segments does."""
        return any(segment.is_live() for segment in self.segments)

    def area(self, chosen: Callable[[Segment], bool] = lambda segment: True) -> float:
        """The face's area in square pixels, summed over the frames of the segments chosen."""
        areas = [
            float(np.square(np.ptp(segment.landmarks, axis=1).max(axis=1)).sum())
            for segment in self.segments
            if chosen(segment)
        ]
        return sum(areas)


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


def measured_fps(times: np.ndarray, frame_count_hint: float) -> float:
    """Frames a second by their times (frames,) in seconds, pauses left out; what was announced
    where it is no further off than rounding makes it."""
    steps = np.diff(times)
    steps = steps[(steps > 0) & (steps <= longest_step(frame_count_hint))]
    if not len(steps):
        return frame_count_hint
    rate = float(1 / steps.mean())
    return frame_count_hint if abs(rate / frame_count_hint - 1) < RATE_TOLERANCE else rate


def longest_step(fps: float) -> float:
    """Seconds between two frames beyond which they are not of one segment."""
    return max(GAP_SECONDS, GAP_FRAMES / fps)


def track_of_landmarks(
    landmarks: np.ndarray,
    detected: np.ndarray,
    frame_width: int,
    frame_height: int,
    score: float = 1.0,
    times: np.ndarray | None = None,
    fps: float = 25.0,
) -> FaceTrack:
    """One face's landmarks (frames, 68, 2) in frame pixels, from wherever they come.

    A gap of up to 0.2 s repeats the frame before, a longer one and a pause of the video end a
    segment.

    Args:
        times: (frames,) in seconds; by default from `fps`.

    Raises:
        InputError: no frame shows a face.
    """
    if not detected.any():
        raise InputError(f"no face in any of {len(detected)} frames")
    times = np.arange(len(detected)) / fps if times is None else times
    seen = np.flatnonzero(detected)
    gaps = times[seen[1:]] - times[np.minimum(seen[:-1] + 1, len(times) - 1)]
    steps = np.diff(times)
    pauses = np.array([steps[a:b].max() for a, b in pairwise(seen)])
    ends = (gaps > GAP_SECONDS + 1e-6) | (pauses > longest_step(fps))
    starts = seen[np.concatenate([[True], ends])]
    stops = seen[np.concatenate([ends, [True]])] + 1
    segments = []
    for start, stop in zip(starts, stops, strict=True):
        filled, _ = fill_gaps(landmarks[start:stop], detected[start:stop])
        numbers = np.arange(start, stop)
        inside = detected[start:stop]
        segments.append(Segment(numbers, times[start:stop], filled, inside, score * inside))
    return FaceTrack(tuple(segments), frame_width, frame_height)
