"""Detects and tracks the landmarks of every face in a video: frames to tracklets.

What happens then: `tracking.people` puts tracklets of one person together, `calibration` calibrates
and normalizes. A stable crop needs the mean face size of a segment, so what it is cut from is kept
on disk between detection and calibration (`utils.video.face_spool`), or the video is decoded again.
No more than a few frames are in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from .errors import InputError
from .LandmarkDetector.interface import LandmarkDetection
from .shared import LANDMARKS
from .texture.activation_measures import NO_ACTIVATIONS, ActivationMeter
from .texture.field_measures import NOT_MEASURED, TextureMeter
from .texture.occlusion import REGIONS, OcclusionModel
from .tracking.face_tracker import FaceTracker
from .tracking.face_tracks import Segment, fill_gaps, longest_step, measured_fps
from .tracking.identity import IdentitySampler
from .tracking.people import MIN_TRACKLET_FRAMES, VideoFaces
from .video.face_spool import FaceSpool
from .video.shots import ShotFrame


@dataclass(frozen=True)
class FaceMeasures:
    """What is measured of each face besides its landmarks.

    Attributes:
        stride: of `TextureMeter`.
        occlusion: looks every `look_every` frames whether mouth and eyes can be seen.
    """

    stride: int
    occlusion: OcclusionModel
    look_every: int


@dataclass
class _Tracklet:
    """What the tracker found of one tracklet so far, frame by frame."""

    numbers: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    found: list[LandmarkDetection | None] = field(default_factory=list)
    texture: list[np.ndarray] = field(default_factory=list)
    activations: list[np.ndarray] = field(default_factory=list)
    covered: list[tuple[float, ...]] = field(default_factory=list)
    measures: FaceMeasures | None = None

    def __post_init__(self) -> None:
        stride = self.measures.stride if self.measures else 1
        self.meter = TextureMeter(stride) if self.measures else None
        self._activation_meter = ActivationMeter(stride)

    def add(self, frame: ShotFrame, number: int, found: LandmarkDetection | None) -> None:
        self.numbers.append(number)
        self.times.append(frame.time)
        # activations are large, and are not needed again
        self.found.append(None if found is None else replace(found, activations=()))
        if self.meter is None:
            return
        if found is None:
            self.meter.reset()
            self._activation_meter.reset()
            self.texture.append(NOT_MEASURED)
            self.activations.append(NO_ACTIVATIONS)
        else:
            self.texture.append(self.meter.measure(frame.picture, found.landmarks))
            self.activations.append(self._activation_meter.measure(found.activations))
            self._look_at_regions()

    def _look_at_regions(self) -> None:
        index = len(self.found) - 1
        if self.measures is None or self.meter is None or index % self.measures.look_every:
            return
        covered = self.measures.occlusion.covered(self.meter.patch)
        self.covered.append((index, *covered))

    def segment(self, tracklet: int) -> Segment:
        """The tracklet up to the last frame that shows the face; gaps repeat the frame before."""
        detected = np.array([one is not None for one in self.found])
        last = np.flatnonzero(detected)[-1] + 1
        nothing = np.zeros((LANDMARKS, 2))
        landmarks = np.array([nothing if one is None else one.landmarks for one in self.found])
        filled, _ = fill_gaps(landmarks[:last], detected[:last])
        return Segment(
            np.array(self.numbers[:last]),
            np.array(self.times[:last]),
            filled,
            detected[:last],
            np.array([0.0 if one is None else one.score for one in self.found[:last]]),
            tracklet,
            texture=np.array(self.texture[:last]) if self.meter else None,
            activations=np.array(self.activations[:last]) if self.meter else None,
            covered=np.array(self.covered).reshape(-1, 1 + len(REGIONS)) if self.meter else None,
        )


def shot_batches(
    frames: Iterable[ShotFrame], size: int, fps: float
) -> Iterator[tuple[bool, list[ShotFrame]]]:
    """Batches of at most `size` frames that lie in one stretch without a cut or a pause, and
    whether such a stretch begins with the batch."""
    batch: list[ShotFrame] = []
    begins, last = True, None
    for frame in frames:
        ends = frame.begins_shot or (last is not None and frame.time - last > longest_step(fps))
        if batch and (ends or len(batch) == size):
            yield begins, batch
            batch, begins = [], False
        begins = begins or ends
        batch.append(frame)
        last = frame.time
    if batch:
        yield begins, batch


def detect_faces(
    frames: Iterable[ShotFrame],
    tracker: FaceTracker,
    fps: float,
    spool: FaceSpool | None = None,
    sampler: IdentitySampler | None = None,
    measures: FaceMeasures | None = None,
) -> VideoFaces:
    """Follows every face of a video.

    Args:
        spool: is given what surrounds each face in each frame.
        sampler: samples the faces for re-identification.
        measures: of each face; None: its landmarks only.

    Raises:
        InputError: no frame shows a face.
    """
    tracklets: dict[int, _Tracklet] = {}
    live: set[int] = set()
    number, shape = 0, (0, 0)
    times: list[float] = []
    shots: list[float] = []
    for begins, batch in shot_batches(frames, tracker.batch_size, fps):
        if begins:
            tracker.reset()
            live.clear()
            shots.append(batch[0].time)
        seen = tracker.track([frame.picture for frame in batch])
        for frame, faces in zip(batch, seen, strict=True):
            live |= faces.keys()
            for tracklet in live:
                found = faces.get(tracklet)
                if tracklet not in tracklets:
                    tracklets[tracklet] = _Tracklet(measures=measures)
                tracklets[tracklet].add(frame, number, found)
                _keep(tracklet, tracklets[tracklet], frame.picture, spool, sampler)
            times.append(frame.time)
            number += 1
        live &= tracker.alive
        shape = batch[-1].picture.shape[:2]
    segments = [tracklet.segment(name) for name, tracklet in tracklets.items()]
    segments = [segment for segment in segments if segment.detected.sum() >= MIN_TRACKLET_FRAMES]
    if not segments:
        raise InputError(f"no face in any of {number} frames")
    samples = {} if sampler is None else sampler.tracklets
    rate = measured_fps(np.array(times), fps)
    size = shape[1], shape[0]
    return VideoFaces(segments, samples, number, shots, rate, *size, tracker.beyond_limit)


def _keep(
    tracklet: int,
    so_far: _Tracklet,
    picture: np.ndarray,
    spool: FaceSpool | None,
    sampler: IdentitySampler | None,
) -> None:
    found = so_far.found[-1]
    if sampler is not None and found is not None:
        sampler.see(tracklet, len(so_far.found) - 1, picture, found.landmarks)
    if spool is not None:
        last = next(one for one in reversed(so_far.found) if one is not None)
        spool.add(tracklet, picture, last.landmarks)
