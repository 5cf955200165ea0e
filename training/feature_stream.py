"""Trains the fourth stream (g4), and measures it out of fold.

    python -m training.texture_stream ...  # first: it writes the table
    python -m training.feature_stream --list videos.tsv --corpus CORPUS --changed CHANGED \\
        --tracks ../shared/training --networks FOLDER --output model_weights/bundled

g4 is a support vector machine on the features of one of g1's networks. It learns from tracks that
the network was trained on and from as many that it was not, so it can be measured only with
networks that were trained without the track's source: three are trained into FOLDER, with the
network's own recipe and the folds of `training.cross_validate` (an hour on one core; what an
interrupted run left is taken up).

Writes `g4.npz`, and the columns `features` and `seen` of `training/texture_out_of_fold.csv`.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.clip_sampler import ClipSampler
from training.configuration import networks_of, read_configuration
from training.corpus import CorpusTrack, read_rows, read_tracks
from training.cross_validate import deal, split
from training.kernel_training import MachineRecipe
from training.labelled_tracks import read_archives
from training.texture_stream import FFPP, MAX_CLIPS, TABLE, known_tracks, out_of_fold, train
from training.train import StreamTrainer, choose_backend, learned_by, train_stream
from utils.atomic_write import AtomicFile
from utils.console import EXIT_DONE, notice, run_script
from utils.kernel_machine import save_kernel_machine
from utils.network.clips import stream_values
from utils.network.convolutional import Network, read_networks
from utils.shared import VALUES_PER_FRAME
from utils.weights.sets import BUNDLED, CONVOLUTIONAL, PROJECT_WEIGHTS, STREAMS, read_manifest

CONFIGURATION = Path(__file__).resolve().parent / "bundled.yaml"
RECIPE = MachineRecipe(c=1.0, gamma=0.5)
NETWORK_FOLDS = 3  # of `training.cross_validate`
COPIED_CLIPS = 2  # of a changed copy that are learned


def fold_networks(archive: Path, folder: Path, member: int) -> list[Network]:
    """Networks of g1 that were trained without a fold of the archive's tracks each; trained into
    `folder` where they are not there.

    Args:
        member: which of the configuration's networks; one that learns from the archive alone.
    """
    config = read_configuration(CONFIGURATION)
    network = networks_of(config, STREAMS[0])[member]
    paths = [folder / f"g1_{number}.weights.h5" for number in range(NETWORK_FOLDS)]
    if missing := [number for number, path in enumerate(paths) if not path.is_file()]:
        folder.mkdir(parents=True, exist_ok=True)
        tracks = read_archives(archive)
        fold = deal(tracks, "source", NETWORK_FOLDS)
        for number in missing:
            kept, _ = split(tracks, fold, number, "source")
            sampler = ClipSampler(learned_by(network, kept, []), network)
            trainer = StreamTrainer(STREAMS[0], network, sampler)
            train_stream(trainer, f"g1_{number}", network, folder)
            trainer.finished().save_weights(paths[number])
    return [read_networks(path, config["units"], 1)[0] for path in paths]


def network_features(network: Network, tracks: Sequence[CorpusTrack]) -> list[np.ndarray]:
    """The features (clips, 2 * units) of each track's first clips."""
    found = []
    for track in tracks:
        assert track.clips is not None
        rows = []
        for clip in track.clips.clips[:MAX_CLIPS]:
            values = stream_values(CONVOLUTIONAL, STREAMS[0], clip.reshape(1, -1, VALUES_PER_FRAME))
            rows.append(network.features(values.astype(np.float32))[0])
        found.append(np.stack(rows))
    return found


