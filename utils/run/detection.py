"""Videos and landmark files to results: what `classify.py`, the local page and `detect` share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from ..console import notice
from ..inputs import list_files
from ..landmark_files.io import SUFFIX, face_number, other_face_files
from ..verdict.results import VideoResult
from ..video.file_types import VIDEO_SUFFIXES, is_image_pattern
from .classification import FILES_AT_ONCE, LandmarkClassifier, load_landmark_classifier
from .detector_choice import choose_detectors, choose_device
from .executor import Executor, WorkerDied
from .extraction import extract_each
from .extraction_job import ExtractionOptions, VideoReport


def is_landmark_file(path: Path) -> bool:
    return path.name.endswith(SUFFIX)


def list_inputs(inputs: Sequence[Path], recursive: bool = False) -> tuple[list[Path], list[Path]]:
    """Landmark files, the faces of a video together, and videos, that folders, files and lists
    name; a named file that is no landmark file is taken for a video.

    Raises:
        InputError: an input does not exist, or a folder holds neither.
    """
    files = list_files(
        inputs,
        lambda path: is_landmark_file(path) or path.suffix.lower() in VIDEO_SUFFIXES,
        "no landmark files and no videos in this folder; extract some first",
        recursive,
        lambda path: path.exists() or is_image_pattern(path),
        notice,
        tell_others=False,  # textures lie beside landmarks
    )
    landmarks = [path for path in files if is_landmark_file(path)]
    return group_by_video(landmarks), [path for path in files if not is_landmark_file(path)]


def group_by_video(files: Sequence[Path]) -> list[Path]:
    """The same landmark files, those with names of one video's faces together, the main first."""
    videos: dict[Path, list[tuple[int, Path]]] = {}
    for path in files:
        main, number = face_number(path)
        videos.setdefault(main, []).append((number, path))
    return [path for faces in videos.values() for _, path in sorted(faces)]


def default_extraction(
    output_path: Path,
    choose: Callable[[tuple[str, str]], str] | None = None,
    tell: Callable[[str], None] = notice,
    **more: Any,
) -> ExtractionOptions:
    """The options of `extract_landmarks.py` without flags, with detectors that are available.

    Args:
        choose: where these detectors run; None: on a GPU of this machine, if there is one.
        tell: called when one detector replaces another; more: of `ExtractionOptions`.

    Raises:
        InputError: a detector is not available.
    """
    detectors = choose_detectors(None, None, None, tell)
    return ExtractionOptions(
        output_path=output_path,
        face_detector=detectors[0],
        landmark_detector=detectors[1],
        device=choose(detectors) if choose else choose_device("auto", detectors, tell),
        **more,
    )


def results_of_video(
    classifier: LandmarkClassifier, main: Path, report: VideoReport
) -> list[VideoResult]:
    """One result per face of an extracted video, or one with the reason why there is none."""
    if report.error:
        name, path = report.video.name, report.video
        return [VideoResult(name, path, video=name, source=path, error=report.error)]
    results = classifier.classify([main, *other_face_files(main)])
    return [replace(result, source=report.video) for result in results]


def _classify_distributed(
    paths: Sequence[Path], classifier: LandmarkClassifier, executor: Executor
) -> Iterator[VideoResult]:
    """One result a file, in their order, whichever batch is done first."""
    batches = [tuple(paths[i : i + FILES_AT_ONCE]) for i in range(0, len(paths), FILES_AT_ONCE)]
    done: dict[int, list[VideoResult]] = {}
    following = 0
    work = partial(_classify_batch, classifier.origin)
    for (number, batch), results in executor.run(work, list(enumerate(batches))):
        if isinstance(results, WorkerDied):
            why = f"classifying it killed its worker ({results})"
            results = [VideoResult(p.name, p, error=f"{p}: {why}") for p in batch]
        done[number] = results
        while following in done:
            yield from done.pop(following)
            following += 1


def _classify_batch(origin: tuple, job: tuple[int, tuple[Path, ...]]) -> list[VideoResult]:
    return cached_classifier(*origin).classify(job[1])


def detect_each(
    landmark_files: Sequence[Path],
    videos: Sequence[Path],
    classifier: LandmarkClassifier,
    extraction: ExtractionOptions | None,
    executor: Executor | None = None,
) -> Iterator[VideoResult]:
    """A result a face, as they are found; the faces of a video one after another.

    Args:
        extraction: how `videos` are extracted; None where there are none.
        executor: where; None: in this process.

    Raises:
        InputError: two videos of one name, or a detector that is not available.
    """
    if executor is None or not executor.distributed:
        yield from classifier.classify_each(landmark_files)
    else:
        yield from _classify_distributed(landmark_files, classifier, executor)
    if extraction is not None:
        for main, report in extract_each(videos, extraction, executor):
            yield from results_of_video(classifier, main, report)


@cache
def cached_classifier(
    weights: str, folder: Path, score: str | None, threshold: float | None
) -> LandmarkClassifier:
    return load_landmark_classifier(weights, folder, score, threshold)
