"""Worker processes: a crash in one costs its own job only."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from types import ModuleType
from typing import Any, Generic, cast

from ..console import speak, speaks
from ..errors import InputError
from ..limits import REPORT_SECONDS
from ..run.executor import Job, Start, WorkerDied

LEAVING_SECONDS = 5.0  # how long a worker may take to exit before it is killed


def exit_reason(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        return f"{name}, out of memory?" if name == "SIGKILL" else name
    return f"exit status {exit_code}"


class WorkerProcess(Generic[Job]):
    """A process and the job that it has, if any. What a job raises is its result."""

    def __init__(self, work: Callable[[Job], Any], start: Start) -> None:
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        given = work, start, theirs, speaks()
        self.process = context.Process(target=_serve, args=given, daemon=True)
        with _hidden_main(work):
            self.process.start()
        theirs.close()
        self.job: Job | None = None

    def submit(self, job: Job) -> None:
        self.job = job
        self.connection.send(job)

    def receive(self) -> tuple[Any, bool]:
        """The result of the job, and whether the worker is still alive."""
        try:
            return self.connection.recv(), True
        except (EOFError, ConnectionResetError):
            self.process.join(LEAVING_SECONDS)
            return WorkerDied(exit_reason(self.process.exitcode)), False

    def shutdown(self) -> None:
        self.connection.close()  # a worker without a job hears this and leaves
        if self.job is not None:
            self.process.terminate()

    def kill(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.join()

    def join(self) -> None:
        self.process.join(LEAVING_SECONDS)
        if self.process.is_alive():
            self.process.kill()


@contextlib.contextmanager
def _hidden_main(work: Callable) -> Iterator[None]:
    """Keeps a new process from running the script that started it, unless the work is that
    script's: not every script that calls `detect` asks whether it is the main one."""
    main = sys.modules["__main__"]
    if getattr(work, "func", work).__module__ != "__main__":
        sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _serve(work: Callable, start: Start, connection: Connection, speaking: bool) -> None:
    if speaking:
        speak()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and terminates us
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # unwinds, so partial files go
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    if start is not None:
        start()
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        try:
            result = work(job)
        except Exception as error:
            result = error
        try:
            connection.send(result)
        except BrokenPipeError:  # the parent was killed
            return


def _leave_with_parent() -> None:
    """Ends this process when its parent was killed: its result is no longer wanted."""
    parent = parent_process()
    if parent is None:
        return
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LEAVING_SECONDS)
    os._exit(1)  # the main thread does not come back from a decoder


class WorkerProcesses:
    """`utils.run.executor.Executor` on this machine.

    No job is tried twice. Leaving the iterator early ends all workers.

    Args:
        workers: how many processes run at the same time, at most.
    """

    distributed = False

    def __init__(self, workers: int = 1) -> None:
        self._workers = workers

    def run(
        self,
        work: Callable[[Job], Any],
        jobs: Sequence[Job],
        start: Start = None,
        timeout: float | None = None,
    ) -> Iterator[tuple[Job, Any]]:
        """See `utils.run.executor.Executor.run`.

        Args:
            timeout: seconds without any result after which what is being done is given up.
        """
        waiting = deque(jobs)
        pool: list[WorkerProcess] = []
        try:
            while waiting or any(worker.job is not None for worker in pool):
                while waiting and len(pool) < self._workers:
                    pool.append(WorkerProcess(work, start))
                    pool[-1].submit(waiting.popleft())
                busy = {worker.connection: worker for worker in pool if worker.job is not None}
                ready = wait(list(busy), timeout)
                if not ready:
                    for worker in busy.values():
                        yield cast(Job, worker.job), WorkerDied(f"no answer in {timeout:g} s")
                        pool.remove(worker)
                        worker.kill()
                for connection in ready:
                    worker = busy[cast(Connection, connection)]
                    job, (result, alive) = worker.job, worker.receive()
                    worker.job = None
                    if not alive:
                        pool.remove(worker)
                    elif waiting:
                        worker.submit(waiting.popleft())
                    if isinstance(result, Exception):
                        raise result
                    yield cast(Job, job), result
        finally:
            for worker in pool:
                worker.shutdown()
            for worker in pool:  # they exit at the same time
                worker.join()


def run_apart(work: Callable[[Job], Any], job: Job) -> Any:
    """The result of one job in a process of its own, which may crash or hang.

    Raises:
        InputError: it did, or the job raised something.
    """
    try:
        ((_, result),) = WorkerProcesses(1).run(work, [job], timeout=REPORT_SECONDS)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{type(error).__name__}: {error}") from None
    if isinstance(result, WorkerDied):
        raise InputError(f"reading it ended its process ({result})")
    return result
