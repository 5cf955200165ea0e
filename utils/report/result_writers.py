"""The forms in which results leave: lines for people, JSON and CSV for programs."""

from __future__ import annotations

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from ..errors import InputError
from ..verdict.results import VideoResult

CSV_COLUMNS = ("name", "path", "label", "score", "mean", "frames", "clips", "error")


def write_lines(results: Sequence[VideoResult], file: TextIO) -> None:
    """A line a classified file: name (path where names meet), label, score. Errors are left out."""
    done = [result for result in results if result.error is None]
    times = Counter(result.name for result in done)
    shown = [result.name if times[result.name] == 1 else str(result.path) for result in done]
    width = max(map(len, shown), default=0)
    for name, result in zip(shown, done, strict=True):
        file.write(f"{name:<{width}}  {result.label}  {result.score:.4f}\n")


def results_as_dict(weights: str, threshold: float, results: Sequence[VideoResult]) -> dict:
    """What `--json` writes."""
    videos = [{**asdict(result), "path": str(result.path)} for result in results]
    return {"weights": weights, "threshold": threshold, "videos": videos}


def write_json(weights: str, threshold: float, results: Sequence[VideoResult], path: Path) -> None:
    """Writes everything that is known of each file. Raises InputError where it can't."""
    content = json.dumps(results_as_dict(weights, threshold, results), indent=1, allow_nan=False)
    _write_whole(path, content + "\n")


def write_csv(results: Sequence[VideoResult], path: Path) -> None:
    """Writes a row a file; `clips` is their number. Raises InputError where it can't."""
    table = io.StringIO()
    writer = csv.DictWriter(table, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for result in results:
        row = {column: getattr(result, column) for column in CSV_COLUMNS}
        writer.writerow({**row, "clips": len(result.clips)})
    _write_whole(path, table.getvalue())


def _write_whole(path: Path, content: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(content, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        partial.unlink(missing_ok=True)
