#!/usr/bin/env python3
"""Every figure reported for a set, from a table of scored tracks: `python -m training.figures -h`.

The table is what `training.cross_validate` or `training.evaluate` writes.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from utils.console import run_script
from utils.errors import InputError
from utils.network.classifiers import probability
from utils.shared import FAKE_THRESHOLD, FAMILIES
from utils.weights.sets import STREAMS

RESAMPLES = 500
FALSE_ALARMS = 0.05  # of the real videos, that may be called fake
RIGHT = 0.87  # of the decided ones, that should be right
MARGIN = 0.02  # by which a score moves when its video is re-compressed (training.robustness)


@dataclass(frozen=True)
class ScoredTracks:
    """A table's columns, a value a track.

    Attributes:
        fake: (n,) bool; evidence: (n,) log-odds of fake, of the most likely family.
        weaker: (n,) the same of the stream that says less.
        rows: the table's own rows, for what the tracks are.
    """

    rows: list[dict[str, str]]
    fake: np.ndarray
    evidence: np.ndarray
    weaker: np.ndarray

    @property
    def agreed(self) -> np.ndarray:
        """(n,): what each stream and their mean have at least."""
        return np.minimum(self.evidence, self.weaker)

    def where(self, chosen: np.ndarray) -> ScoredTracks:
        rows = [row for row, kept in zip(self.rows, chosen, strict=True) if kept]
        return ScoredTracks(rows, self.fake[chosen], self.evidence[chosen], self.weaker[chosen])

    def column(self, name: str) -> np.ndarray:
        return np.array([row[name] for row in self.rows])


@dataclass(frozen=True)
class Figures:
    """A set on some of the tracks. AUC is None where only one label occurs.

    Attributes:
        interval: 95 % of the AUC, groups resampled.
        called_fake, called_real: shares of these tracks; the rest is unclear.
        right: share of the decided ones.
    """

    tracks: int
    fakes: int
    auc: float | None
    interval: tuple[float, float] | None
    called_fake: float
    called_real: float
    right: float | None


def read_table(path: Path, streams: tuple[str, ...] = STREAMS) -> ScoredTracks:
    """A table with the log-odds of each stream and family.

    Args:
        streams: of which the mean is taken.

    Raises:
        InputError: the table is missing or is none of this kind.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        logits = np.array(
            [
                [[float(row[f"{stream} {family}"]) for family in FAMILIES] for stream in streams]
                for row in rows
            ]
        )
        fake = np.array([row["fake"] == "1" for row in rows])
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: not a table of scored tracks ({error})") from None
    evidence, weaker = logits.mean(axis=1).max(axis=1), logits.max(axis=2).min(axis=1)
    return ScoredTracks(rows, fake, evidence, weaker)


def auc(fake: np.ndarray, scores: np.ndarray) -> float | None:
    """Area under the ROC curve; None where only one label occurs."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(fake, scores)) if len(set(fake.tolist())) == 2 else None


def auc_interval(tracks: ScoredTracks, seed: int = 0) -> tuple[float, float] | None:
    """95 % of the AUC when groups are resampled."""
    drawn = [auc(tracks.fake[chosen], tracks.evidence[chosen]) for chosen in _redrawn(tracks, seed)]
    values = [value for value in drawn if value is not None]
    return tuple(np.percentile(values, [2.5, 97.5]).tolist()) if values else None


def _redrawn(tracks: ScoredTracks, seed: int = 0) -> Iterator[np.ndarray]:
    """Indices of tracks when groups, not tracks, are drawn anew with replacement."""
    random = np.random.default_rng(seed)
    groups = tracks.column("group")
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    for _ in range(RESAMPLES):
        drawn = random.integers(0, len(members), len(members))
        yield np.concatenate([members[group] for group in drawn])


@dataclass(frozen=True)
class Scale:
    """From evidence to scores and labels.

    Attributes:
        slope, offset: score = probability(slope x evidence + offset).
        unclear: scores from and to which nothing is decided; each stream has to reach the upper.
    """

    slope: float = 1.0
    offset: float = 0.0
    unclear: tuple[float, float] = (FAKE_THRESHOLD, FAKE_THRESHOLD)

    def scores(self, evidence: np.ndarray) -> np.ndarray:
        return probability(self.slope * evidence + self.offset)

    def labels(self, tracks: ScoredTracks) -> tuple[np.ndarray, np.ndarray]:
        """Which tracks (n,) are called fake, and which real."""
        low, high = self.unclear
        return self.scores(tracks.agreed) >= high, self.scores(tracks.evidence) < low


def _platt(fake: np.ndarray, evidence: np.ndarray) -> tuple[float, float]:
    """Slope and offset on which a score of a half is as often fake as real (labels balanced)."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(class_weight="balanced", C=1e3).fit(evidence[:, None], fake)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def _cautious_scale(tracks: ScoredTracks) -> Scale:
    """Platt's scale, its slope the least of the 95 % that it has when groups are resampled: a
    score claims no more than the data support and moves no further than needed. 0.5 stays 0.5.
    """
    slope, offset = _platt(tracks.fake, tracks.evidence)
    slopes = [
        _platt(tracks.fake[chosen], tracks.evidence[chosen])[0]
        for chosen in _redrawn(tracks)
        if len(set(tracks.fake[chosen].tolist())) == 2
    ]
    least = min(slope, float(np.percentile(slopes, 2.5)))
    return Scale(least, offset * least / slope)


