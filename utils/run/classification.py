"""Landmark files to labels and scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError
from ..landmark_files.formats import align
from ..landmark_files.io import LandmarkTrack, read_landmarks
from ..landmark_files.segments import parse_segments
from ..network.classifiers import Classifier, load_classifier, max_family_probability, probability
from ..network.clips import clip_bounds, frame_stride, mean_over_frames, moving_ranges
from ..rigid_motion import liveliness
from ..shared import ALIGNED, ANY_FORMAT, FAKE_THRESHOLD, FAMILIES, NORMALIZED
from ..texture.clip_figures import measured_share, texture_clips, texture_figures
from ..texture.texture_file import read_texture
from ..verdict.reliability import (
    abstain_reasons,
    face_measurements,
    header_measurements,
    out_of_range_reasons,
    reasons_by_rule,
)
from ..verdict.results import FAKE, REAL, UNCLEAR, ClipScore, VideoResult
from ..video.frames import DEFAULT_FPS
from ..weights.sets import AUTO, BUNDLED, STREAMS, TEXTURE, WeightSet, read_manifest

LANDMARK_RULE, TEXTURE_RULE = "landmarks", "texture"  # of a set's rules
MIN_MEASURED = 0.7  # of the frames of a texture clip
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


class _Decision(NamedTuple):
    """What a rule of decision makes of a face; `g3`: of each clip, where texture was read."""

    score: float
    band: tuple[float, float]
    reasons: list[str]
    streams: list[str]
    g3: list[float] | None = None


@dataclass(frozen=True)
class _Job:
    """A landmark file that can be classified.

    Attributes:
        clips: one (frames, 136) array a clip.
        places: of each clip, first frame, frame after the last, and time.
        liveliness: of the liveliest part that is read, where one is long enough.
        texture: figures (clips, n) of the third stream's clips; texture_places: of each, first
            frame and the one after the last.
    """

    path: Path
    track: LandmarkTrack
    fps: float
    still: int
    clips: list[np.ndarray]
    places: list[tuple[int, int, float]]
    liveliness: float | None
    texture: np.ndarray
    texture_places: list[tuple[int, int]]


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
        texture = self._read_texture(path, track, step)
        figures, texture_places = [], []
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
                if texture is None:
                    continue
                rows = texture[segment.start + first : segment.start + last : step]
                for start, end in texture_clips(len(rows)):
                    if measured_share(rows[start:end]) >= MIN_MEASURED:
                        figures.append(texture_figures(rows[start:end], fps / step))
                        at = segment.frame + first
                        texture_places.append((at + start * step, at + end * step))
            still += len(inside)
        if not clips:
            raise InputError(f"{path}: {_no_clip(landmarks, still, step, weights.shortest)}")
        liveliest = max((found for found in lively if found is not None), default=None)
        return _Job(
            path,
            track,
            fps / step,
            still,
            clips,
            places,
            liveliest,
            np.array(figures),
            texture_places,
        )

    def _read_texture(self, path: Path, track: LandmarkTrack, step: int) -> np.ndarray | None:
        """The rows of the texture file, where the set reads them and they fit."""
        if self._classifier.texture is None:
            return None
        texture = read_texture(path, len(track.landmarks))
        return None if texture is None or texture.stride != step else texture.rows

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
        scores = clip_scores(g1, g2)
        evidence = mean_over_frames((g1 + g2) / 2, frames)
        g3: list[float | None] = [None] * len(frames)
        if weights.rules:
            decision = self._decide(job, float(evidence.max()), frames.sum() / job.fps)
            score, band, reasons, streams_read = decision[:4]
            label = FAKE if score >= band[1] else REAL
            if decision.g3 is not None:
                g3 = list(decision.g3)
                scores = (2 * scores + np.array(decision.g3)) / 3
        else:
            score, streams_read, band = video_score(g1, g2, self._method, frames), [*STREAMS], None
            label = FAKE if score >= self.threshold else REAL
            reasons = []
            if weights.unclear is not None:
                band = weights.unclear
                reasons = abstain_reasons(score, stream_scores(g1, g2, frames), weights)
        if weights.unclear is not None:
            measured = face_measurements(job.track.header, job.fps, job.liveliness)
            reasons = out_of_range_reasons(measured, weights) or reasons
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
                ClipScore(*place, float(by_g1), float(by_g2), float(of_clip), by_g3)
                for place, by_g1, by_g2, of_clip, by_g3 in zip(
                    job.places, *streams, scores, g3, strict=True
                )
            ],
            streams=streams_read,
            band=band,
        )

    def _decide(self, job: _Job, evidence: float, seconds: float) -> _Decision:
        """The score by the rule for what was measured of the face."""
        machine, rules = self._classifier.texture, self.weights.rules
        if machine is None or not len(job.texture) or TEXTURE_RULE not in rules:
            rule = rules[LANDMARK_RULE]
            score, band = rule.score([evidence]), rule.band(seconds)
            return _Decision(score, band, reasons_by_rule(score, band, None, rule), [*STREAMS])
        rule = rules[TEXTURE_RULE]
        decisions, similarity = machine(job.texture)
        score, band = rule.score([evidence, float(decisions.mean())]), rule.band(seconds)
        like = float(np.median(similarity))
        of_clips = probability(rule.slopes[1] * decisions)
        return _Decision(
            score,
            band,
            reasons_by_rule(score, band, like, rule),
            [*STREAMS, TEXTURE],
            [_overlapping_mean(place, job.texture_places, of_clips) for place in job.places],
        )


def _overlapping_mean(
    place: tuple[int, int, float], others: Sequence[tuple[int, int]], values: np.ndarray
) -> float:
    """The mean of clips' values, weighted by their overlap with a place; else the nearest one."""
    start, end = place[:2]
    shared = np.array([max(0, min(end, b) - max(start, a)) for a, b in others])
    if not shared.any():
        middles = np.array([a + b for a, b in others])
        return float(values[np.abs(middles - start - end).argmin()])
    return float(np.average(values, weights=shared))


def _face_of(header: dict[str, str]) -> dict[str, Any]:
    return {"video": header.get("video", ""), "face": header.get("face", "1 of 1")}


def _no_clip(landmarks: np.ndarray, still: int, step: int, shortest: int) -> str:
    if still and len(landmarks) - still < shortest * step:
        return f"{still} of {len(landmarks)} frames do not move: this is a still picture"
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
