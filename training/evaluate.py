#!/usr/bin/env python3
"""Measures weight sets on labelled tracks: `python -m training.evaluate -h`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from training.labelled_tracks import (
    LabelledTrack,
    in_format,
    long_enough,
    read_landmark_folder,
    read_track_archive,
)
from utils.console import progress, run_script
from utils.errors import InputError
from utils.network.classifiers import Classifier, load_classifier
from utils.network.clips import cut_clips
from utils.run.classification import video_score
from utils.shared import FAKE_THRESHOLD, SCORES
from utils.weights.sets import PROJECT_WEIGHTS, read_manifest

RESAMPLES = 1000
CALIBRATION_BINS = 10


@dataclass(frozen=True)
class ScoredTrack:
    """What a set says of a track: each clip's probability (clips,), 1 = fake."""

    track: LabelledTrack
    clips: np.ndarray


@dataclass(frozen=True)
class Figures:
    """A set on some of the videos. AUC values are None where only one label occurs."""

    videos: int
    fake: int
    auc: float | None
    auc_interval: tuple[float, float] | None  # 95 %, groups drawn anew
    auc_by_clip: float | None
    equal_error_rate: float | None
    accuracy: float
    confusion: dict[str, int]
    calibration_error: float  # expected, over clips


def split_scores(
    probabilities: Callable[[np.ndarray], np.ndarray], clips: list[np.ndarray]
) -> list[np.ndarray]:
    """What a network says of each track's clips, asked about all of them at once."""
    if not clips:
        return []
    borders = np.cumsum([len(of_track) for of_track in clips])[:-1]
    return np.split(probabilities(np.concatenate(clips)), borders)


def score_tracks(classifier: Classifier, tracks: list[LabelledTrack]) -> list[ScoredTrack]:
    """All clips of all tracks in one batch; tracks shorter than a clip are left out."""
    length = classifier.clip_length
    usable = long_enough(tracks, length)
    if not usable:
        raise InputError(f"no track is as long as a clip of {length} frames")
    clips = [cut_clips(track.landmarks, length) for track in in_format(usable, classifier.format)]
    scores = split_scores(lambda of: np.mean(classifier.stream_probabilities(of), axis=0), clips)
    return [ScoredTrack(track, said) for track, said in zip(usable, scores, strict=True)]


