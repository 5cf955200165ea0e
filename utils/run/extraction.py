"""Extracts many videos: skips, logs, and reports errors per video."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..atomic_write import remove_stale_partials
from ..console import EXIT_DONE, EXIT_FAILED, notice, progress
from ..errors import InputError
from ..inputs import list_files
from ..landmark_files.io import output_names, read_header
from ..limits import MAX_FILE_NAME
from ..locations import is_remote, list_names
from ..outputs import same_file
from ..texture.texture_file import SUFFIX as TEXTURE_SUFFIX
from ..texture.texture_file import is_of_earlier_release
from ..video.file_types import VIDEO_SUFFIXES, is_image_pattern
from .executor import Executor, WorkerDied
from .extraction_job import ExtractionOptions, VideoReport
from .run_log import RunLog

if TYPE_CHECKING:
    from .remote_extraction import RemoteExtractor


def list_videos(
    inputs: list[Path], recursive: bool = False, notice: Callable[[str], None] = lambda line: None
) -> list[Path]:
    """The videos that folders, files, image sequences and lists name; a folder's are those with a
    video's suffix.

    Raises:
        InputError: an input does not exist, or a folder holds no video.
    """
    return list_files(
        inputs,
        lambda path: path.suffix.lower() in VIDEO_SUFFIXES,
        "no videos in this folder; give another one with -i",
        recursive,
        lambda path: path.exists() or is_image_pattern(path),
        notice,
    )


def extract_each(
    videos: Sequence[Path], options: ExtractionOptions, executor: Executor | None = None
) -> Iterator[tuple[Path, VideoReport]]:
    """The main face's landmark file of each video and what came of it, as they are done; first
    those whose landmarks are there already.

    Args:
        executor: where the videos are extracted; None: in this process.

    Raises:
        InputError: two videos of one name, a log or a detector that is not available.
    """
    names = output_names(list(videos))
    outputs = {video: options.output_path / name for video, name in zip(videos, names, strict=True)}
    log, finished = RunLog(options.log_file), ExistingOutputs(options.output_path)
    jobs = []
    for video, output in outputs.items():
        if reason := _no_output(video, output):
            yield output, VideoReport(video, error=f"{video}: {reason}")
        elif not options.overwrite and _are_landmarks_of(video, output, finished):
            log.note_earlier(video, output)
            yield output, VideoReport(video, skipped=True)
        else:
            jobs.append((video, output))
    if jobs:
        _prepare_folder(options.output_path, "-o")
    if jobs and options.visualize:
        _prepare_folder(options.visualize_path, "--visualize_path")
    for report in _run(jobs, options, executor) if jobs else ():
        if report.notice:
            notice(f"{report.video}: {report.notice}")
        log.note(report)
        yield outputs[report.video], report


def extract_videos(
    videos: list[Path], options: ExtractionOptions, executor: Executor | None = None
) -> int:
    """Extracts videos, skipping those whose landmarks exist.

    Returns:
        0, or 1 where a video failed.

    Raises:
        InputError: two videos of one name, a log or a detector that is not available.
    """
    counts: Counter[str] = Counter()
    for output, report in extract_each(videos, options, executor):
        if report.error:
            notice(report.error)
        counts["skipped" if report.skipped else "failed" if report.error else "extracted"] += 1
        if report.skipped and options.texture and not is_remote(output):
            counts["earlier"] += is_of_earlier_release(output)
    if counts["skipped"]:
        notice(f"{counts['skipped']} videos had landmarks already (--overwrite redoes them)")
    if counts["earlier"]:
        notice(
            f"{counts['earlier']} of them have a texture file of an earlier release, which counts "
            "as absent: --overwrite measures it anew"
        )
    notice(
        f"{counts['extracted']} extracted to {options.output_path}, {counts['skipped']} skipped, "
        f"{counts['failed']} failed"
    )
    return EXIT_FAILED if counts["failed"] else EXIT_DONE


class ExistingOutputs:
    """Which landmark files exist; an output folder at an address is listed once."""

    def __init__(self, folder: Path) -> None:
        self._names = list_names(folder) if is_remote(folder) else None

    def holds(self, output: Path) -> bool:
        return output.exists() if self._names is None else output.name in self._names


def _are_landmarks_of(video: Path, output: Path, finished: ExistingOutputs) -> bool:
    """Whether a landmark file is of this video, not of another of its name; at an address the name
    decides."""
    if not finished.holds(output):
        return False
    if is_remote(output) or is_remote(video):
        return True
    try:
        size = read_header(output).video_bytes if video.is_file() else None
    except OSError:  # reported when it is read for its landmarks
        size = None
    if size is None or size == video.stat().st_size:
        return True
    notice(f"{output}: holds the landmarks of another {video.name}; extracting it again")
    return False


def _no_output(video: Path, output: Path) -> str:
    """Why landmarks of a video cannot be written, if they cannot; known before any work."""
    if same_file(output, video):
        return "its landmarks would replace it; choose another folder with -o"
    if len(os.fsencode(output.stem + TEXTURE_SUFFIX)) > MAX_FILE_NAME:
        return f"its name leaves no room for that of its landmarks ({MAX_FILE_NAME} bytes)"
    if not is_remote(output) and output.exists() and not output.is_file():
        return f"{output} is no file; remove it or choose another folder with -o"
    return ""


def _prepare_folder(folder: Path, flag: str) -> None:
    """Raises InputError where nothing can be written: before the work, not in its midst."""
    if is_remote(folder):
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}); choose {flag}") from None
    if not os.access(folder, os.W_OK):
        raise InputError(f"{folder}: cannot be written; choose another folder with {flag}")
    remove_stale_partials(folder)


def _run(
    jobs: list[tuple[Path, Path]], options: ExtractionOptions, executor: Executor | None
) -> Iterator[VideoReport]:
    if executor is None:
        yield from _run_here(jobs, options)
        return
    yield from _run_in_processes(jobs, options, executor)
    for folder in (options.output_path, options.visualize_path):
        remove_stale_partials(folder)  # left by workers that were killed


def _run_here(jobs: list[tuple[Path, Path]], options: ExtractionOptions) -> Iterator[VideoReport]:
    extractor = _make_extractor(options)
    for video, output in progress(jobs, desc="videos", unit="video"):
        yield extractor.extract(video, output, show_progress=True)


def _run_in_processes(
    jobs: list[tuple[Path, Path]], options: ExtractionOptions, executor: Executor
) -> Iterator[VideoReport]:
    done = executor.run(partial(_work, options), jobs, start=partial(_start_worker, options))
    if len(jobs) > 1:  # a single video has the worker's own bar
        done = progress(done, desc="videos", unit="video", total=len(jobs))
    for (video, _), report in done:
        if isinstance(report, WorkerDied):
            report = VideoReport(video, error=f"{video}: reading it killed its worker ({report})")
        yield report


def _start_worker(options: ExtractionOptions) -> None:
    import cv2

    cv2.setNumThreads(options.threads)
    # torch, which is not imported yet
    os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))


def _make_extractor(options: ExtractionOptions) -> RemoteExtractor:
    from .remote_extraction import RemoteExtractor  # OpenCV and more, in the process that works

    return RemoteExtractor(options)


@cache
def _process_extractor(options: ExtractionOptions) -> RemoteExtractor:
    return _make_extractor(options)


def _work(options: ExtractionOptions, job: tuple[Path, Path]) -> VideoReport:
    alone = options.workers == 1 and not options.threads_each
    return _process_extractor(options).extract(*job, show_progress=alone)
