"""Landmark files to labels and scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..landmark_files.formats import align
from ..landmark_files.io import LandmarkTrack, read_landmarks
from ..landmark_files.segments import parse_segments
from ..network.classifiers import Classifier, load_classifier, max_family_probability, probability
from ..network.clips import clip_bounds, frame_stride, mean_over_frames, moving_ranges
from ..rigid_motion import liveliness
from ..shared import ALIGNED, ANY_FORMAT, FAKE_THRESHOLD, FAMILIES, NORMALIZED
from ..verdict.reliability import (
    abstain_reasons,
    face_measurements,
    header_measurements,
    out_of_range_reasons,
)
from ..verdict.results import FAKE, REAL, UNCLEAR, ClipScore, VideoResult
from ..video.frames import DEFAULT_FPS
from ..weights.sets import AUTO, BUNDLED, WeightSet, read_manifest

FILES_AT_ONCE = 64  # read, then classified in one batch


def video_score(g1: np.ndarray, g2: np.ndarray, method: str, frames: np.ndarray) -> float:
    """A video's score from what the streams say of its clips.

    Args:
        g1, g2: (clips, families) log-odds of fake.
        frames: (clips,), of each clip.
        method: `vote`, the share of clips whose mean probability is 0.5 or over; `mean`, the mean
            of these; `evidence`, the probability of the family whose log-odds are highest in the
            mean over frames and streams.
    """
    if method == "evidence":
        return float(probability(mean_over_frames((g1 + g2) / 2, frames).max()))
    clips = clip_scores(g1, g2)
    return float((clips >= FAKE_THRESHOLD).mean() if method == "vote" else clips.mean())


def stream_scores(g1: np.ndarray, g2: np.ndarray, frames: np.ndarray) -> tuple[float, float]:
    """A video's score by evidence, from what each stream says alone; see `video_score`."""
    return video_score(g1, g1, "evidence", frames), video_score(g2, g2, "evidence", frames)


def clip_scores(g1: np.ndarray, g2: np.ndarray) -> np.ndarray:
    """(clips,): the mean of the streams' probabilities, each of its likeliest family."""
    return (max_family_probability(g1) + max_family_probability(g2)) / 2


@dataclass(frozen=True)
class _Job:
    """A landmark file that can be classified.

    Attributes:
        clips: one (frames, 136) array a clip.
        places: of each clip, first frame, frame after the last, and time.
        liveliness: of the liveliest part that is read, where one is long enough.
    """

    path: Path
    track: LandmarkTrack
    fps: float
    still: int
    clips: list[np.ndarray]
    places: list[tuple[int, int, float]]
    liveliness: float | None


class LandmarkClassifier:
    """Classifies landmark files with one weight set, or several that answer together.

    Attributes:
        name: of the weights; weights: what they declare; threshold: used where they have no band.
        origin: the arguments of `load_landmark_classifier`, by which another process has the same.
    """

    def __init__(
        self, classifier: Classifier, method: str | None, threshold: float, name: str, origin: tuple
    ) -> None:
        self.name = name
        self.origin = origin
        self._classifier = classifier
        self.weights = classifier.weights
        self._method = method or classifier.weights.score
        self.threshold = threshold

    def classify_each(self, paths: Sequence[Path]) -> Iterator[VideoResult]:
        """One result a file, in their order, some files at a time."""
        for first in range(0, len(paths), FILES_AT_ONCE):
            yield from self.classify(paths[first : first + FILES_AT_ONCE])

    def classify(self, paths: Sequence[Path]) -> list[VideoResult]:
        """One result a file, in their order; clips of one length go through together."""
        results: dict[Path, VideoResult] = {}
        jobs: list[_Job] = []
        for path in paths:
            header: dict[str, str] = {}
            try:
                track = read_landmarks(path)
                header = track.header
                jobs.append(self._prepare(path, track))
            except InputError as error:
                results[path] = VideoResult(path.name, path, **_face_of(header), error=str(error))
        if jobs:
            for job, g1, g2 in zip(jobs, *_predict_jobs(self._classifier, jobs), strict=True):
                results[job.path] = self._result(job, g1, g2)
        return [results[path] for path in paths]

    def _prepare(self, path: Path, track: LandmarkTrack) -> _Job:
        """The clips that the set reads of a file.

        Raises:
            InputError: the format is not what the set reads, or there is no clip.
        """
        weights, landmarks = self.weights, self._in_format(path, track)
        segments = parse_segments(track.header.get("segments"), len(landmarks))
        fps = header_measurements(track.header).get("fps", DEFAULT_FPS)
        step = frame_stride(fps, weights.frame_rate)
        clips, places, still, lively = [], [], 0, []
        for segment in segments:
            inside = landmarks[segment.start : segment.end]
            for first, last in moving_ranges(inside, fps):
                still -= last - first
                part = inside[first:last:step]
                lively.append(liveliness(inside[first:last], fps))
                for start, end in clip_bounds(len(part), weights.clip_length, weights.shortest):
                    clips.append(part[start:end].reshape(end - start, -1).astype(np.float32))
                    begins, ends = first + start * step, min(first + end * step, last)
                    time = segment.time + begins / fps
                    places.append((segment.frame + begins, segment.frame + ends, time))
            still += len(inside)
        if not clips:
            raise InputError(f"{path}: {_no_clip(landmarks, still, step, weights.shortest)}")
        liveliest = max((found for found in lively if found is not None), default=None)
        return _Job(path, track, fps / step, still, clips, places, liveliest)

    def _in_format(self, path: Path, track: LandmarkTrack) -> np.ndarray:
        wanted = self.weights.format
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

    def _result(self, job: _Job, g1: np.ndarray, g2: np.ndarray) -> VideoResult:
        weights = self.weights
        frames = np.array([len(clip) for clip in job.clips])
        score = video_score(g1, g2, self._method, frames)
        scores = clip_scores(g1, g2)
        label = FAKE if score >= self.threshold else REAL
        reasons: list[str] = []
        if weights.unclear is not None:
            measured = face_measurements(job.track.header, job.fps, job.liveliness)
            reasons = out_of_range_reasons(measured, weights)
            reasons = reasons or abstain_reasons(score, stream_scores(g1, g2, frames), weights)
        evidence = mean_over_frames(g1 + g2, frames)
        streams = max_family_probability(g1), max_family_probability(g2)
        return VideoResult(
            name=job.path.name,
            path=job.path,
            **_face_of(job.track.header),
            label=UNCLEAR if reasons else label,
            score=score,
            mean=float(scores.mean()),
            family=FAMILIES[int(evidence.argmax())] if len(evidence) > 1 else None,
            reasons=reasons,
            fps=job.fps,
            frames=len(job.track.landmarks),
            still=job.still,
            liveliness=job.liveliness,
            clips=[
                ClipScore(*place, *map(float, said))
                for place, *said in zip(job.places, *streams, scores, strict=True)
            ],
        )


