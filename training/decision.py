"""From what was said out of fold to the rules of decision, and the tables of the model card.

    python -m training.decision

Reads `training/texture_out_of_fold.csv`. Three measures stand beside each other: over all sources;
within a source (fakes against real ones of the same repository, where neither camera nor encoder
can help); and matched (each fake against real ones of like frame rate, face and frame size only).
The row of the shortcut says what frame rate and sizes reach alone.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np

from training.corpus import CorpusRow, CorpusTrack
from training.texture_stream import FFPP, TABLE, deal_folds
from utils.console import EXIT_DONE, print_result, run_script
from utils.verdict.results import FAKE, REAL, STRENGTHS, strength_of
from utils.verdict.scores import leans_to_fake
from utils.weights.sets import LANDMARK_RULE, TEXTURE_RULE, DecisionRule

LENGTHS = (0.0, 4.0, 8.0)  # seconds from which a band holds
# Share of real tracks called Fake, in each class of length: some 0.03 are left of sources to which
# nothing was fitted.
MAX_FALSE_ALARMS = 0.02
MAX_ACCUSED = 0.03  # the same where each track counts as one
SHARES = (0.2, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005)  # of a class, by which a score is weighed
# Of what is decided: 0.88 shall be right, and some is lost where nothing was fitted; of what has
# one label.
MIN_RIGHT, MIN_LABEL_RIGHT = 0.885, 0.8
MATCH_FPS, MATCH_FACE, MATCH_FRAME = 1.5, 1.35, 1.65  # difference; ratios
SIMILARITY_QUANTILE = 0.005  # of the tracks: what is less like anything learned is not judged
Columns = dict[str, np.ndarray]


def read_columns(path: Path) -> Columns:
    """The table as arrays, by column; numbers where all are."""
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    columns: Columns = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        numeric = name in ("fps", "seconds", "face_pixels", "frame_pixels")
        numeric |= name in ("evidence", "features", "texture", "similarity")
        columns[name] = np.array(values, float) if numeric else np.array(values)
    columns["fake"] = columns["fake"] == "1"
    return columns


def weights_of(columns: Columns) -> np.ndarray:
    """(tracks,): a group counts by the square root of its tracks."""
    keys = list(zip(columns["group"], columns["fake"], strict=True))
    count = Counter(keys)
    return np.array([1 / np.sqrt(count[key]) for key in keys])


def auc(scores: np.ndarray, fake: np.ndarray, weights: np.ndarray) -> float:
    """Area under the ROC curve, weighted; NaN where a class is missing."""
    if fake.all() or not fake.any():
        return float("nan")
    real = np.argsort(scores[~fake])
    below = np.concatenate([[0], np.cumsum(weights[~fake][real])])
    ordered = scores[~fake][real]
    low = below[np.searchsorted(ordered, scores[fake], "left")]
    high = below[np.searchsorted(ordered, scores[fake], "right")]
    total = weights[fake].sum() * weights[~fake].sum()
    return float((weights[fake] * (low + high) / 2).sum() / total)


def within_source(scores: np.ndarray, columns: Columns) -> float:
    """The mean area within sources other than FF++, weighted by the smaller class."""
    fake, weights = columns["fake"], weights_of(columns)
    areas, counts = [], []
    for source in np.unique(columns["source"]):
        chosen = (columns["source"] == source) & (columns["dataset"] != FFPP)
        smaller = min((chosen & fake).sum(), (chosen & ~fake).sum())
        if smaller:
            areas.append(auc(scores[chosen], fake[chosen], weights[chosen]))
            counts.append(smaller)
    return float(np.average(areas, weights=counts))


def matched(scores: np.ndarray, columns: Columns) -> float:
    """The area where each fake is held against real ones of its own rate and sizes."""
    fake, weights = columns["fake"], weights_of(columns)
    above, total = 0.0, 0.0
    for index in np.flatnonzero(fake):
        like = ~fake & (np.abs(columns["fps"] - columns["fps"][index]) <= MATCH_FPS)
        for name, ratio in (("face_pixels", MATCH_FACE), ("frame_pixels", MATCH_FRAME)):
            like &= np.abs(np.log(columns[name] / columns[name][index])) <= np.log(ratio)
        if like.any():
            wins = (scores[like] < scores[index]) + 0.5 * (scores[like] == scores[index])
            above += weights[index] * np.average(wins, weights=weights[like])
            total += weights[index]
    return float(above / total)


def areas(scores: np.ndarray, columns: Columns) -> dict[str, float]:
    """All areas of a row of the table."""
    fake, family, weights = columns["fake"], columns["family"], weights_of(columns)
    ffpp = columns["dataset"] == FFPP
    parts = {
        "all": np.ones(len(fake), bool),
        "without FF++": ~ffpp,
        "FF++": ffpp,
        "talking heads": ~fake | (family == "talking head"),
        "swaps (not FF++)": ~ffpp & (~fake | (family == "swap")),
        "lip-sync": ~fake | (family == "lip-sync"),
        "reenactment": ~fake | (family == "reenactment"),
    }
    found = {name: auc(scores[of], fake[of], weights[of]) for name, of in parts.items()}
    within, like = within_source(scores, columns), matched(scores, columns)
    return found | {"within source": within, "matched": like}


def fit(values: np.ndarray, columns: Columns) -> tuple[np.ndarray, float]:
    """Slopes and offset of a logistic regression of values (tracks, n).

    Both classes count the same, and so do sources that g1 and g2 were made with and all others: by
    the former alone g1 and g2 seem to know more of what comes next than they do.
    """
    from sklearn.linear_model import LogisticRegression

    fake, weights, seen = columns["fake"], weights_of(columns), columns["seen"] == "1"
    for part in (seen, ~seen):
        weights[part] /= max(weights[part].sum(), 1e-9)
    for label in (False, True):
        weights[fake == label] /= weights[fake == label].sum()
    model = LogisticRegression(C=1e6).fit(values, fake, sample_weight=weights * len(fake))
    return model.coef_[0], float(model.intercept_[0])


def band(scores: np.ndarray, fake: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Below the first Real, from the second on Fake: the two by which most is decided, while few
    real ones are called Fake and most of what is decided is right, of either label and together;
    by weight, (tracks,); false alarms by tracks, too, so that no group may hold many."""
    best, most = (0.01, 0.99), 0
    for high in np.round(np.arange(0.5, 0.991, 0.01), 2):
        called_fake = scores >= high
        accused = called_fake & ~fake
        if weights[accused].sum() > MAX_FALSE_ALARMS * weights[~fake].sum():
            continue
        if accused.sum() > MAX_ACCUSED * (~fake).sum():
            continue
        for low in np.round(np.arange(0.01, 0.501, 0.01), 2):
            called_real = scores < low
            decided = called_fake | called_real
            right = (called_fake & fake) | (called_real & ~fake)
            parts = [(called_fake, MIN_LABEL_RIGHT), (called_real, MIN_LABEL_RIGHT)]
            parts.append((decided, MIN_RIGHT))
            fine = all(
                not of.any() or np.average(right[of], weights=weights[of]) >= least
                for of, least in parts
            )
            if fine and decided.sum() > most:
                best, most = (float(low), float(high)), int(decided.sum())
    return best


