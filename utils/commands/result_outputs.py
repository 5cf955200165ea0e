"""Outputs of `classify.py`: checked before the work, opened, and closed however the run ends."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..atomic_write import remove_stale_partials
from ..console import notice, print_result
from ..locations import is_remote
from ..outputs import check_output_file, check_output_folder

if TYPE_CHECKING:
    from ..report.result_writers import ResultWriter
    from ..run.classification import LandmarkClassifier


def check_outputs(given: argparse.Namespace, inputs: list[Path]) -> None:
    """Raises InputError where results could not be written: before the work, not after it."""
    for flag, file in (("--json", given.json), ("--jsonl", given.jsonl), ("--csv", given.csv)):
        if file is not None and str(file) != "-":
            check_output_file(flag, file, inputs)
    for flag, folder in (("--report", given.report), ("--plot", given.plot)):
        if folder is not None:
            check_output_folder(flag, folder)
    check_output_folder("-o", given.output_path)
    _remove_stale(given)


def _remove_stale(given: argparse.Namespace) -> None:
    """Removes what runs and workers that were killed left unfinished."""
    files = [file for file in (given.json, given.csv) if file is not None]
    for folder in {given.report, given.plot, *(file.parent for file in files)} - {None}:
        if not is_remote(folder):
            remove_stale_partials(folder)


@contextmanager
def open_writers(
    given: argparse.Namespace, classifier: LandmarkClassifier, expected: list[Path]
) -> Iterator[list[ResultWriter]]:
    """All that was asked for; where the run ends early, with what was found until then."""
    from ..report.result_writers import InOrder, close_all

    in_order: list[ResultWriter] = []
    writers: list[ResultWriter] = [InOrder(in_order, expected)]
    interrupted = True
    try:
        for one in _at_once(given, classifier, expected):
            writers.append(one)
        for one in _in_order(given, classifier):
            in_order.append(one)
        yield writers
        interrupted = False
    finally:
        close_all(writers, interrupted)
        _remove_stale(given)
        if interrupted:
            _tell_interrupted(given)


def _at_once(
    given: argparse.Namespace, classifier: LandmarkClassifier, expected: list[Path]
) -> Iterator[ResultWriter]:
    """Outputs that are written as soon as a result is known."""
    from ..report.result_writers import STDOUT, JsonLinesWriter, LineWriter

    if given.jsonl != STDOUT:
        yield LineWriter(print_result, expected)
    if given.jsonl:
        yield JsonLinesWriter(given.jsonl, classifier.name, classifier.threshold)


def _in_order(given: argparse.Namespace, classifier: LandmarkClassifier) -> Iterator[ResultWriter]:
    """What has the order of the inputs."""
    from ..report.overlay import OverlayWriter
    from ..report.page import PageWriter
    from ..report.per_video import VideoFinder
    from ..report.result_writers import CsvWriter, JsonWriter
    from ..report.timeline_file import TimelineWriter
    from ..scaling.worker_processes import run_apart

    name, threshold = classifier.name, classifier.threshold
    find_video = VideoFinder(given.videos, given.max_megapixels)
    if given.json:
        yield JsonWriter(given.json, name, threshold)
    if given.csv:
        yield CsvWriter(given.csv)
    if given.plot:
        yield TimelineWriter(given.plot)
    if given.report:
        pages = given.report, classifier.weights, find_video, run_apart
        yield PageWriter(*pages, threshold=threshold)
    if given.visualize:
        folder, suffix = given.visualize_path, given.visualize_format
        yield OverlayWriter(folder, suffix, find_video, run_apart)


def _tell_interrupted(given: argparse.Namespace) -> None:
    written = [given.json, given.jsonl, given.csv, given.report and given.report / "index.html"]
    kept = ", ".join(str(path) for path in written if path and str(path) != "-")
    if kept:
        notice(f"ended early; what was found until then is in {kept}")
