"""The jobs of the local page, kept on disk so that a restart loses no result."""

from __future__ import annotations

import contextlib
import fcntl
import json
import re
import secrets
import shutil
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from ..atomic_write import AtomicFile
from ..errors import InputError
from ..limits import MAX_JOBS

UPLOADING, QUEUED, RUNNING, DONE, FAILED = "uploading", "queued", "running", "done", "failed"
DELETED = "deleted"
FINISHED = (DONE, FAILED)
RECORD, RESULT, REPORT, UPLOAD = "job.json", "result.json", "report", "upload"
_ID = re.compile(r"[0-9a-f]{24}")


@dataclass
class Job:
    """One file that was sent, and what came of it.

    Attributes:
        id: 24 hexadecimal digits; folder: of all its files; name: as it was sent, for people.
        file: the name of the upload on disk; size: its bytes.
        state: `uploading`, `queued`, `running`, `done` (there is a verdict) or `failed`.
        created, started, finished: seconds since 1970.
        label, score: of the video; error: why there is none. page: of the report, in its folder.
        progress: of a running one: `task`, `done` and `total` frames, `seconds_left`.
    """

    id: str
    folder: Path = field(repr=False)
    name: str
    file: str
    size: int = 0
    state: str = UPLOADING
    created: float = field(default_factory=time.time)
    started: float | None = None
    finished: float | None = None
    label: str | None = None
    score: float | None = None
    error: str | None = None
    page: str | None = None
    progress: dict[str, Any] | None = None
    change: int = 0  # grows with every change of any job

    @property
    def upload(self) -> Path:
        return self.folder / UPLOAD / self.file

    def as_dict(self) -> dict[str, Any]:
        """What the JSON interface reports of it, without its result."""
        told = ("id", "name", "size", "state", "created", "started", "finished", "label", "score")
        shown = {name: getattr(self, name) for name in (*told, "error", "progress")}
        return shown | {"report": f"/reports/{self.id}/{self.page}" if self.page else None}

    def result(self) -> dict[str, Any] | None:
        """The document that `--json` writes; None before it is there."""
        with contextlib.suppress(OSError, ValueError):
            return json.loads((self.folder / RESULT).read_text(encoding="utf-8"))
        return None


class JobStore:
    """All jobs, in the order in which they came; each has a folder, which a restart reads again.

    Used from one thread.

    Raises:
        InputError: the folder cannot be written, or another server uses it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = _lock(folder)
        self._jobs: dict[str, Job] = {}
        self._changes = 0
        self._deleted: deque[tuple[int, str]] = deque(maxlen=MAX_JOBS)
        for job in sorted(self._read_all(), key=lambda job: job.created):
            self._jobs[job.id] = job
            self.changed(job)

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[Job]:
        return iter(list(self._jobs.values()))

    def get(self, job_id: str) -> Job | None:
        return self._jobs.get(job_id)

    def new(self, name: str, file: str) -> Job:
        """A job whose upload begins. Raises OSError where its folder cannot be made."""
        job_id = secrets.token_hex(12)
        job = Job(job_id, self.folder / job_id, name, file)
        job.upload.parent.mkdir(parents=True, mode=0o700)
        self._jobs[job.id] = job
        self.changed(job)
        return job

    def changed(self, job: Job) -> None:
        """Tells those who watch."""
        self._changes += 1
        job.change = self._changes

    def keep(self, job: Job) -> None:
        """The same, and writes it down."""
        self.changed(job)
        with contextlib.suppress(InputError), AtomicFile(job.folder / RECORD) as file:
            record = asdict(job)
            for unwanted in ("folder", "progress", "change"):
                del record[unwanted]
            file.write(json.dumps(record))

    def remove(self, job: Job) -> None:
        """Forgets a job and all of its files."""
        if self._jobs.pop(job.id, None) is None:
            return
        self._changes += 1
        self._deleted.append((self._changes, job.id))
        shutil.rmtree(job.folder, ignore_errors=True)

    def remove_older(self, seconds: float) -> None:
        """Forgets what was finished so long ago."""
        for job in self:
            if job.state in FINISHED and (job.finished or 0) < time.time() - seconds:
                self.remove(job)

    def changes_since(self, change: int) -> tuple[list[dict[str, Any]], int]:
        """What became of jobs after a change, and the number of the last one."""
        found = [job.as_dict() for job in self if job.change > change]
        gone = [{"id": one, "state": DELETED} for number, one in self._deleted if number > change]
        return found + gone, self._changes

    def close(self) -> None:
        self._lock.close()

    def _read_all(self) -> Iterator[Job]:
        for folder in self.folder.iterdir():
            if _ID.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
                job = read_job(folder)
                if job is None:  # its upload was cut off
                    shutil.rmtree(folder, ignore_errors=True)
                else:
                    yield job


def read_job(folder: Path) -> Job | None:
    """A job that an earlier server left: finished, or to be done again."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        job = Job(folder=folder, **record)
    except (OSError, ValueError, TypeError):
        return None
    if job.id != folder.name or job.state == UPLOADING:
        return None
    if job.state not in FINISHED:
        job.state = QUEUED
    return job


def _lock(folder: Path) -> TextIO:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / "lock").open("w", encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror}); choose another --serve_path"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise InputError(
            f"{folder}: another server uses it; stop that one or choose another --serve_path"
        ) from None
    return lock