def unseen(columns: Columns) -> Columns:
    """The tracks of sources that g1 and g2 were not made with."""
    return {name: values[columns["seen"] == "0"] for name, values in columns.items()}


def rule_values(columns: Columns) -> dict[str, np.ndarray]:
    """What each rule weighs, (tracks, n): the evidence of g1 and g2, g4 and, where it is read,
    g3."""
    landmarks = np.stack([columns["evidence"], columns["features"]], axis=1)
    with_texture = np.concatenate([landmarks, columns["texture"][:, None]], axis=1)
    return {LANDMARK_RULE: landmarks, TEXTURE_RULE: with_texture}


def rule(values: np.ndarray, columns: Columns) -> tuple[dict, np.ndarray]:
    """A rule of decision as the manifest has it, and the scores (tracks,) by it."""
    slopes, offset = fit(values, columns)
    scores = 1 / (1 + np.exp(-(values @ slopes + offset)))
    bands: list[list[float]] = []
    weights = weights_of(columns)
    edges = [*LENGTHS, np.inf]
    for start, end in pairwise(edges):
        chosen = (columns["seconds"] >= start) & (columns["seconds"] < end)
        bands.append([start, *band(scores[chosen], columns["fake"][chosen], weights[chosen])])
    for shorter, longer in zip(bands[-2::-1], bands[:0:-1], strict=True):  # no laxer than longer
        shorter[1:] = [min(shorter[1], longer[1]), max(shorter[2], longer[2])]
    made: dict = {"slopes": [round(float(one), 4) for one in slopes], "offset": round(offset, 4)}
    fake = columns["fake"]
    real_above = [(float(np.quantile(scores[~fake], 1 - share)), share) for share in SHARES]
    fake_below = [(float(np.quantile(scores[fake], share)), share) for share in SHARES]
    for name, found in (("real_above", real_above), ("fake_below", fake_below)):
        made[name] = [[round(score, 3), share] for score, share in found]
    made |= {"bands": bands}
    # reports say it of real videos, so each counts as one here
    made["real_called_fake"] = round(labels_by_family(scores, bands, columns)["real"][1], 5)
    return made | {"strengths": strengths(scores, made, columns)}, scores


def strengths(scores: np.ndarray, made: dict, columns: Columns) -> dict[str, dict]:
    """Label -> word of strength -> the shares of real tracks and of fakes whose evidence is called
    so."""
    fake, found = columns["fake"], Counter[tuple[str, str, bool]]()
    judge = DecisionRule((), 0.0, made["bands"], None, made["real_above"], made["fake_below"])
    for score, seconds, is_fake in zip(scores, columns["seconds"], fake, strict=True):
        leans = leans_to_fake(score, judge.band(seconds))
        word = strength_of(judge.share_of_others(score, leans))
        if word is not None:
            found[FAKE if leans else REAL, word, bool(is_fake)] += 1
    return {
        label: {
            word: [
                round(found[label, word, is_fake] / int((fake == is_fake).sum()), 3)
                for is_fake in (False, True)
            ]
            for _, word in STRENGTHS
        }
        for label in (FAKE, REAL)
    }


