#!/usr/bin/env python3
"""What a finished weight set says of labelled tracks: `python -m training.evaluate -h`.

Writes a table that `training.figures` reads, and prints the AUC by part.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from training.cross_validate import write_table
from training.figures import Scale, figures, parts, read_table, table
from training.labelled_tracks import LabelledTrack, read_archives, read_landmark_folder
from utils.console import progress, run_script
from utils.landmark_files.formats import align
from utils.network.classifiers import Classifier, load_classifier
from utils.network.clips import cut_clips, mean_over_frames
from utils.shared import ALIGNED, FAMILIES
from utils.weights.sets import PROJECT_WEIGHTS, STREAMS, read_manifest


def say_of(classifier: Classifier, track: LabelledTrack) -> list[np.ndarray]:
    """Each stream's mean log-odds by family (families,) over what is read of a track.

    A set without families says the same of all.
    """
    weights = classifier.weights
    landmarks = align(track.landmarks) if weights.format == ALIGNED else track.landmarks
    clips = cut_clips(landmarks, weights.clip_length, weights.shortest)
    frames = [len(clip) for clip in clips]
    said = classifier.outputs_of_each(clips)
    means = (mean_over_frames(stream, frames) for stream in (said.g1, said.g2))
    return [np.broadcast_to(mean, (len(FAMILIES),)) for mean in means]


def main() -> int:
    parser = argparse.ArgumentParser(prog="training.evaluate", description=__doc__)
    add = parser.add_argument
    add("--tracks", type=Path, help="folder of the archives")
    add("--dataset", type=Path, help="folder with real/ and fake/ landmark files")
    add("--weights", default="bundled", help="the set")
    add("--model_weights", type=Path, default=PROJECT_WEIGHTS)
    add("--output", type=Path, required=True, help="CSV of what is said of each track")
    given = parser.parse_args()
    if (given.tracks is None) == (given.dataset is None):
        parser.error("give one of --tracks and --dataset")
    tracks = read_archives(given.tracks) if given.tracks else read_landmark_folder(given.dataset)
    manifest = read_manifest(given.model_weights)
    classifier = load_classifier(manifest, given.weights, given.model_weights)
    usable = [track for track in tracks if len(track.landmarks) >= classifier.weights.shortest]
    said = {
        track.name: say_of(classifier, track)
        for track in progress(usable, desc="evaluate", unit="track")
    }
    of_streams = {
        (stream, name): [of[index]]
        for name, of in said.items()
        for index, stream in enumerate(STREAMS)
    }
    write_table(given.output, usable, np.zeros(len(usable), int), of_streams)
    scored = read_table(given.output)
    print(table({name: figures(of, Scale()) for name, of in parts(scored)}))
    return 0


if __name__ == "__main__":
    sys.exit(run_script("training.evaluate", main))
