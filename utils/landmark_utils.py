"""The path of one video: frames -> tracklets -> people -> calibrated, normalized landmarks.

A stable crop needs the mean face size of a segment. What it is cut from is therefore kept on disk
between detection and calibration (`utils.video.face_spool`), or the video is decoded again. No more
than a few frames are in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from .calibration.face_crop import to_crop_pixels, to_frame_pixels
from .calibration.flow_and_kalman import Calibrator, normalize
from .errors import InputError
from .face_boxes import CropBox, cut_face
from .face_tracks import FaceTrack, Segment, fill_gaps, longest_step, measured_fps
from .LandmarkDetector.interface import LandmarkDetection
from .shared import CROP_CENTRE, LANDMARKS
from .texture.field_measures import NOT_MEASURED, TextureMeter
from .tracking.face_tracker import FaceTracker
from .tracking.identity import (
    IdentitySampler,
    TrackletSamples,
    cluster_identities,
    find_identity_change,
)
from .video.face_spool import FaceSpool
from .video.shots import ShotFrame

MIN_TRACKLET_FRAMES = 3  # frames; less is a detector's slip
AROUND_CHANGE = 3  # frames left out where a tracklet goes over to somebody else
MIN_SECONDS, MIN_PIXELS = 2.0, 64  # that a face beside the main one is seen for, and large


@dataclass(frozen=True)
class CalibratedTrack:
    """Normalized landmarks (frames, 68, 2), and the share of landmarks whose flow was trusted."""

    landmarks: np.ndarray
    trusted_share: float

    def in_frames(self, crops: Sequence[Sequence[CropBox]]) -> np.ndarray:
        """The landmarks (frames, 68, 2) in frame pixels."""
        pixels = self.landmarks * CROP_CENTRE + CROP_CENTRE
        boxes = [box for of_segment in crops for box in of_segment]
        pairs = zip(pixels, boxes, strict=True)
        return np.array([to_frame_pixels(points, box) for points, box in pairs])


@dataclass
class _Tracklet:
    """What the tracker found of one tracklet so far, frame by frame."""

    numbers: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    found: list[LandmarkDetection | None] = field(default_factory=list)
    texture: list[np.ndarray] = field(default_factory=list)
    meter: TextureMeter | None = None

    def add(self, frame: ShotFrame, number: int, found: LandmarkDetection | None) -> None:
        self.numbers.append(number)
        self.times.append(frame.time)
        self.found.append(found)
        if self.meter is None:
            return
        if found is None:
            self.meter.reset()
            self.texture.append(NOT_MEASURED)
        else:
            self.texture.append(self.meter.measure(frame.picture, found.landmarks))

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
        )


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
    texture_stride: int = 0,
) -> VideoFaces:
    """Follows every face of a video.

    Args:
        spool: is given what surrounds each face in each frame.
        sampler: looks at the faces, to tell later who is who.
        texture_stride: of the `TextureMeter` of each face; 0: their texture is not measured.

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
                    meter = TextureMeter(texture_stride) if texture_stride else None
                    tracklets[tracklet] = _Tracklet(meter=meter)
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
    return VideoFaces(segments, samples, number, shots, rate, shape[1], shape[0])


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


def _split_at_change(
    segment: Segment, samples: TrackletSamples | None
) -> list[tuple[Segment, np.ndarray | None]]:
    """A segment, or its two parts where it goes over to another person; with mean embeddings."""
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

    The main face has the largest area over the frames in which it lives; where none does, in which
    it moves; where nothing moves, the largest area.
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


def _main_face_rank(face: FaceTrack) -> tuple[float, float, float]:
    return face.area(Segment.is_live), face.area(Segment.moves), face.area()


def qualifies_for_output(face: FaceTrack) -> bool:
    """Whether a face beside the main one is seen long and large enough, and is no photograph."""
    long_enough = face.seconds >= MIN_SECONDS and face.pixels >= MIN_PIXELS
    return long_enough and face.is_live()


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
    """Calibrates a track; flow and filter begin anew with each segment.

    Args:
        faces: uint8 (400, 400, 3), the crop of each of the track's frames.
        crops: where they lie, `track.crops`.

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
    return CalibratedTrack(np.array(calibrated), float(np.mean(trusted)))


def normalize_landmarks(track: FaceTrack, crops: Sequence[Sequence[CropBox]]) -> CalibratedTrack:
    """Landmarks as they were detected, in the crop's units; nothing is rounded."""
    normalized = [
        normalize(to_crop_pixels(detection, box, whole=False))
        for segment, boxes in zip(track.segments, crops, strict=True)
        for detection, box in zip(segment.landmarks, boxes, strict=True)
    ]
    return CalibratedTrack(np.array(normalized), 1.0)
