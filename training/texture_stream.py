"""Trains the third stream (g3), and measures it out of fold together with g1 and g2.

    python -m training.corpus --list videos.tsv --videos VIDEOS --output CORPUS
    python -m training.texture_stream --list videos.tsv --corpus CORPUS \\
        --tracks ../shared/training --output model_weights/bundled

Writes `g3.npz` and `training/texture_out_of_fold.csv`, a row a track, from which
`training.decision` makes the rules of decision and the tables.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from training.corpus import CorpusTrack, read_rows, read_tracks
from training.kernel_training import MachineRecipe, fit_machine
from training.labelled_tracks import read_mediapipe_archive
from utils.atomic_write import AtomicFile
from utils.console import EXIT_DONE, notice, run_script
from utils.kernel_machine import KernelMachine, save_kernel_machine
from utils.network.classifiers import Classifier, load_classifier
from utils.run.face_clips import FaceClips
from utils.shared import CROP_CENTRE, FAMILIES
from utils.texture.clip_figures import FIGURE_KINDS
from utils.verdict.scores import mean_evidence
from utils.weights.sets import BUNDLED, PROJECT_WEIGHTS, read_manifest

RECIPE = MachineRecipe(
    c=10.0,
    gamma=0.2,
    level_sources=True,
    kinds=FIGURE_KINDS,
    kind_shares=(0.4, 0.4, 0.2),
    copy_weight=0.25,
)
SOURCE_POWER = 0.25  # a source counts by this power of its tracks
MAX_CLIPS = 6  # of a track that are learned
FOLDS = 5
FFPP = "FF++ c23"
TABLE = Path(__file__).resolve().parent / "texture_out_of_fold.csv"
KNOWN = Path(__file__).resolve().parent / "out_of_fold.csv"
SAME_TRACK = 4.0  # pixels of the 400-pixel face between two tracks of one video, at most
COLUMNS = (
    *("name", "fake", "family", "manipulation", "dataset", "source", "group", "fps"),
    *("seconds", "face_pixels", "frame_pixels", "evidence", "texture", "similarity"),
)


def fold_units(tracks: Sequence[CorpusTrack]) -> list[str]:
    """What must not be divided: sources and groups that share a track; of FF++ the group."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    for track in tracks:
        group = root(f"group {track.row.group}")
        if track.row.dataset != FFPP:
            parent[root(f"source {track.row.source}")] = group
    return [root(f"group {track.row.group}") for track in tracks]


def deal_folds(tracks: Sequence[CorpusTrack]) -> np.ndarray:
    """The fold (tracks,) of each track: units go, the largest first, where they are missed most."""
    units = np.array(fold_units(tracks))
    fake = np.array([track.row.fake for track in tracks])
    filled = np.zeros((FOLDS, 2))
    fold = np.zeros(len(tracks), int)
    names, counts = np.unique(units, return_counts=True)
    for name in names[np.argsort(-counts, kind="stable")]:
        chosen = units == name
        adds = np.array(
            [(chosen & ~fake).sum() / (~fake).sum(), (chosen & fake).sum() / fake.sum()]
        )
        least = int(np.argmin((filled + adds).max(axis=1)))
        filled[least] += adds
        fold[chosen] = least
    return fold


def track_weights(tracks: Sequence[CorpusTrack]) -> np.ndarray:
    """(tracks,): both classes equal; within one, sources by a power of their tracks."""
    keys = [(track.row.source, track.row.fake) for track in tracks]
    count = Counter(keys)
    weights = np.array([float(count[key]) ** (SOURCE_POWER - 1) for key in keys])
    fake = np.array([track.row.fake for track in tracks])
    for label in (False, True):
        weights[fake == label] *= len(tracks) / 2 / weights[fake == label].sum()
    return weights


def train(
    tracks: Sequence[CorpusTrack],
    figures: Sequence[np.ndarray],
    changed: dict[str, np.ndarray],
    recipe: MachineRecipe,
) -> KernelMachine:
    """A machine from the clips of tracks, and of changed copies of them by name."""
    clips, labels, weights, sources = [], [], [], []
    for track, own, weight in zip(tracks, figures, track_weights(tracks), strict=True):
        copied = changed.get(track.row.name, own[:0])
        together = np.concatenate([own[:MAX_CLIPS], copied])
        each = np.ones(len(together))
        each[len(together) - len(copied) :] = recipe.copy_weight
        clips.append(together)
        labels += [track.row.fake] * len(together)
        weights.append(weight * each / each.sum())
        sources += [track.row.source] * len(together)
    of_clips = np.concatenate(weights)
    of_clips *= len(of_clips) / of_clips.sum()
    values = np.concatenate(clips)
    return fit_machine(values, np.array(labels), recipe, of_clips, np.array(sources))


def out_of_fold(
    tracks: Sequence[CorpusTrack],
    figures: Sequence[np.ndarray],
    changed: dict[str, np.ndarray],
    recipe: MachineRecipe,
) -> np.ndarray:
    """Mean decision and median similarity (tracks, 2) by machines that saw no source of a track."""
    fold, found = deal_folds(tracks), np.zeros((len(tracks), 2))
    for number in range(FOLDS):
        learned = [int(i) for i in np.flatnonzero(fold != number)]
        machine = train(
            [tracks[i] for i in learned], [figures[i] for i in learned], changed, recipe
        )
        for index in map(int, np.flatnonzero(fold == number)):
            decisions, similarity = machine(figures[index])
            found[index] = decisions.mean(), np.median(similarity)
    return found


