"""Landmark files to labels and scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..inputs import list_files
from ..landmark_files.formats import ALIGNED, NORMALIZED, align
from ..landmark_files.text import SUFFIX, LandmarkTrack, read_landmarks
from ..network.classifiers import Classifier, load_members
from ..network.clips import clip_starts, cut_clips
from ..shared import FAKE_THRESHOLD
from ..verdict.results import ClipScore, VideoResult
from ..weights.sets import AUTO, BUNDLED, Manifest, WeightSet, obtain, read_manifest

FILES_AT_ONCE = 64  # read, then classified in one batch


def list_landmark_files(inputs: Sequence[Path]) -> list[Path]:
    """The landmark files that folders and files name.

    Raises:
        InputError: an input does not exist, or a folder that was named holds no landmark file.
    """
    return list_files(
        inputs,
        lambda path: path.name.endswith(SUFFIX),
        "no landmark files in this folder; extract some first",
    )


def video_score(clip_scores: np.ndarray, method: str) -> float:
    """A video's score from its clips' (n,): `vote`, the share at or over 0.5, or `mean`."""
    if method == "vote":
        return float((clip_scores >= FAKE_THRESHOLD).mean())
    return float(clip_scores.mean())


class LandmarkClassifier:
    """Classifies landmark files of either format with the sets that a name stands for."""

    def __init__(
        self,
        choices: dict[str, list[WeightSet]],
        folder: Path,
        method: str | None,
        threshold: float,
    ) -> None:
        self._choices = choices
        self._folder = folder
        self._method = method
        self._threshold = threshold
        self._loaded: dict[str, Classifier] = {}

    def classify(self, paths: Sequence[Path]) -> list[VideoResult]:
        """One result a file, in their order; all clips of one format go through in one batch."""
        results: dict[Path, VideoResult] = {}
        batches: dict[str, list[tuple[Path, LandmarkTrack]]] = {}
        for path in paths:
            try:
                track = self._prepare(path, read_landmarks(path))
                batches.setdefault(track.format, []).append((path, track))
            except InputError as error:
                results[path] = VideoResult(path.name, path, error=str(error))
        for landmark_format, batch in batches.items():
            results |= self._classify_batch(self._classifier(landmark_format), batch)
        return [results[path] for path in paths]

    def _classifier(self, landmark_format: str) -> Classifier:
        if landmark_format not in self._loaded:
            members = self._choices[landmark_format]
            self._loaded[landmark_format] = load_members(members, self._folder)
        return self._loaded[landmark_format]

    def _prepare(self, path: Path, track: LandmarkTrack) -> LandmarkTrack:
        """The track in a format for which there is a set, and long enough for it."""
        if track.format not in self._choices:
            if track.format == ALIGNED:
                raise InputError(
                    f"{path}: holds aligned landmarks, the weights want normalized ones; "
                    "extract it again, or name a set for aligned landmarks with --weights"
                )
            aligned = align(track.landmarks)
            if not np.isfinite(aligned).all():
                raise InputError(f"{path}: a frame's eyes coincide, so it cannot be aligned")
            track = LandmarkTrack(aligned, ALIGNED, track.header)
        length = self._choices[track.format][0].clip_length
        if len(track.landmarks) < length:
            raise InputError(
                f"{path}: {len(track.landmarks)} frames are too few; the weights need {length}"
            )
        return track

    def _classify_batch(
        self, classifier: Classifier, batch: list[tuple[Path, LandmarkTrack]]
    ) -> dict[Path, VideoResult]:
        clips = [cut_clips(track.landmarks, classifier.clip_length) for _, track in batch]
        g1, g2 = classifier.stream_probabilities(np.concatenate(clips))
        borders = np.cumsum([len(of_video) for of_video in clips])[:-1]
        return {
            path: self._result(classifier, path, track, *streams)
            for (path, track), *streams in zip(
                batch, np.split(g1, borders), np.split(g2, borders), strict=True
            )
        }

    def _result(
        self,
        classifier: Classifier,
        path: Path,
        track: LandmarkTrack,
        g1: np.ndarray,
        g2: np.ndarray,
    ) -> VideoResult:
        length = classifier.clip_length
        scores = (g1 + g2) / 2
        score = video_score(scores, self._method or classifier.score)
        starts = clip_starts(len(track.landmarks), length).tolist()
        return VideoResult(
            name=path.name,
            path=path,
            label="Fake" if score >= self._threshold else "Real",
            score=score,
            mean=float(scores.mean()),
            frames=len(track.landmarks),
            clips=[
                ClipScore(start, start + length, *map(float, said))
                for start, *said in zip(starts, g1, g2, scores, strict=True)
            ],
        )


def choose_sets(
    manifest: Manifest, name: str, folder: Path, say: Callable[[str], None]
) -> tuple[str, dict[str, list[WeightSet]]]:
    """The name and the sets to use, by landmark format; downloads what is missing.

    What `auto` finds for normalized files leaves aligned ones to the bundled set.

    Raises:
        InputError: the set is unknown, cannot be had, or has a wrong checksum.
    """
    used = obtain(manifest, name, folder, say)
    choices = manifest.choices(used)
    if name == AUTO and used != BUNDLED:
        choices = {**manifest.choices(BUNDLED), NORMALIZED: choices[NORMALIZED]}
        used = f"{used} (normalized), {BUNDLED} (aligned)"
        say(f"using the weights {used}; --weights names others")
    return used, choices


def classify_files(
    paths: Sequence[Path],
    weights: str,
    folder: Path,
    method: str | None,
    threshold: float,
    say: Callable[[str], None],
    watch: Callable[[int], None] = lambda done: None,
) -> tuple[str, list[VideoResult]]:
    """Classifies landmark files.

    Args:
        weights: a name of the manifest, or `auto`.
        folder: where weight sets are looked for and downloaded to.
        method: `vote` or `mean`; None: the set's own.
        threshold: a video is called fake at this score or over it.
        say: told of choices that were made for the user.
        watch: told how many files were done with each batch.

    Returns:
        The name of the weights that were used, and one result a file in the order given.

    Raises:
        InputError: the weights cannot be had.
    """
    used, choices = choose_sets(read_manifest(folder), weights, folder, say)
    classifier = LandmarkClassifier(choices, folder, method, threshold)
    results: list[VideoResult] = []
    for first in range(0, len(paths), FILES_AT_ONCE):
        chosen = paths[first : first + FILES_AT_ONCE]
        results += classifier.classify(chosen)
        watch(len(chosen))
    return used, results