def _face_of(header: dict[str, str]) -> dict[str, str]:
    return {"video": header.get("video", ""), "face": header.get("face", "1 of 1")}


def _no_clip(landmarks: np.ndarray, still: int, step: int, shortest: int) -> str:
    if still and len(landmarks) - still < shortest * step:
        return f"nothing moves in {still} of {len(landmarks)} frames: it is a still picture"
    needed = f"{shortest * step} in one piece"
    return f"{len(landmarks)} frames are too few; {needed} make a clip"


def _predict_jobs(
    classifier: Classifier, jobs: Sequence[_Job]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What both streams say of the clips of each job, (clips, families) each; clips of one length
    go through in one batch."""
    said = classifier.stream_logits_of_each([clip for job in jobs for clip in job.clips])
    borders = np.cumsum([len(job.clips) for job in jobs])[:-1]
    g1, g2 = (np.split(stream, borders) for stream in said)
    return g1, g2


def load_landmark_classifier(
    weights: str, folder: Path, method: str | None, threshold: float | None
) -> LandmarkClassifier:
    """A classifier of landmark files.

    Args:
        weights: a name of the manifest, or `auto`.
        folder: where weight sets are looked for and downloaded to.
        method: one of `utils.shared.SCORES`; None: the set's own.
        threshold: a video is called fake at this score or over it; None: 0.5, or the set's band.

    Raises:
        InputError: the weights cannot be had, or a set with a band is given a threshold or another
            score than the one that the band was fitted to.
    """
    used = BUNDLED if weights == AUTO else weights
    manifest = read_manifest(folder)
    _check_decision(manifest.members(used)[0], method, threshold)
    classifier = load_classifier(manifest, used, folder)
    origin = weights, folder, method, threshold
    threshold = FAKE_THRESHOLD if threshold is None else threshold
    return LandmarkClassifier(classifier, method, threshold, used, origin)


def _check_decision(weights: WeightSet, method: str | None, threshold: float | None) -> None:
    """Raises InputError where a set with a band is to decide in another way than it was fitted."""
    if weights.unclear is None:
        return
    low, high = weights.unclear
    band = f"{weights.name} decides by its own band, Real below {low:g} and Fake from {high:g}"
    if threshold is not None:
        raise InputError(f"--threshold: {band}; choose a published set, or leave --threshold out")
    if method not in (None, weights.score):
        raise InputError(
            f"--score {method}: {band}, fitted to --score {weights.score}; leave --score out"
        )


def classify_files(
    paths: Sequence[Path],
    weights: str,
    folder: Path,
    method: str | None,
    threshold: float | None,
) -> tuple[str, list[VideoResult]]:
    """The name of the weights that were used, and one result a file in the order given; arguments
    as of `load_landmark_classifier`."""
    classifier = load_landmark_classifier(weights, folder, method, threshold)
    return classifier.name, list(classifier.classify_each(paths))