def landmark_evidence(classifier: Classifier, face: FaceClips) -> float:
    """The log-odds of the most likely family by g1 and g2 together, as `classify.py` has them."""
    of = classifier.outputs_of_each(face.clips)
    return float(mean_evidence(of.g1, of.g2, np.array([len(clip) for clip in face.clips])).max())


def known_tracks(tracks: Sequence[CorpusTrack], archive: Path) -> dict[str, dict[str, str]]:
    """The rows of `training/out_of_fold.csv` of tracks that g1 and g2 learned from, by the track's
    name here.

    That table names tracks as the archive does; they are the same where their normalized landmarks
    are.
    """
    with KNOWN.open(newline="") as lines:
        rows = {row["track"]: row for row in csv.DictReader(lines)}
    shapes = defaultdict(list)
    for known in read_mediapipe_archive(archive):
        if known.name in rows:
            shapes[known.fake].append((known.name, np.asarray(known.landmarks)))
    pairs = []
    for track in tracks:
        first = track.landmarks[0]
        for name, landmarks in shapes[track.row.fake]:
            frames = min(len(first), len(landmarks), 20)
            off = np.abs(first[:frames] - landmarks[:frames]).mean() if frames else np.inf
            if off < SAME_TRACK / CROP_CENTRE:
                pairs.append((off, track.row.name, name))
    found: dict[str, dict[str, str]] = {}
    taken: set[str] = set()
    for _, video, name in sorted(pairs):  # the nearest first; a track is one video's
        if video not in found and name not in taken:
            taken.add(name)
            found[video] = rows[name]
    return found


def known_evidence(row: dict[str, str]) -> float:
    """The evidence of g1 and g2, out of fold, by a row of their own table."""
    return max((float(row[f"g1 {one}"]) + float(row[f"g2 {one}"])) / 2 for one in FAMILIES)


def _landmark_streams() -> Classifier:
    """g1 and g2 alone, since g3 and g4 are what is about to be replaced."""
    manifest = read_manifest()
    weights = replace(manifest.sets[BUNDLED], texture=None, features=None)
    sets = manifest.sets | {BUNDLED: weights}
    return load_classifier(replace(manifest, sets=sets), BUNDLED, PROJECT_WEIGHTS)


def _anonymous(name: str) -> str:
    return "s" + hashlib.sha256(name.encode()).hexdigest()[:6]


def _figures(track: CorpusTrack) -> np.ndarray:
    """The figures (clips, n) of a track, as `classify.py` makes them; none where it has no clip."""
    return np.zeros((0, 0)) if track.clips is None else track.clips.figures


def write_table(path: Path, tracks: Sequence[CorpusTrack], columns: dict[str, Any]) -> None:
    with AtomicFile(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for index, track in enumerate(tracks):
            assert track.clips is not None
            row, seconds = track.row, sum(map(len, track.clips.clips)) / track.clips.fps
            table.writerow(
                [
                    *(row.name, int(row.fake), row.family, row.manipulation, row.dataset),
                    *(_anonymous(row.source), row.group, f"{track.fps:.5g}", f"{seconds:.2f}"),
                    *(f"{track.face_pixels:.0f}", f"{track.frame_pixels:.0f}"),
                    *(f"{columns[name][index]:.4f}" for name in COLUMNS[-3:]),
                ]
            )


def main() -> int:
    parser = argparse.ArgumentParser(prog="training.texture_stream", description=__doc__)
    parser.add_argument("--list", type=Path, required=True, help="the list of labelled videos")
    parser.add_argument("--corpus", type=Path, required=True, help="what training.corpus wrote")
    parser.add_argument("--changed", type=Path, help="the same of changed copies of the videos")
    parser.add_argument("--tracks", type=Path, required=True, help="the archive of landmarks")
    parser.add_argument("--output", type=Path, required=True, help="folder of g3.npz")
    given = parser.parse_args()
    rows = read_rows(given.list)
    classifier = _landmark_streams()
    read = [track for track in read_tracks(rows, given.corpus, classifier.weights) if track.clips]
    tracks = [track for track in read if len(_figures(track))]
    figures = [_figures(track) for track in tracks]
    changed = {}
    if given.changed:
        copies = read_tracks(rows, given.changed, classifier.weights)
        changed = {copy.row.name: _figures(copy)[:2] for copy in copies if len(_figures(copy))}
    notice(f"{len(tracks)} tracks, {len(changed)} changed copies")
    found = out_of_fold(tracks, figures, changed, RECIPE)
    known = known_tracks(tracks, given.tracks)
    notice(f"{len(known)} tracks were learned by g1 and g2; they count out of fold")
    evidence = [
        known_evidence(known[track.row.name])
        if track.row.name in known
        else landmark_evidence(classifier, track.clips)
        for track in tracks
        if track.clips is not None
    ]
    columns = {"evidence": evidence, "texture": found[:, 0], "similarity": found[:, 1]}
    write_table(TABLE, tracks, columns)
    machine = train(tracks, figures, changed, RECIPE)
    save_kernel_machine(given.output / "g3.npz", machine)
    notice(f"{len(machine.vectors)} support vectors, {(given.output / 'g3.npz').stat().st_size} B")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(run_script("training.texture_stream", main))