def fit_scale(tracks: ScoredTracks) -> Scale:
    """A cautious scale, and on it the widest decisions that keep `FALSE_ALARMS` and `RIGHT`,
    narrowed by `MARGIN`."""
    scale = _cautious_scale(tracks)
    of_real = scale.scores(tracks.agreed[~tracks.fake])
    high = max(FAKE_THRESHOLD, float(np.quantile(of_real, 1 - FALSE_ALARMS)))
    high = float(np.ceil(high * 100) / 100)  # numbers for people; rounding decides nothing more
    for low in np.arange(round(100 * FAKE_THRESHOLD), 0, -1) / 100:
        scale = replace(scale, unclear=(float(low), high))
        called_fake, called_real = scale.labels(tracks)
        decided = (called_fake | called_real).sum()
        rights = (called_fake & tracks.fake).sum() + (called_real & ~tracks.fake).sum()
        # each of the two words must be right often enough, weighed as if labels were even
        of_fakes, of_reals = called_real[tracks.fake].mean(), called_real[~tracks.fake].mean()
        even = of_reals / max(1e-9, of_reals + of_fakes)
        if decided and rights / decided >= RIGHT and (not of_reals or even >= RIGHT - 0.05):
            break
    low, high = scale.unclear
    low, high = max(0.0, low - MARGIN), min(1.0, high + MARGIN)
    return replace(scale, unclear=(round(low, 2), round(high, 2)))


def figures(tracks: ScoredTracks, scale: Scale) -> Figures:
    """All figures of some tracks."""
    fake, real = scale.labels(tracks)
    decided = fake | real
    right = (fake & tracks.fake) | (real & ~tracks.fake)
    return Figures(
        len(tracks.rows),
        int(tracks.fake.sum()),
        auc(tracks.fake, tracks.evidence),
        auc_interval(tracks),
        float(fake.mean()),
        float(real.mean()),
        float(right.sum() / decided.sum()) if decided.any() else None,
    )


def parts(tracks: ScoredTracks) -> Iterator[tuple[str, ScoredTracks]]:
    """All; FF++ c23; each family, and each kind of five fakes or more, beside all real tracks."""
    families, kinds = tracks.column("family"), tracks.column("manipulation")
    known = tracks.column("dataset") == "FF++ c23"
    yield "all", tracks
    if known.any():
        yield "FF++ c23", tracks.where(known)
        yield "all but FF++ c23", tracks.where(~known)
    for family in FAMILIES:
        if (families == family).any():
            yield f"{family} / all real", tracks.where((families == family) | ~tracks.fake)
    for kind in np.unique(kinds[tracks.fake]):
        if (kinds == kind).sum() >= 5:
            yield f"{kind} / all real", tracks.where((kinds == kind) | ~tracks.fake)


def folds(tracks: ScoredTracks) -> Iterator[tuple[str, ScoredTracks]]:
    """Each fold, scored by networks of its own: with `--by family` a family that these never saw
    beside the fold's real tracks."""
    fold, families = tracks.column("fold"), tracks.column("family")
    for number in np.unique(fold):
        chosen = tracks.where(fold == number)
        held = " and ".join(sorted(set(families[(fold == number) & tracks.fake])))
        yield f"fold {number}: {held}", chosen


def table(by_part: dict[str, Figures]) -> str:
    """Markdown; the weakest part first."""
    lines = ["| tracks | fake / all | AUC | 95 % | right when decided |", "|---|---|---|---|---|"]
    for name, of in sorted(by_part.items(), key=lambda item: item[1].auc or 0):
        area = "" if of.auc is None else f"{of.auc:.3f}"
        spread = "" if of.interval is None else f"{of.interval[0]:.2f} to {of.interval[1]:.2f}"
        right = "" if of.right is None else f"{of.right:.0%}"
        lines.append(f"| {name} | {of.fakes} / {of.tracks} | {area} | {spread} | {right} |")
    return "\n".join(lines)


def labels_table(tracks: ScoredTracks, scale: Scale) -> str:
    """Markdown: how often each label comes, by family."""
    lines = ["| tracks | n | Fake | Unclear | Real |", "|---|---|---|---|---|"]
    families = tracks.column("family")
    for family in ("real", *FAMILIES):
        chosen = tracks.where(families == family)
        if chosen.rows:
            of = figures(chosen, scale)
            unclear = 1 - of.called_fake - of.called_real
            shares = f"{of.called_fake:.0%} | {unclear:.0%} | {of.called_real:.0%}"
            lines.append(f"| {family} | {of.tracks} | {shares} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="training.figures", description=__doc__)
    add = parser.add_argument
    add("table", type=Path, help="CSV of scored tracks")
    add("--detector", choices=("mediapipe", "dlib"), help="tracks of this landmark detector only")
    add("--streams", nargs="+", choices=STREAMS, default=STREAMS)
    add("--by-fold", action="store_true", help="one row per fold, for cross_validate --by family")
    add("--scale", type=Path, help="JSON of slope, offset and unclear; by default fitted here")
    add("--output", type=Path, help="JSON of all figures and of the scale")
    given = parser.parse_args()
    tracks = read_table(given.table, tuple(given.streams))
    if given.detector:
        tracks = tracks.where(tracks.column("detector") == given.detector)
    if given.scale:
        content = json.loads(given.scale.read_text(encoding="utf-8"))["scale"]
        scale = Scale(content["slope"], content["offset"], tuple(content["unclear"]))
    else:
        scale = fit_scale(tracks)
    of_parts = folds(tracks) if given.by_fold else parts(tracks)
    by_part = {name: figures(of, scale) for name, of in of_parts}
    print(f"slope {scale.slope:.4f}, offset {scale.offset:.4f}, unclear {scale.unclear}\n")
    print(table(by_part), labels_table(tracks, scale), sep="\n\n")
    if given.output:
        content = {
            "scale": asdict(scale),
            "parts": {name: asdict(of) for name, of in by_part.items()},
        }
        given.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(run_script("training.figures", main))
