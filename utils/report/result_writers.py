"""Result writers: lines for people; JSON, JSON lines and CSV for programs."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Protocol, TextIO

from ..atomic_write import AtomicFile
from ..console import printable
from ..errors import InputError
from ..landmark_files.header import LandmarkHeader
from ..verdict.results import VideoResult, video_key, video_label
from .per_video import PerVideoWriter

CSV_COLUMNS = (
    *("name", "path", "video", "face", "label", "score", "mean", "family", "reasons"),
    *("fps", "frames", "still", "liveliness", "clips", "error"),
)
STDOUT = Path("-")
FORMULA_MARKS = ("=", "+", "-", "@")  # with which a cell of a spreadsheet begins to compute


class ResultWriter(Protocol):
    """What takes results; faces of one video come one after another, the main one first."""

    def add(self, result: VideoResult) -> None: ...

    def close(self, interrupted: bool = False) -> None:
        """Ends the output; where the run was interrupted, with what was found and a mark."""
        ...


class LineWriter(PerVideoWriter):
    """A line a classified face: name of what was given (path where names meet), label, score, and
    why it is unclear; after the faces of a video with several, a line for the video. Errors are
    left out.

    Args:
        tell: takes a line.
        expected: the inputs whose results may come, for the width of the first column.
    """

    def __init__(self, print_result: Callable[[str], None], expected: Sequence[Path] = ()) -> None:
        super().__init__()
        self._tell = print_result
        self._times = Counter(path.name for path in expected)
        self._width = max((len(self._shown(path)) for path in expected), default=0)

    def _shown(self, path: Path) -> str:
        return printable(path.name if self._times[path.name] <= 1 else str(path))

    def _name(self, result: VideoResult) -> str:
        if result.source is None:
            return self._shown(result.path)
        number, _, count = result.face.partition(" of ")
        return self._shown(result.source) + (f" face {number}" if count not in ("", "1") else "")

    def add(self, result: VideoResult) -> None:
        super().add(result)
        if result.error is None:
            why = f"  {result.reasons[0]}" if result.reasons else ""
            name = f"{self._name(result):<{self._width}}"
            self._tell(f"{name}  {result.label:<7}  {result.score:.4f}{why}")

    def write_video(self, faces: Sequence[VideoResult]) -> None:
        label = video_label(faces)
        if len(faces) > 1 and label:
            video = printable(faces[0].video or video_key(faces[0])[1])
            name = f"{video} ({len(faces)} faces)"
            self._tell(f"{name:<{self._width}}  {label}")


class InOrder(PerVideoWriter):
    """Gives results to other writers in the order of the inputs, whichever video is done first: so
    what they write is the same with any number of workers, and after any interruption.

    Args:
        expected: the inputs.
    """

    def __init__(self, writers: Sequence[ResultWriter], expected: Sequence[Path]) -> None:
        super().__init__()
        self._writers = writers
        self._place = {path: number for number, path in enumerate(expected)}
        self._waiting: dict[int, Sequence[VideoResult]] = {}
        self._done: set[int] = set()
        self._next = 0

    def write_video(self, faces: Sequence[VideoResult]) -> None:
        places = [self._place.get(face.source or face.path, self._next) for face in faces]
        self._waiting[min(places)] = faces
        self._done |= set(places)
        while self._next in self._done:
            self._pass_on(self._waiting.pop(self._next, ()))
            self._done.remove(self._next)
            self._next += 1

    def _pass_on(self, faces: Sequence[VideoResult]) -> None:
        for face in faces:
            for writer in self._writers:
                writer.add(face)

    def finish(self, interrupted: bool = False) -> None:
        for place in sorted(self._waiting):
            self._pass_on(self._waiting[place])
        close_all(self._writers, interrupted)


def close_all(writers: Sequence[ResultWriter], interrupted: bool) -> None:
    """Closes every writer even if one of them raises; then raises the first error."""
    first: Exception | None = None
    for writer in writers:
        try:
            writer.close(interrupted)
        except Exception as error:
            first = first or error
    if first is not None:
        raise first


def result_as_dict(result: VideoResult) -> dict:
    """A face's entry in the JSON, as `docs/results.schema.json` describes it."""
    source = None if result.source is None else str(result.source)
    entry = asdict(replace(result, header=LandmarkHeader(), track=None, fields=None))
    del entry["header"], entry["track"], entry["fields"]
    return {**entry, "path": str(result.path), "source": source}


class JsonWriter:
    """Everything that is known of each face: `{"weights", "threshold", "videos": [...]}`.

    Raises:
        InputError: the file cannot be written.
    """

    def __init__(self, path: Path, weights: str, threshold: float) -> None:
        self._out = AtomicFile(path)
        head = f'"weights": {json.dumps(weights)},\n "threshold": {json.dumps(threshold)}'
        self._out.write(f'{{\n {head},\n "videos": [')
        self._before = "\n"

    def add(self, result: VideoResult) -> None:
        entry = json.dumps(result_as_dict(result), indent=1, allow_nan=False)
        self._out.write(self._before + entry)
        self._before = ",\n"

    def close(self, interrupted: bool = False) -> None:
        mark = ',\n "interrupted": true' if interrupted else ""
        self._out.write(f"\n ]{mark}\n}}\n")
        self._out.close()


class JsonLinesWriter:
    """One line per face as soon as it is known, with the weights and the threshold; `-` is stdout.

    Raises:
        InputError: the file cannot be written.
    """

    def __init__(self, path: Path, weights: str, threshold: float) -> None:
        self._head = {"weights": weights, "threshold": threshold}
        self._path = path
        self._file: TextIO | None = sys.stdout if path == STDOUT else None

    def add(self, result: VideoResult) -> None:
        entry = self._head | result_as_dict(result)
        self._write(json.dumps(entry, allow_nan=False) + "\n")

    def _write(self, text: str) -> None:
        """An earlier file of this name is emptied by the first result, not before."""
        try:
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("w", encoding="utf-8")
            self._file.write(text)
            self._file.flush()
        except BrokenPipeError:  # the reader of stdout went away
            raise
        except OSError as error:
            raise InputError(f"{self._path}: cannot be written ({error.strerror})") from None

    def close(self, interrupted: bool = False) -> None:
        if interrupted and self._file is not None:
            self._write(json.dumps(self._head | {"interrupted": True}) + "\n")
        elif not interrupted:
            self._write("")
        if self._path != STDOUT and self._file is not None:
            self._file.close()


class CsvWriter:
    """A row a face; `clips` is their number. No name of a file makes a row or a formula of its own.

    Raises:
        InputError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._out = AtomicFile(path)
        self._rows = csv.DictWriter(self._out, CSV_COLUMNS, lineterminator="\n")
        self._rows.writeheader()

    def add(self, result: VideoResult) -> None:
        row = {column: getattr(result, column) for column in CSV_COLUMNS}
        row |= {"clips": len(result.clips), "reasons": "; ".join(result.reasons)}
        texts = {
            column: _escape_cell(str(value))
            for column, value in row.items()
            if value is not None and not isinstance(value, int | float)
        }
        self._rows.writerow(row | texts)

    def close(self, interrupted: bool = False) -> None:
        if interrupted:
            self._rows.writerow({"error": "interrupted: other inputs are not in this table"})
        self._out.close()


def _escape_cell(cell: str) -> str:
    line = printable(cell)
    return f"'{line}" if line.startswith(FORMULA_MARKS) else line