def auc(labels: np.ndarray, scores: np.ndarray) -> float | None:
    """Area under the ROC curve; None where only one label occurs."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, scores)) if len(set(labels.tolist())) == 2 else None


def auc_interval(
    scored: list[ScoredTrack], scores: np.ndarray, random: np.random.Generator
) -> tuple[float, float] | None:
    """95 % of the AUC when groups, not videos, are drawn anew with replacement."""
    labels = np.array([one.track.fake for one in scored])
    groups: dict[str, list[int]] = {}
    for index, one in enumerate(scored):
        groups.setdefault(one.track.group, []).append(index)
    members = [np.array(indices) for indices in groups.values()]
    values = []
    for _ in range(RESAMPLES):
        drawn = random.integers(0, len(members), len(members))
        indices = np.concatenate([members[group] for group in drawn])
        value = auc(labels[indices], scores[indices])
        if value is not None:
            values.append(value)
    return tuple(np.percentile(values, [2.5, 97.5]).tolist()) if values else None


def equal_error_rate(labels: np.ndarray, scores: np.ndarray) -> float | None:
    """The rate at which as many real videos are called fake as fake ones real."""
    from sklearn.metrics import roc_curve

    if len(set(labels.tolist())) < 2:
        return None
    false_alarms, hits, _ = roc_curve(labels, scores)
    nearest = np.abs(false_alarms - (1 - hits)).argmin()
    return float((false_alarms[nearest] + 1 - hits[nearest]) / 2)


def calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Expected calibration error: how far probabilities are from the share of fakes, by bin."""
    bins = np.minimum((probabilities * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    error = 0.0
    for number in np.unique(bins):
        inside = bins == number
        gap = abs(probabilities[inside].mean() - labels[inside].mean())
        error += inside.mean() * gap
    return float(error)


def figures(scored: list[ScoredTrack], method: str, seed: int = 0) -> Figures:
    """All figures of a set on some videos; `method` is `vote` or `mean`."""
    labels = np.array([one.track.fake for one in scored])
    scores = np.array([video_score(one.clips, method) for one in scored])
    clip_scores = np.concatenate([one.clips for one in scored])
    clip_labels = np.repeat(labels, [len(one.clips) for one in scored])
    called = scores >= FAKE_THRESHOLD
    return Figures(
        videos=len(scored),
        fake=int(labels.sum()),
        auc=auc(labels, scores),
        auc_interval=auc_interval(scored, scores, np.random.default_rng(seed)),
        auc_by_clip=auc(clip_labels, clip_scores),
        equal_error_rate=equal_error_rate(labels, scores),
        accuracy=float((called == labels).mean()),
        confusion={
            "fake called fake": int((called & labels).sum()),
            "fake called real": int((~called & labels).sum()),
            "real called fake": int((called & ~labels).sum()),
            "real called real": int((~called & ~labels).sum()),
        },
        calibration_error=calibration_error(clip_labels, clip_scores),
    )


def parts(scored: list[ScoredTrack]) -> Iterable[tuple[str, list[ScoredTrack]]]:
    """All videos, then those of each dataset, then each manipulation beside all real videos."""
    yield "all", scored

    def named(kind: str, name_of: Callable[[LabelledTrack], str]) -> Iterable[tuple[str, list]]:
        for name in sorted({name_of(one.track) for one in scored}):
            yield f"{kind}: {name}", [one for one in scored if name_of(one.track) == name]

    yield from named("dataset", lambda track: track.dataset)
    real = [one for one in scored if not one.track.fake]
    for name, members in named("manipulation", lambda track: track.manipulation):
        fakes = [one for one in members if one.track.fake]
        if fakes:
            yield f"{name} / all real", fakes + real


def draw(by_set: dict[str, list[ScoredTrack]], method: str, path: Path) -> None:
    """ROC curves of all sets, and each set's scores of real and fake videos, as one PNG."""
    from matplotlib.figure import Figure
    from sklearn.metrics import roc_curve

    figure = Figure(figsize=(4.2 * (1 + len(by_set)), 4), layout="constrained")
    axes = figure.subplots(1, 1 + len(by_set))
    axes[0].plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    axes[0].set(xlabel="real called fake", ylabel="fake called fake", title="ROC by video")
    for (name, scored), below in zip(by_set.items(), axes[1:], strict=True):
        labels = np.array([one.track.fake for one in scored])
        scores = np.array([video_score(one.clips, method) for one in scored])
        if len(set(labels.tolist())) == 2:
            false_alarms, hits, _ = roc_curve(labels, scores)
            axes[0].plot(false_alarms, hits, label=f"{name} ({auc(labels, scores):.3f})")
        for fake, colour in ((False, "tab:green"), (True, "tab:red")):
            label = "fake" if fake else "real"
            bins = np.linspace(0, 1, 21)
            below.hist(scores[labels == fake], bins, alpha=0.6, color=colour, label=label)
        below.set(xlabel=f"score ({method})", ylabel="videos", title=name)
        below.legend()
    axes[0].legend(fontsize="small")
    figure.savefig(path, dpi=110)


def table(by_set: dict[str, dict[str, Figures]]) -> str:
    """AUC and accuracy of every part, sets side by side."""
    names = list(by_set)
    lines = [
        "| videos | fake / all | " + " | ".join(names) + " |",
        "|---" * (2 + len(names)) + "|",
    ]
    for part, first in by_set[names[0]].items():
        cells = [_cell(by_set[name].get(part)) for name in names]
        lines.append(f"| {part} | {first.fake} / {first.videos} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(measured: Figures | None) -> str:
    if measured is None:
        return ""
    if measured.auc is None:
        return f"accuracy {measured.accuracy:.2f}"
    interval = measured.auc_interval
    spread = f" [{interval[0]:.2f}, {interval[1]:.2f}]" if interval else ""
    return f"{measured.auc:.3f}{spread}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="training.evaluate", description=__doc__)
    add = parser.add_argument
    add("--tracks", type=Path, help="folder of tracks.csv and tracks.npz")
    add("--dataset", type=Path, help="folder with real/ and fake/ landmark files")
    add("--only", type=Path, help="measured.json of a training run: its held-out tracks only")
    add("--weights", nargs="+", default=["bundled-normalized"], help="sets to compare")
    add("--model_weights", type=Path, default=PROJECT_WEIGHTS)
    add("--score", choices=SCORES, default="mean")
    add("--output", type=Path, help="folder for evaluation.json and evaluation.png")
    given = parser.parse_args()
    if (given.tracks is None) == (given.dataset is None):
        parser.error("give one of --tracks and --dataset")
    tracks = (
        read_track_archive(given.tracks) if given.tracks else read_landmark_folder(given.dataset)
    )
    if given.only:
        held = set(json.loads(given.only.read_text(encoding="utf-8"))["held_out"])
        tracks = [track for track in tracks if track.name in held]
    manifest = read_manifest(given.model_weights)
    scored, measured = {}, {}
    for name in progress(given.weights, desc="evaluate", unit="set"):
        manifest.choices(name)  # an unknown name is told by its error
        classifier = load_classifier(manifest, name, given.model_weights)
        scored[name] = score_tracks(classifier, tracks)
        measured[name] = {part: figures(of, given.score) for part, of in parts(scored[name])}
    print(table(measured))
    if given.output:
        given.output.mkdir(parents=True, exist_ok=True)
        content = {
            name: {part: asdict(one) for part, one in by_part.items()}
            for name, by_part in measured.items()
        }
        path = given.output / "evaluation.json"
        path.write_text(json.dumps({"score": given.score, "sets": content}, indent=1))
        draw(scored, given.score, given.output / "evaluation.png")
    return 0


if __name__ == "__main__":
    sys.exit(run_script("training.evaluate", main))
