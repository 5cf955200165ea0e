#!/usr/bin/env python3
"""How far scores move when a video changes but what it shows does not, and how many of each
version are called Fake:
`python -m training.robustness -h`.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from training.changed_videos import ORIGINAL, extract_versions
from utils.console import run_script
from utils.run.classification import classify_files
from utils.run.extraction import list_videos
from utils.verdict.results import FAKE
from utils.weights.sets import PROJECT_WEIGHTS


def movement_table(scores: dict[str, dict[str, float]], fakes: Counter[str]) -> str:
    """Markdown: how far scores move from the original's.

    Args:
        scores: by change and video; the originals' among them.
        fakes: how many videos are called Fake, by change.
    """
    lines = [
        "| change | videos | median move | 95th percentile | largest | called Fake |",
        "|---|---|---|---|---|---|",
    ]
    original = scores[ORIGINAL]
    moves = {
        change: np.array([abs(of[video] - original[video]) for video in of if video in original])
        for change, of in scores.items()
        if change != ORIGINAL
    }
    fakes = fakes + Counter({"all": sum(fakes[change] for change in moves)})
    moves["all"] = np.concatenate(list(moves.values()))
    for change, of_change in moves.items():
        middle, high = np.percentile(of_change, [50, 95])
        largest = of_change.max()
        moved = f"{middle:.3f} | {high:.3f} | {largest:.3f}"
        lines.append(f"| {change} | {len(of_change)} | {moved} | {fakes[change]} |")
    return "\n".join([*lines, f"Called Fake unchanged: {fakes[ORIGINAL]} of {len(original)}"])


def main() -> int:
    parser = argparse.ArgumentParser(prog="training.robustness", description=__doc__)
    add = parser.add_argument
    add("--videos", nargs="+", type=Path, required=True, help="videos, or folders of them")
    add("--weights", default="bundled")
    add("--model_weights", type=Path, default=PROJECT_WEIGHTS)
    add("--landmarks", type=Path, help="folder that keeps the landmarks for another run")
    add("--output", type=Path, help="CSV of all scores")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as passing:
        made = extract_versions(list_videos(given.videos), given.landmarks or Path(passing))
        _, results = classify_files(list(made), given.weights, given.model_weights, None, None)
    scores: dict[str, dict[str, float]] = defaultdict(dict)
    fakes = Counter[str]()
    for result in results:
        video, change = made[result.path]
        if result.score is not None:
            scores[change][video] = result.score
            fakes[change] += result.label == FAKE
    print(movement_table(scores, fakes))
    if given.output:
        with given.output.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["video", "change", "score"])
            for change, of in scores.items():
                writer.writerows([video, change, f"{score:.4f}"] for video, score in of.items())
    return 0


if __name__ == "__main__":
    sys.exit(run_script("training.robustness", main))