def unseen_by(tracks: Sequence[CorpusTrack], known: dict[str, dict[str, str]]) -> list[int | None]:
    """The fold whose network saw nothing of each track's source; None: g1's own network did not.

    Of FF++, which is in all folds, that of the track itself.
    """
    of_source = {
        track.row.source: int(known[track.row.name]["fold"])
        for track in tracks
        if track.row.name in known and track.row.dataset != FFPP
    }
    return [
        int(known[track.row.name]["fold"])
        if track.row.name in known
        else of_source.get(track.row.source)
        for track in tracks
    ]


def out_of_networks(
    tracks: Sequence[CorpusTrack],
    unseen: Sequence[int | None],
    features: dict[int | None, list[np.ndarray]],
    copies: dict[int | None, dict[str, np.ndarray]],
) -> np.ndarray:
    """Mean decisions (tracks,) by networks and machines that saw no source of a track.

    Args:
        unseen: of each track, which network saw nothing of it; features: of all tracks, and
        copies: of changed ones by name, by each network.
    """
    found = np.zeros(len(tracks))
    for network, own in features.items():
        by_network = out_of_fold(tracks, own, copies[network], RECIPE)[:, 0]
        held = [index for index, of in enumerate(unseen) if of == network]
        found[held] = by_network[held]
        notice(f"network {network} done")
    return found


def add_columns(path: Path, columns: dict[str, dict[str, str]]) -> None:
    """Writes columns, by name and name of the track, to a table that is there."""
    with path.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        row |= {name: of[row["name"]] for name, of in columns.items()}
    with AtomicFile(path) as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def main() -> int:
    parser = argparse.ArgumentParser(prog="training.feature_stream", description=__doc__)
    parser.add_argument("--list", type=Path, required=True, help="the list of labelled videos")
    parser.add_argument("--corpus", type=Path, required=True, help="what training.corpus wrote")
    parser.add_argument("--changed", type=Path, required=True, help="the same of changed copies")
    parser.add_argument("--tracks", type=Path, required=True, help="the archive of landmarks")
    parser.add_argument("--networks", type=Path, required=True, help="folder of fold networks")
    parser.add_argument("--output", type=Path, required=True, help="folder of g4.npz")
    given = parser.parse_args()
    choose_backend()
    weights, rows = read_manifest().sets[BUNDLED], read_rows(given.list)
    assert weights.units is not None
    with TABLE.open(newline="") as lines:
        listed = {row["name"] for row in csv.DictReader(lines)}
    read = read_tracks(rows, given.corpus, weights)
    tracks = [track for track in read if track.clips and track.row.name in listed]
    copied = [one for one in read_tracks(rows, given.changed, weights) if one.clips]
    known = known_tracks(tracks, given.tracks)
    unseen = unseen_by(tracks, known)
    member = weights.feature_network
    of_g1 = PROJECT_WEIGHTS / weights.files[0].name
    shipped = read_networks(of_g1, weights.units, weights.networks)
    folds = enumerate(fold_networks(given.tracks, given.networks, member))
    networks: dict[int | None, Network] = {None: shipped[member], **dict(folds)}
    features = {name: network_features(one, tracks) for name, one in networks.items()}
    names = [one.row.name for one in copied]
    copies = {
        name: {
            copy: own[:COPIED_CLIPS]
            for copy, own in zip(names, network_features(one, copied), strict=True)
        }
        for name, one in networks.items()
    }
    notice(f"{len(tracks)} tracks, {len(copied)} changed copies, {len(known)} known to g1")
    found = out_of_networks(tracks, unseen, features, copies)
    columns = {
        "features": {t.row.name: f"{of:.4f}" for t, of in zip(tracks, found, strict=True)},
        "seen": {t.row.name: str(int(n is not None)) for t, n in zip(tracks, unseen, strict=True)},
    }
    add_columns(TABLE, columns)
    machine = train(tracks, features[None], copies[None], RECIPE)
    save_kernel_machine(given.output / "g4.npz", machine)
    notice(f"{len(machine.vectors)} support vectors, {(given.output / 'g4.npz').stat().st_size} B")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(run_script("training.feature_stream", main))
