#!/usr/bin/env python3
"""Measures a training recipe on what it never saw: `python -m training.cross_validate -h`.

Writes what the networks say of each track that they were not trained on; `training.figures` makes
tables of it.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from training.clip_sampler import ClipSampler
from training.configuration import networks_of, read_configuration
from training.labelled_tracks import LabelledTrack, read_archives
from training.train import (
    StreamTrainer,
    choose_backend,
    learned_by,
    read_dataset,
    train_stream,
)
from utils.console import notice, run_script
from utils.errors import InputError
from utils.network.clips import cut_clips, mean_over_frames, predict_by_length
from utils.run.executor import WorkerDied
from utils.scaling.worker_processes import WorkerProcesses
from utils.shared import FAMILIES
from utils.weights.sets import STREAMS

KNOWN_SOURCE = "FF++ c23"  # with `--by source` its people are dealt out, not the whole of it
COLUMNS = (
    *("track", "fold", "detector", "fake", "family", "manipulation", "dataset", "source", "group"),
    *("fps", "frames", "eye_pixels"),
    *(f"{stream} {family}" for stream in STREAMS for family in FAMILIES),
)


def components(tracks: list[LabelledTrack], joined: Callable[[LabelledTrack], list[str]]) -> list:
    """Names of the components (one a track) that tracks form which share what `joined` names."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            name = parent[name]
        return name

    for track in tracks:
        first, *others = joined(track)
        for other in others:
            parent[root(other)] = root(first)
        root(first)
    return [root(joined(track)[0]) for track in tracks]


def by_group(track: LabelledTrack) -> list[str]:
    """New people from known sources."""
    return [f"group {track.group}"]


def by_source(track: LabelledTrack) -> list[str]:
    """New sources, and new people; of FF++ c23 new people only, as in its official test part."""
    own = [] if track.dataset == KNOWN_SOURCE else [f"source {track.source}"]
    return [f"group {track.group}", *own]


def by_unseen_source(track: LabelledTrack) -> list[str]:
    """New sources and new people, FF++ c23 among them."""
    return [f"group {track.group}", f"source {track.source}"]


SPLITS = {"group": by_group, "source": by_source, "unseen-source": by_unseen_source}
FAMILY = "family"  # a fold a family: its fakes, and real tracks of sources dealt out as by source


def deal(tracks: list[LabelledTrack], by: str, folds: int) -> np.ndarray:
    """The fold (tracks,) of each track: large components first, each to the fold that is emptiest
    of its labels."""
    names = components(tracks, SPLITS[by])
    members: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        members[name].append(index)
    filled, fold = np.zeros((folds, 2)), np.zeros(len(tracks), int)
    for _, indices in sorted(members.items(), key=lambda item: (-len(item[1]), item[0])):
        fakes = sum(tracks[index].fake for index in indices)
        added = np.array([fakes, len(indices) - fakes])
        chosen = int((filled @ added).argmin())
        filled[chosen] += added
        fold[indices] = chosen
    return fold


def held_out(tracks: list[LabelledTrack], by: str, folds: int) -> np.ndarray:
    """The fold (tracks,) that measures each track; -1: none does.

    With `family`, fakes are measured by the fold of their family, unless a real track of their
    group is trained on there.
    """
    if by != FAMILY:
        return deal(tracks, by, folds)
    fold = deal(tracks, "source", len(FAMILIES))
    real_group = {(t.group, int(n)) for t, n in zip(tracks, fold, strict=True) if not t.fake}
    for index, track in enumerate(tracks):
        if track.fake:
            own = FAMILIES.index(track.family)
            known = any((track.group, n) in real_group for n in range(len(FAMILIES)) if n != own)
            fold[index] = -1 if known else own
    return fold


def trained_on(tracks: list[LabelledTrack], fold: np.ndarray, number: int, by: str) -> np.ndarray:
    """Which tracks (tracks,) a fold's networks learn from."""
    if by != FAMILY:
        return fold != number
    sources = deal(tracks, "source", len(FAMILIES))
    family = np.array([track.family for track in tracks])
    return (sources != number) & (family != FAMILIES[number])


def train_and_score(
    stream: str,
    config: dict,
    training: list[LabelledTrack],
    held: list[LabelledTrack],
    output: Path,
) -> None:
    """Trains a stream and writes its mean log-odds by family of each held-out track."""
    output.parent.mkdir(parents=True, exist_ok=True)
    trainer = StreamTrainer(stream, config, ClipSampler(training, config))
    train_stream(trainer, output.stem, config, output.parent)
    said: dict[str, Any] = {track.name: _predict_jobs(trainer, track, config) for track in held}
    np.savez(output, **said)
    for left in output.parent.glob(f"{output.stem}.checkpoint*"):
        left.unlink()


def _predict_jobs(trainer: StreamTrainer, track: LabelledTrack, config: dict) -> np.ndarray:
    """Mean log-odds by family (families,) over what `classify.py` reads of a track, or over all of
    a track that is too short."""
    shortest = min(config["shortest_clip"], len(track.landmarks))
    clips = cut_clips(track.landmarks, config["clip_length"], shortest)
    frames = [len(clip) for clip in clips]
    return mean_over_frames(predict_by_length(trainer.logits, clips), frames)


