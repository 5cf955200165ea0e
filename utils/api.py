"""The Python API."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO, cast

from .locations import location, user_cache
from .run.detection import cached_classifier, default_extraction, detect_each, list_inputs
from .run.executor import Executor
from .verdict.results import VideoResult
from .weights.sets import AUTO, PROJECT_WEIGHTS


@dataclass(frozen=True)
class Detection:
    """What `--json` writes: one result per face, those of landmark files first."""

    weights: str
    threshold: float
    videos: list[VideoResult]


Input = str | os.PathLike[str] | BinaryIO


def detect(
    inputs: Input | Sequence[Input],
    *,
    weights: str = AUTO,
    model_weights: Path = PROJECT_WEIGHTS,
    score: str | None = None,
    threshold: float | None = None,
    landmarks_path: str | os.PathLike[str] | None = None,
    recursive: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Detection:
    """Tells fake videos from real ones. The classifier is kept for the next call; videos are read
    in a process of their own.

    Nothing is printed and nothing is left in the working directory: notices go to the logger
    `lrnet`, what takes another detector's place is warned of once.

    Args:
        inputs: videos, landmark files, folders or addresses of them, or videos as binary files.
        weights, model_weights, score, threshold: as the flags of `classify.py`.
        landmarks_path: where landmarks of videos are written, or found if they are there already;
            None: a folder of the user's cache; for binary files, one that goes again.
        recursive: whether folders below folders are searched.
        progress: called after each face with the number of inputs done and their total.

    Returns:
        One result per face; its `error` says why there is no label.

    Raises:
        TypeError: an input is neither a path nor a binary file.
        InputError: an input does not exist, or weights or a detector is not available.
    """
    named = [inputs] if isinstance(inputs, str | os.PathLike) or _is_file(inputs) else list(inputs)
    with tempfile.TemporaryDirectory(prefix="lrnet-") as temporary:
        paths = [_path_of(one, Path(temporary), number) for number, one in enumerate(named)]
        landmark_files, videos = list_inputs(paths, recursive)
        classifier = cached_classifier(weights, Path(model_weights), score, threshold)
        output = _landmarks_folder(landmarks_path, named, Path(temporary))
        extraction = None
        if videos:
            log = Path(temporary) / "log.txt"
            extraction = default_extraction(output, tell=_warn_once, log_file=log)
        found: list[VideoResult] = []
        total, done = len(landmark_files) + len(videos), set()
        for result in detect_each(landmark_files, videos, classifier, extraction, _executor()):
            found.append(result)
            done.add(result.source or result.path)
            if progress is not None:
                progress(len(done), total)
    return Detection(classifier.name, classifier.threshold, found)


def _executor() -> Executor | None:
    """A process apart, which a hostile video may end; none where this one may have no children."""
    if multiprocessing.current_process().daemon:
        return None
    from .scaling.worker_processes import WorkerProcesses

    return WorkerProcesses(1)


def _is_file(given: object) -> bool:
    return hasattr(given, "read")


def _path_of(given: object, folder: Path, number: int) -> Path:
    """The path of an input; a binary file is copied into a folder."""
    if isinstance(given, str | os.PathLike):
        return location(os.fspath(given))
    if not _is_file(given):
        raise TypeError(f"{given!r} is neither a path nor a binary file")
    copy = folder / f"{number}.video"
    with copy.open("wb") as target:
        shutil.copyfileobj(cast(BinaryIO, given), target)
    return copy


def _landmarks_folder(given: object, inputs: Sequence[object], temporary: Path) -> Path:
    if given is not None:
        return location(os.fspath(cast(str, given)))
    caches = user_cache()
    if caches is None or any(map(_is_file, inputs)):
        return temporary / "landmarks"
    return caches / "lrnet" / "landmarks"


@cache
def _warn_once(message: str) -> None:
    warnings.warn(message, stacklevel=2)
