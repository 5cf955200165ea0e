#!/usr/bin/env python3
"""Measures a training recipe on what it never saw: `python -m training.cross_validate -h`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import yaml

from training.clip_sampler import ClipSampler
from training.evaluate import ScoredTrack, figures, parts, split_scores, table
from training.labelled_tracks import (
    LabelledTrack,
    in_format,
    long_enough,
    read_landmark_folder,
    read_track_archive,
)
from training.train import StreamTrainer
from utils.console import run_script, say
from utils.network.clips import cut_clips
from utils.shared import SCORES
from utils.weights.sets import STREAMS

Fold = tuple[str, list[LabelledTrack], list[LabelledTrack]]  # name, to train on, held out


def group_numbers(tracks: list[LabelledTrack], folds: int, seed: int) -> dict[str, int]:
    """Group -> fold; each dataset's groups are dealt out in turn."""
    random = np.random.default_rng(seed)
    numbers: dict[str, int] = {}
    for dataset in sorted({track.dataset for track in tracks}):
        mine = {track.group for track in tracks if track.dataset == dataset} - numbers.keys()
        offset = random.integers(folds)
        for place, group in enumerate(random.permutation(sorted(mine)).tolist()):
            numbers[group] = int((place + offset) % folds)
    return numbers


def by_group(tracks: list[LabelledTrack], folds: int, seed: int) -> Iterator[Fold]:
    """New people from known sources: no group is on both sides."""
    numbers = group_numbers(tracks, folds, seed)
    for fold in range(folds):
        yield (
            f"fold {fold}",
            [track for track in tracks if numbers[track.group] != fold],
            [track for track in tracks if numbers[track.group] == fold],
        )


def by_source(tracks: list[LabelledTrack], folds: int, seed: int) -> Iterator[Fold]:
    """New sources: FF++ is one fold; the other datasets are dealt out to the rest.

    A track whose group is held out is not trained on either, whatever its dataset.
    """
    random = np.random.default_rng(seed)
    datasets = sorted({track.dataset for track in tracks})
    ff = [name for name in datasets if name.startswith("FF++")]
    others = random.permutation([name for name in datasets if name not in ff]).tolist()
    parts_of_others = folds - bool(ff)
    held_outs = [others[place::parts_of_others] for place in range(parts_of_others)]
    for held_out in ([ff] if ff else []) + held_outs:
        held = [track for track in tracks if track.dataset in held_out]
        groups = {track.group for track in held}
        training = [track for track in tracks if track.group not in groups]
        yield ", ".join(held_out), training, held


def by_manipulation(tracks: list[LabelledTrack], folds: int, seed: int) -> Iterator[Fold]:
    """New kinds of fake: none of that kind is trained on; new people from known sources besides.

    Kinds of which one fold of the groups has fewer than two tracks are left out.
    """
    _, training, held = next(by_group(tracks, folds, seed))
    for kind in sorted({track.manipulation for track in held if track.fake}):
        new = [track for track in held if not track.fake or track.manipulation == kind]
        if sum(track.fake for track in new) >= 2:
            yield kind, [track for track in training if track.manipulation != kind], new


SPLITS = {"group": by_group, "source": by_source, "manipulation": by_manipulation}


def score_fold(
    training: list[LabelledTrack], held: list[LabelledTrack], config: dict, landmark_format: str
) -> dict[str, list[ScoredTrack]]:
    """Trains both streams for the configuration's steps, and scores what was held out.

    No track that is scored has a say in the training, nor in when it ends.

    Returns:
        `g1`, `g2` and `both` -> the scored tracks.
    """
    length = config["clip_length"]
    held = long_enough(held, length)
    clips = [cut_clips(t.landmarks, length) for t in in_format(held, landmark_format)]
    sampler = ClipSampler(training, length, config)
    said = {}
    for stream in STREAMS:
        trainer = StreamTrainer(stream, config, sampler, landmark_format)
        loss = trainer.run(config["steps"])
        say(f"  {stream} mean loss {loss:.4f}")
        said[stream] = split_scores(trainer.probabilities, clips)
    said["both"] = [(g1 + g2) / 2 for g1, g2 in zip(said["g1"], said["g2"], strict=True)]
    return {
        name: [ScoredTrack(*pair) for pair in zip(held, of, strict=True)]
        for name, of in said.items()
    }


def table_of_kinds(measured: dict[str, dict[str, dict]]) -> str:
    """AUC of each kind of fake, by the network that never saw it; figures as dictionaries."""
    lines = ["| new kind | fake / all | g1 | g2 | both |", "|---|---|---|---|---|"]
    for name, of in measured.items():
        cells = " | ".join(f"{of[key]['auc']:.3f}" for key in (*STREAMS, "both"))
        lines.append(f"| {name} | {of['both']['fake']} / {of['both']['videos']} | {cells} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="training.cross_validate", description=__doc__)
    add = parser.add_argument
    add("--config", type=Path, required=True, help="YAML, such as training/bundled.yaml")
    add("--tracks", type=Path, required=True, help="folder of tracks.csv and tracks.npz")
    add("--dataset", type=Path, help="folder whose train/ is trained on too, but never measured")
    add("--format", choices=("normalized", "aligned"), default="normalized")
    add("--by", choices=tuple(SPLITS), default="group", help="what is new in a fold")
    add("--folds", type=int, default=3)
    add("--score", choices=SCORES, default="mean")
    add("--output", type=Path, help="JSON of all figures")
    given = parser.parse_args()
    if given.folds < 2:
        parser.error("--folds: at least 2")
    config = yaml.safe_load(given.config.read_text(encoding="utf-8"))
    pooled: dict[str, list[ScoredTrack]] = {}
    measured = {}
    tracks = read_track_archive(given.tracks)
    more = read_landmark_folder(given.dataset / "train") if given.dataset else []
    for name, training, held in SPLITS[given.by](tracks, given.folds, config["seed"]):
        groups = {track.group for track in held}
        training = training + [track for track in more if track.group not in groups]
        say(f"{name}: {len(training)} tracks to train on, {len(held)} held out")
        scored = score_fold(training, held, config, given.format)
        measured[name] = {key: asdict(figures(of, given.score)) for key, of in scored.items()}
        say(f"  AUC { ({key: of['auc'] for key, of in measured[name].items()}) }")
        for key, of in scored.items():
            pooled.setdefault(key, []).extend(of)
    content = {"by": given.by, "format": given.format, "config": config, "folds": measured}
    if given.by == "manipulation":  # the real videos recur in each kind: nothing to pool
        print(table_of_kinds(measured))
    else:
        report = {
            key: {part: figures(of, given.score) for part, of in parts(scored)}
            for key, scored in pooled.items()
        }
        print(table(report))
        content["pooled"] = {
            key: {part: asdict(one) for part, one in of.items()} for key, of in report.items()
        }
    if given.output:
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(run_script("training.cross_validate", main))
