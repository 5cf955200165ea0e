"""Classifies landmark files: labels and scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..landmark_files.header import LandmarkHeader
from ..landmark_files.io import read_landmarks
from ..network.classifiers import (
    Classifier,
    StreamOutputs,
    load_classifier,
    max_family_probability,
)
from ..shared import FAKE_THRESHOLD, FAMILIES
from ..texture.field_weights import field_weights
from ..verdict.decision import Decision, Evidence, decide
from ..verdict.reliability import face_measurements, out_of_range_reasons
from ..verdict.results import FAKE, REAL, UNCLEAR, ClipScore, VideoResult, strength_of
from ..verdict.scores import leans_to_fake, mean_evidence
from ..weights.sets import AUTO, BUNDLED, WeightSet, read_manifest
from .face_clips import FaceClips, read_clips

FILES_AT_ONCE = 64  # read, then classified in one batch


class LandmarkClassifier:
    """Classifies landmark files with one weight set, or several that answer together.

    Attributes:
        name: of the weights; weights: what they declare; threshold: used where they have no band.
        keep_evidence: whether results carry what was read and which fields of the face weighed
            most, for pages; in this process only.
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
        self.keep_evidence = False

    def classify_each(self, paths: Sequence[Path]) -> Iterator[VideoResult]:
        """One result a file, in their order, some files at a time."""
        for first in range(0, len(paths), FILES_AT_ONCE):
            yield from self.classify(paths[first : first + FILES_AT_ONCE])

    def classify(self, paths: Sequence[Path]) -> list[VideoResult]:
        """One result a file, in their order; clips of one length go through together."""
        results: dict[Path, VideoResult] = {}
        faces: list[FaceClips] = []
        reads_texture = self._classifier.texture is not None
        for path in paths:
            header = LandmarkHeader()
            try:
                track = read_landmarks(path)
                header = track.header
                faces.append(read_clips(path, track, self.weights, reads_texture))
            except InputError as error:
                results[path] = VideoResult(path.name, path, **_face_of(header), error=str(error))
        if faces:
            for face, outputs in zip(faces, _predict(self._classifier, faces), strict=True):
                results[face.path] = self._result(face, outputs)
        return [results[path] for path in paths]

    def _result(self, face: FaceClips, outputs: StreamOutputs) -> VideoResult:
        weights, machine = self.weights, self._classifier.texture
        frames = np.array([len(clip) for clip in face.clips])
        texture = fields = None
        if machine is not None and len(face.figures):
            texture = machine(face.figures)
            fields = field_weights(machine, face.figures) if self.keep_evidence else None
        g1, g2, seconds = outputs.g1, outputs.g2, frames.sum() / face.fps
        evidence = Evidence(g1, g2, frames, seconds, outputs.g4, texture)
        decision = decide(evidence, weights, self._method, self.threshold)
        outside: list[str] = []
        if weights.unclear is not None:
            measured = face_measurements(face.track.header, face.fps, face.liveliness)
            outside = out_of_range_reasons(measured, weights)
        reasons = outside or decision.reasons
        clips = _clips(face, g1, g2, decision)
        by_family = mean_evidence(g1, g2, frames)
        return VideoResult(
            name=face.path.name,
            path=face.path,
            **_face_of(face.track.header),
            label=UNCLEAR if reasons else decision.label,
            score=decision.score,
            mean=float(np.mean([clip.score for clip in clips])),
            family=FAMILIES[int(by_family.argmax())] if len(by_family) > 1 else None,
            reasons=reasons,
            fps=face.fps,
            frames=len(face.track.landmarks),
            still=face.still,
            liveliness=face.liveliness,
            clips=clips,
            streams=decision.streams,
            band=decision.band,
            track=face.track if self.keep_evidence else None,
            fields=fields,
            **({} if outside else _weight_of(decision)),
        )


def _weight_of(decision: Decision) -> dict[str, Any]:
    """How much the evidence weighs, and for which label it speaks."""
    strength = strength_of(decision.share_of_others)
    if strength is None or decision.band is None:
        return {}
    leaning = FAKE if leans_to_fake(decision.score, decision.band) else REAL
    others = decision.share_of_others
    return {"strength": strength, "leaning": leaning, "share_of_others": others}


def _clips(face: FaceClips, g1: np.ndarray, g2: np.ndarray, decision: Decision) -> list[ClipScore]:
    """What is said of each clip; the third stream's clips lie elsewhere, so they are averaged."""
    streams = max_family_probability(g1), max_family_probability(g2)
    clips = []
    for index, place in enumerate(face.places):
        by_g1, by_g2 = (float(of[index]) for of in streams)
        by_g3 = by_g4 = None
        if decision.g3 is not None:
            by_g3 = _overlapping_mean(place, face.figure_places, decision.g3)
        if decision.g4 is not None:
            by_g4 = float(decision.g4[index])
        score = np.mean([of for of in (by_g1, by_g2, by_g3, by_g4) if of is not None])
        clips.append(ClipScore(*place, by_g1, by_g2, float(score), by_g3, by_g4))
    return clips


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


def _face_of(header: LandmarkHeader) -> dict[str, Any]:
    return {
        "video": header.video,
        "face": header.face or "1 of 1",
        "left_out": header.left_out,
        "header": header,
    }


def _predict(classifier: Classifier, faces: Sequence[FaceClips]) -> list[StreamOutputs]:
    """What the streams of landmarks say of the clips of each face; clips of one length go through
    in one batch."""
    outputs = classifier.outputs_of_each([clip for face in faces for clip in face.clips])
    return outputs.split([len(face.clips) for face in faces])


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
        InputError: the weights are not available, or a set with a band is given a threshold or
            another score than the one that the band was fitted to.
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
