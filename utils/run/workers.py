"""Worker processes, each of which can die without taking another's work with it."""

from __future__ import annotations

import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

Job = TypeVar("Job")
Start = Callable[[], None] | None  # what a worker does first
LEAVING_SECONDS = 5.0  # that a worker is waited for


@dataclass(frozen=True)
class Died:
    """How a worker ended in the midst of a job, in words."""

    reason: str

    def __str__(self) -> str:
        return self.reason


def how_it_ended(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        return f"{name}, out of memory?" if name == "SIGKILL" else name
    return f"exit status {exit_code}"


class _Worker(Generic[Job]):
    """A process and the job that it has, if any."""

    def __init__(self, work: Callable[[Job], Any], start: Start) -> None:
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(work, start, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self.job: Job | None = None

    def give(self, job: Job) -> None:
        self.job = job
        self.connection.send(job)

    def take(self) -> tuple[Any, bool]:
        """What came of the job, and whether the worker lives on."""
        try:
            return self.connection.recv(), True
        except (EOFError, ConnectionResetError):
            self.process.join(LEAVING_SECONDS)
            return Died(how_it_ended(self.process.exitcode)), False

    def dismiss(self) -> None:
        self.connection.close()  # a worker without a job hears this and leaves
        if self.job is not None:
            self.process.terminate()

    def see_off(self) -> None:
        self.process.join(LEAVING_SECONDS)
        if self.process.is_alive():
            self.process.kill()


def _serve(work: Callable, start: Start, connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and terminates us
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # unwinds, so partial files go
    if start is not None:
        start()
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        try:
            came = work(job)
        except Exception as error:
            came = error
        try:
            connection.send(came)
        except BrokenPipeError:  # the parent was killed
            return


def run_in_workers(
    work: Callable[[Job], Any], jobs: Iterable[Job], workers: int, start: Start = None
) -> Iterator[tuple[Job, Any]]:
    """Each job and what `work` made of it, as they are done; `Died` where it killed its worker.

    No job is tried twice. Leaving early ends all workers.

    Args:
        work, start: functions of a module; `start` runs once in each worker.

    Raises:
        Exception: what `work` raised.
    """
    waiting = deque(jobs)
    staff: list[_Worker] = []
    try:
        while waiting or any(worker.job is not None for worker in staff):
            while waiting and len(staff) < workers:
                staff.append(_Worker(work, start))
                staff[-1].give(waiting.popleft())
            at_work = {worker.connection: worker for worker in staff if worker.job is not None}
            for connection in wait(list(at_work)):
                worker = at_work[connection]
                job, (came, lives) = worker.job, worker.take()
                worker.job = None
                if not lives:
                    staff.remove(worker)
                elif waiting:
                    worker.give(waiting.popleft())
                if isinstance(came, Exception):
                    raise came
                yield job, came
    finally:
        for worker in staff:
            worker.dismiss()
        for worker in staff:  # which leave at the same time
            worker.see_off()