def _start_worker() -> None:
    choose_backend()
    import torch

    torch.set_num_threads(1)  # a core a training


def _work(job: tuple) -> None:
    train_and_score(*job)


def train_all(jobs: list[tuple], workers: int) -> None:
    """Does `train_and_score` with the arguments of each job, several at a time.

    Raises:
        InputError: a training killed its process.
    """
    for (*_, result), came in WorkerProcesses(workers).run(_work, jobs, _start_worker):
        if isinstance(came, WorkerDied):
            raise InputError(f"{result.stem}: its training ended ({came}); run again to go on")
        notice(f"{result.stem} done")


def gather(scratch: Path) -> dict[tuple[str, str], list[np.ndarray]]:
    """(stream, track) -> log-odds (families,) by each network that never saw the track."""
    said: dict[tuple[str, str], list[np.ndarray]] = defaultdict(list)
    for result in sorted(scratch.glob("*.npz")):
        stream = result.stem.split("_")[0]
        with np.load(result) as arrays:
            for name in arrays:
                said[stream, name].append(arrays[name])
    return said


def write_table(
    path: Path,
    tracks: list[LabelledTrack],
    fold: np.ndarray,
    said: dict[tuple[str, str], list[np.ndarray]],
) -> None:
    """A row a track: the mean log-odds of each stream and family over a stream's networks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for track, number in zip(tracks, fold, strict=True):
            if number < 0:
                continue
            values = [
                np.mean(said[stream, track.name], axis=0)
                if said[stream, track.name]
                else np.full(len(FAMILIES), np.nan)  # a stream that was not trained
                for stream in STREAMS
            ]
            writer.writerow(
                [
                    *(track.name, number, track.detector, int(track.fake), track.family),
                    *(track.manipulation, track.dataset, track.source, track.group),
                    *(f"{track.fps:g}", len(track.landmarks), f"{track.eye_pixels:.1f}"),
                    *(f"{value:.4f}" for of_stream in values for value in of_stream),
                ]
            )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="training.cross_validate", description=__doc__)
    add = parser.add_argument
    add("--config", type=Path, required=True, help="YAML, such as training/bundled.yaml")
    add("--tracks", type=Path, required=True, help="folder of the archives")
    add("--dataset", type=Path, help="folder whose train/ is trained on too, but never measured")
    add("--by", choices=(*SPLITS, FAMILY), default="source", help="what is new in a fold")
    add("--folds", type=int, default=3, help="as many as families with --by family")
    add("--streams", nargs="+", choices=STREAMS, default=STREAMS)
    add("--seeds", type=int, nargs="+", help="of the networks to train, by default all")
    add("--workers", type=int, default=2, help="trainings at the same time, a core each")
    add("--output", type=Path, required=True, help="CSV of what is said of each track")
    given = parser.parse_args()
    if given.folds < 2:
        parser.error("--folds: at least 2")
    return given


def split(
    tracks: list[LabelledTrack], fold: np.ndarray, number: int, by: str
) -> tuple[list[LabelledTrack], list[LabelledTrack]]:
    """The tracks that a fold's networks may learn from, and those that they are measured on."""
    known = trained_on(tracks, fold, number, by)
    kept = [track for track, learnt in zip(tracks, known, strict=True) if learnt]
    held = [track for track, own in zip(tracks, fold, strict=True) if own == number]
    return kept, held


def unmeasured(
    dataset: list[LabelledTrack], held: list[LabelledTrack], number: int, by: str
) -> list[LabelledTrack]:
    """What of a dataset a fold's networks may learn from: nothing of a group that is measured, nor
    of the family that `--by family` leaves out."""
    groups = {track.group for track in held}
    left_out = FAMILIES[number] if by == FAMILY else None
    return [t for t in dataset if t.group not in groups and t.family != left_out]


def main() -> int:
    given = parse_arguments()
    config = read_configuration(given.config, given.seeds)
    tracks = read_archives(given.tracks)
    dataset = read_dataset(given.dataset, config, given.streams)
    fold = held_out(tracks, given.by, given.folds)
    scratch = given.output.with_suffix(".parts")  # trainings that are done
    jobs = []
    for number in range(fold.max() + 1):
        kept, held = split(tracks, fold, number, given.by)
        made = unmeasured(dataset, held, number, given.by)
        notice(f"fold {number}: {len(kept)} + {len(made)} tracks to train on, {len(held)} held out")
        for stream in given.streams[::-1]:
            for network in networks_of(config, stream):
                result = scratch / f"{stream}_fold{number}_{network['name']}.npz"
                if not result.is_file():
                    learned = learned_by(network, kept, made)
                    jobs.append((stream, network, learned, held, result))
    train_all(jobs, given.workers)
    write_table(given.output, tracks, fold, gather(scratch))
    return 0


if __name__ == "__main__":
    sys.exit(run_script("training.cross_validate", main))
