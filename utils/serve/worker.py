"""Processes jobs of the local page in a worker process."""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..console import listen, notice
from ..errors import InputError
from ..limits import STALLED_SECONDS
from ..run.executor import WorkerDied
from ..scaling.worker_processes import WorkerProcess
from .jobs import DONE, FAILED, QUEUED, REPORT, RESULT, RUNNING, UPLOAD, Job, JobStore

PROGRESS = "progress.json"
LANDMARKS = "landmarks"


@dataclass(frozen=True)
class Task:
    """What a worker needs to know of a job, and of the set that judges."""

    folder: Path
    file: str
    weights: str
    model_weights: Path


def work_on(task: Task) -> dict[str, Any]:
    """Classifies the upload of a job; writes `result.json` and the report beside it.

    Returns:
        The video's `label` and `score`, or its `error`, and the `page` of the report.
    """
    # Paths in results are relative to the job's folder: they leave this machine's names out.
    os.chdir(task.folder)
    listen(_ProgressFile(task.file))
    from ..report.page import PageWriter
    from ..report.per_video import VideoFinder
    from ..report.result_writers import JsonWriter
    from ..run.detection import default_extraction, detect_each, list_inputs
    from ..verdict.results import video_label

    classifier = _classifier(task.weights, task.model_weights)
    landmark_files, videos = list_inputs([Path(UPLOAD, task.file)])
    extraction = None
    if videos:
        log = Path(LANDMARKS, "log.txt")
        extraction = default_extraction(Path(LANDMARKS), tell=_notice_once, log_file=log)
    document = JsonWriter(Path(RESULT), classifier.name, classifier.threshold)
    report = PageWriter(Path(REPORT), classifier.weights, VideoFinder([Path(UPLOAD)]), home="/")
    results = list(detect_each(landmark_files, videos, classifier, extraction))
    for writer in (document, report):
        for result in results:
            writer.add(result)
        writer.close()
    pages = [path.name for path in Path(REPORT).glob("*.html") if path.name != "index.html"]
    scores = [result.score for result in results if result.score is not None]
    return {
        "label": video_label(results),
        "score": max(scores, default=None),
        "error": None if scores else _without_folder(results[0].error or "no result"),
        "page": pages[0] if pages else None,
    }


def _without_folder(error: str) -> str:
    return error.replace(f"{UPLOAD}/", "").replace(f"{LANDMARKS}/", "")


@cache
def _classifier(weights: str, folder: Path):  # noqa: ANN202 - imported when it is needed
    from ..run.classification import load_landmark_classifier

    classifier = load_landmark_classifier(weights, folder, None, None)
    classifier.keep_evidence = True
    return classifier


@cache
def _notice_once(message: str) -> None:
    notice(message)


class _ProgressFile:
    """Told of bars, writes where the longest task of a video stands."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, bar: Any) -> None:
        if bar.unit != "frame":
            return
        rate = bar.format_dict["rate"] or (bar.n / max(bar.format_dict["elapsed"], 1e-3))
        left = (bar.total - bar.n) / rate if bar.total and rate else None
        told = {
            "task": bar.desc.removeprefix(self._name).strip(": "),
            "done": bar.n,
            "total": bar.total,
            "seconds_left": None if left is None else round(max(0.0, left), 1),
        }
        partial = Path(f"{PROGRESS}.partial")
        partial.write_text(json.dumps(told), encoding="utf-8")
        partial.replace(PROGRESS)


class JobRunner:
    """Does the jobs of a store one after another, in a worker process that outlives them unless one
    kills it."""

    def __init__(self, store: JobStore, weights: str, model_weights: Path) -> None:
        self._store = store
        self._weights = weights, model_weights
        self._process: WorkerProcess[Task] | None = None
        self._current: Job | None = None

    async def run(self, queue: asyncio.Queue[Job]) -> None:
        """Takes jobs from a queue, for ever; what was deleted meanwhile is passed over."""
        while True:
            job = await queue.get()
            if job.state == QUEUED and self._store.get(job.id) is job:
                await self._do(job)

    def give_up(self, job: Job) -> None:
        """Ends the work on a job, if it is this runner's."""
        if self._current is job:
            self.shutdown()

    def shutdown(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None

    async def _do(self, job: Job) -> None:
        job.state, job.started, self._current = RUNNING, time.time(), job
        self._store.keep(job)
        try:
            outcome = await self._outcome(job)
        finally:
            self._current = None
        if self._store.get(job.id) is not job:  # deleted in the meantime
            return
        for name, value in outcome.items():
            setattr(job, name, value)
        job.state = FAILED if job.error else DONE
        job.progress, job.finished = None, time.time()
        job.upload.unlink(missing_ok=True)
        self._store.keep(job)

    async def _outcome(self, job: Job) -> dict[str, Any]:
        if self._process is None:
            self._process = await asyncio.to_thread(WorkerProcess, work_on, None)
        process = self._process
        process.submit(Task(job.folder, job.file, *self._weights))
        told = time.monotonic()
        while self._process is process and not process.connection.poll():
            await asyncio.sleep(0.1)
            if (progress := _read_progress(job)) != job.progress:
                job.progress, told = progress, time.monotonic()
                self._store.changed(job)
            if time.monotonic() - told > STALLED_SECONDS:
                self.shutdown()
                return {"error": f"no progress in {STALLED_SECONDS:g} s; given up"}
        if self._process is not process:
            return {"error": "deleted"}
        result, alive = process.receive()
        process.job = None
        if not alive:
            self._process = None
        if isinstance(result, WorkerDied):
            return {"error": f"reading it ended its process ({result})"}
        if isinstance(result, InputError):
            return {"error": _without_folder(str(result))}
        if isinstance(result, Exception):
            return {"error": f"{type(result).__name__}: {result}"}
        return result


def _read_progress(job: Job) -> dict[str, Any] | None:
    try:
        return json.loads((job.folder / PROGRESS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
