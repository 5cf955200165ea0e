#!/usr/bin/env python3
"""Landmark files -> label and score. See README.md, or run with -h."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from utils.console import EXIT_DONE, EXIT_FAILED, progress, run_script, say
from utils.errors import InputError
from utils.shared import SCORES

NAME = "classify"
DEFAULT_FOLDERS = (Path("landmarks"), Path("landmarks_new"))


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"{NAME}.py",
        description="Tell deepfake videos from real ones by their landmark files. "
        "Score: 0 = real, 1 = fake.",
    )
    add = parser.add_argument
    add(
        "-i",
        "--landmarks_path",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="landmark files or folders of them (default: ./landmarks and ./landmarks_new)",
    )
    add(
        "--weights",
        default="auto",
        metavar="NAME",
        help="weight set (default: auto, the project's own)",
    )
    add(
        "--model_weights",
        type=Path,
        metavar="DIR",
        help="folder of weight sets (default: model_weights beside this script)",
    )
    add(
        "--score",
        choices=SCORES,
        help="a video's score: share of clips called fake (vote), their mean probability, or the "
        "evidence for its likeliest family of fakes (default: the set's own)",
    )
    add(
        "--threshold",
        type=float,
        default=0.5,
        metavar="T",
        help="call a video fake at this score or over it (default: 0.5)",
    )
    add("--json", type=Path, metavar="FILE", help="also write everything as JSON")
    add("--csv", type=Path, metavar="FILE", help="also write a row a file as CSV")
    given = parser.parse_args(arguments)
    if not 0 <= given.threshold <= 1:
        parser.error("--threshold must lie between 0 and 1")
    return given


def landmark_files(given: list[Path] | None) -> list[Path]:
    """The files that were named, or those of the default folders."""
    from utils.run.classification import list_landmark_files

    if given is not None:
        return list_landmark_files(given)
    folders = [folder for folder in DEFAULT_FOLDERS if any(folder.glob("*.txt"))]
    if not folders:
        raise InputError("no landmark files in ./landmarks and ./landmarks_new; extract some first")
    return list_landmark_files(folders)


def main() -> int:
    given = parse_arguments()
    paths = landmark_files(given.landmarks_path)
    from utils.report.result_writers import write_csv, write_json, write_lines
    from utils.run.classification import classify_files
    from utils.weights.sets import PROJECT_WEIGHTS

    with progress((), total=len(paths), desc="classify", unit="file", leave=False) as bar:
        weights, results = classify_files(
            paths,
            given.weights,
            given.model_weights or PROJECT_WEIGHTS,
            given.score,
            given.threshold,
            bar.update,
        )
    write_lines(results, sys.stdout)
    if given.json:
        write_json(weights, given.threshold, results, given.json)
    if given.csv:
        write_csv(results, given.csv)
    errors = [result.error for result in results if result.error]
    for error in errors:
        say(error)
    if errors:
        say(f"{len(results) - len(errors)} classified, {len(errors)} failed")
    return EXIT_FAILED if errors else EXIT_DONE


if __name__ == "__main__":
    sys.exit(run_script(NAME, main))
