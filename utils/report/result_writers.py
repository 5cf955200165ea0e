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
from ..landmark_files.text import SUFFIX
from ..verdict.results import VideoResult, label_of_video

CSV_COLUMNS = (
    *("name", "path", "video", "face", "label", "score", "mean", "family", "reasons"),
    *("fps", "frames", "still", "clips", "error"),
)


def write_lines(results: Sequence[VideoResult], file: TextIO) -> None:
    """A line a classified face: name (path where names meet), label, score, and why it is unclear;
    after the faces of a video with several, a line for the video. Errors are left out."""
    times = Counter(result.name for result in results)
    lines: list[tuple[str, VideoResult | str]] = []
    for video, of_video in _by_video(results).items():
        done = [face for face in of_video if face.error is None]
        lines += [
            (_one_line(face.name if times[face.name] == 1 else str(face.path)), face)
            for face in done
        ]
        label = label_of_video(of_video)
        if len(of_video) > 1 and label:
            lines.append(
                (_one_line(f"{of_video[0].video or video[1]} ({len(of_video)} faces)"), label)
            )
    width = max((len(name) for name, _ in lines), default=0)
    for name, said in lines:
        if isinstance(said, str):
            file.write(f"{name:<{width}}  {said}\n")
            continue
        why = f"  {said.reasons[0]}" if said.reasons else ""
        file.write(f"{name:<{width}}  {said.label:<7}  {said.score:.4f}{why}\n")


def _by_video(results: Sequence[VideoResult]) -> dict[tuple[Path, str], list[VideoResult]]:
    """The faces of each video, the main one first; videos in the order of their first file."""
    videos: dict[tuple[Path, str], list[VideoResult]] = {}
    for result in results:
        videos.setdefault(_video_of(result), []).append(result)
    return {video: sorted(faces, key=_number) for video, faces in videos.items()}


def _number(result: VideoResult) -> int:
    number = result.face.partition(" of ")[0]
    return int(number) if number.isdecimal() else 1


def _one_line(name: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in name)


def _video_of(result: VideoResult) -> tuple[Path, str]:
    """What the faces of one video share: the folder, and the stem of the main face's file."""
    stem = result.path.name.removesuffix(SUFFIX)
    number, _, count = result.face.partition(" of ")
    main = stem.removesuffix(f".face{number}") if count not in ("", "1") else stem
    return result.path.parent, main


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
        row |= {"clips": len(result.clips), "reasons": "; ".join(result.reasons)}
        writer.writerow(row)
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
