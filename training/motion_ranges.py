"""How fast mouth, eyes and head of real people move: the range that a report draws.

    python -m training.motion_ranges --list videos.tsv --corpus CORPUS

Prints the 5th and the 95th percentile over real tracks, each person counted alike, as YAML for the
set's entry of `model_weights/manifest.yaml`.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import yaml

from training.corpus import read_rows, read_tracks
from utils.console import EXIT_DONE, print_result, run_script
from utils.rigid_motion import region_speeds

PERCENTILES = np.arange(0.5, 100)  # of a person's values, by which all people count alike
BOUNDS = (5, 95)
MIN_FRAMES = 30


def motion_ranges(list_of_videos: Path, corpus: Path) -> dict[str, list[float]]:
    """Region -> least and most, as `utils.rigid_motion.region_speeds` measures it."""
    of_people: dict[str, dict[str, list[np.ndarray]]] = defaultdict(lambda: defaultdict(list))
    for track in read_tracks(read_rows(list_of_videos), corpus):
        if track.row.fake:
            continue
        for landmarks in track.landmarks:
            if len(landmarks) >= MIN_FRAMES:
                for region, speeds in region_speeds(landmarks, track.fps).items():
                    of_people[region][track.row.group].append(speeds)
    found = {}
    for region, people in of_people.items():
        alike = [np.percentile(np.concatenate(own), PERCENTILES) for own in people.values()]
        bounds = np.percentile(np.concatenate(alike), BOUNDS)
        found[region] = [float(f"{bound:.3g}") for bound in bounds]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="training.motion_ranges", description=__doc__)
    parser.add_argument("--list", type=Path, required=True, help="the list of labelled videos")
    parser.add_argument("--corpus", type=Path, required=True, help="what training.corpus wrote")
    given = parser.parse_args()
    ranges = motion_ranges(given.list, given.corpus)
    print_result(yaml.safe_dump({"motion": ranges}, default_flow_style=None).strip())
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(run_script("training.motion_ranges", main))