def decided(scores: np.ndarray, bands: list[list[float]], columns: Columns) -> dict[str, dict]:
    """Shares of labels by weight, by class of length and over all."""
    index = np.searchsorted([one[0] for one in bands], columns["seconds"], "right") - 1
    low, high = np.array(bands)[index, 1], np.array(bands)[index, 2]
    fake, called_fake, called_real = columns["fake"], scores >= high, scores < low
    weights, found = weights_of(columns), {}

    def share(of: np.ndarray, among: np.ndarray) -> float:
        return float(np.average(of[among], weights=weights[among])) if among.any() else 1.0

    for name, of in [
        ("all", index >= 0),
        *((f"from {bands[i][0]:g} s", index == i) for i in range(len(bands))),
    ]:
        any_label = (called_fake | called_real) & of
        right = (called_fake & fake) | (called_real & ~fake)
        found[name] = {
            "tracks": int(of.sum()),
            "real called Fake": share(called_fake, of & ~fake),
            "fakes called Fake": share(called_fake, of & fake),
            "fakes called Real": share(called_real, of & fake),
            "decided": share(any_label, of),
            "of these right": share(right, any_label),
        }
    return found


def labels_by_family(
    scores: np.ndarray, bands: list[list[float]], columns: Columns
) -> dict[str, tuple[int, float, float, float]]:
    """Tracks of each family (`real` among them), and their shares of Fake, Unclear and Real."""
    index = np.searchsorted([one[0] for one in bands], columns["seconds"], "right") - 1
    low, high = np.array(bands)[index, 1], np.array(bands)[index, 2]
    found = {}
    for family in np.unique(columns["family"]):
        of = columns["family"] == family
        fake, real = float((scores >= high)[of].mean()), float((scores < low)[of].mean())
        found[str(family)] = (int(of.sum()), fake, 1 - fake - real, real)
    return found


def shortcut(columns: Columns) -> np.ndarray:
    """Scores (tracks,) out of fold by face size, frame size and frame rate alone."""
    from sklearn.svm import SVC

    def track(index: int) -> CorpusTrack:
        text = {name: str(columns[name][index]) for name in ("dataset", "source", "group")}
        row = CorpusRow("", bool(columns["fake"][index]), "", "", file="", crop=(), **text)
        return CorpusTrack(row, 25, 0, 0, 0, [])

    fold = deal_folds([track(index) for index in range(len(columns["fake"]))])
    sizes = np.log(np.stack([columns["face_pixels"], columns["frame_pixels"]], axis=1))
    values = np.concatenate([sizes, columns["fps"][:, None]], axis=1)
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    scores = np.zeros(len(values))
    for number in np.unique(fold):
        machine = SVC(C=10, gamma=0.1).fit(values[fold != number], columns["fake"][fold != number])
        scores[fold == number] = machine.decision_function(values[fold == number])
    return scores


def main() -> int:
    parser = argparse.ArgumentParser(prog="training.decision", description=__doc__)
    parser.add_argument("table", type=Path, nargs="?", default=TABLE)
    given = parser.parse_args()
    columns = read_columns(given.table)
    rules = {name: rule(values, columns) for name, values in rule_values(columns).items()}
    rows = {"g1 and g2": columns["evidence"], "g3": columns["texture"], "g4": columns["features"]}
    rows |= {"g1, g2 and g4": rules[LANDMARK_RULE][1], "all four": rules[TEXTURE_RULE][1]}
    rows |= {"shortcut": shortcut(columns)}
    for title, of in (("all sources", columns), ("sources unseen by g1 and g2", unseen(columns))):
        print_result(title)
        for name, scores in rows.items():
            found = areas(scores[np.isin(columns["name"], of["name"])], of)
            shown = " | ".join(f"{area:.3f}" for area in found.values())
            print_result(f"| {name} | {shown} |")
    for name, (made, scores) in rules.items():
        least = float(np.quantile(columns["similarity"], SIMILARITY_QUANTILE))
        more = {"similarity": round(least, 4)} if name == TEXTURE_RULE else {}
        print_result(f"{name}: {json.dumps(made | more)}")
        for part, shares in decided(scores, made["bands"], columns).items():
            print_result(f"| {name} | {part} | " + " | ".join(f"{x:.3g}" for x in shares.values()))
        for family, (count, *parts) in labels_by_family(scores, made["bands"], columns).items():
            words = " | ".join(f"{share:.0%}" for share in parts)
            print_result(f"| {name} | {family} | {count} | {words} |")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(run_script("training.decision", main))
