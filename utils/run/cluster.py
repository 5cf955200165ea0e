"""Many machines as one: Ray as the engine, an actor a worker.

The work is the function that `--workers` calls; this engine only decides where it runs, and what
becomes of it where a worker or a node dies.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..errors import InputError
from .shipped_code import worker_environment
from .workers import Died, Start

Job = TypeVar("Job")
LOOK_SECONDS = 5.0  # between two looks for nodes that came
DEATHS = 2  # of its worker, after which a job is set aside: it may be what kills
LOSSES = 5  # of its node, which is no fault of the job
_LOST = object()  # what came of a job that is to be begun again
FALSE_STARTS = 8  # one after the other, after which no more workers are hired


@dataclass(frozen=True)
class ClusterOptions:
    """What `--ray` and its companions say.

    No `address` starts Ray here; 0 `workers` are as many as the cluster holds, `cpus` and `gpus`
    what each takes.
    """

    address: str = ""
    workers: int = 0
    cpus: float = 1.0
    gpus: float = 0.0


@dataclass
class _Attempt:  # a job, and how often it was begun in vain
    job: Any
    deaths: int = 0
    losses: int = 0


class _Worker:
    """An actor: one process, in the driver's folder where the node has it."""

    def __init__(self, folder: str, start: Start) -> None:
        with contextlib.suppress(OSError):
            os.chdir(folder)
        if start is not None:
            start()

    def ready(self) -> None: ...

    def do(self, work: Callable, job: Any) -> Any:
        return work(job)


class Cluster:
    """A connection to Ray; a context manager that ends what it began. Raises InputError where Ray
    is not installed, the address does not answer, or no worker fits."""

    def __init__(self, options: ClusterOptions) -> None:
        self._options, self._closing = options, contextlib.ExitStack()

    def __enter__(self) -> Cluster:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # no network but the cluster's own
        os.environ["RAY_DEDUP_LOGS_SKIP_REGEX"] = "."  # stdout is for results, not for Ray's words
        try:
            import ray
        except ImportError:
            raise InputError("--ray: pip install -r requirements-ray.txt") from None
        self._ray, options = ray, self._options
        cpus = round(options.workers * options.cpus) or None
        local = {"address": "local", "num_cpus": cpus, "include_dashboard": False}
        where: dict[str, Any] = {"address": options.address} if options.address else local
        code = worker_environment(ship=bool(options.address))
        where["runtime_env"] = self._closing.enter_context(code)
        ended_by = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(**where, log_to_driver=False, logging_level=logging.CRITICAL)
            with contextlib.suppress(ValueError):  # Ray's prints a stack; not in the main thread
                signal.signal(signal.SIGTERM, ended_by)
        except Exception as error:  # Ray has many words for it
            self._closing.close()
            reason = str(error).splitlines()[0]
            raise InputError(f"--ray {options.address}: does not answer ({reason})") from None
        self._closing.callback(ray.shutdown)
        if not self.room():
            self._closing.close()
            each = f"{options.cpus:g} CPUs and {options.gpus:g} GPUs"
            raise InputError(f"--ray: no node has room for a worker of {each}")
        return self

    def __exit__(self, *ending: object) -> None:
        self._closing.close()

    def room(self) -> int:
        """How many workers the nodes that live hold together."""
        options, room = self._options, 0
        for node in self._ray.nodes():
            if node["Alive"]:
                has = node["Resources"]
                by_cpu = has.get("CPU", 0) / options.cpus if options.cpus else float("inf")
                by_gpu = has.get("GPU", 0) / options.gpus if options.gpus else float("inf")
                room += int(min(by_cpu, by_gpu, 1e6) + 1e-9)
        return min(room, options.workers or room)

    def run(
        self, work: Callable[[Job], Any], jobs: Sequence[Job], start: Start = None
    ) -> Iterator[tuple[Job, Any]]:
        """As `run_in_workers`, but that a job whose worker or node dies is begun again elsewhere;
        `Died` where it has killed `DEATHS` workers or lost `LOSSES` nodes.

        Raises what `work` raised; InputError where workers die as they start.
        """
        crew = _Crew(self._ray, self._options, start)
        waiting = deque(_Attempt(job) for job in jobs)
        open_jobs, looked = len(waiting), -LOOK_SECONDS
        try:
            while open_jobs:
                if time.monotonic() - looked >= LOOK_SECONDS:  # nodes come and go
                    room, looked = self.room(), time.monotonic()
                crew.hire(min(room, open_jobs))
                for attempt, came in crew.ended():
                    if came is _LOST:
                        waiting.append(attempt)
                    elif attempt is not None:
                        open_jobs -= 1
                        yield attempt.job, came
                while crew.idle and waiting:
                    crew.give(crew.idle.pop(), work, waiting.popleft())
        finally:
            crew.dismiss()


class _Crew:
    """The actors, and what each is doing."""

    def __init__(self, ray: Any, options: ClusterOptions, start: Start) -> None:
        self._ray, self._start = ray, start
        self._kind = ray.remote(_Worker).options(num_cpus=options.cpus, num_gpus=options.gpus)
        self._at_work: dict[Any, tuple[Any, _Attempt | None]] = {}  # by what is awaited
        self._false_starts = 0
        self.idle: list[Any] = []

    def hire(self, wanted: int) -> None:
        for _ in range(wanted - len(self._at_work) - len(self.idle)):
            worker = self._kind.remote(str(Path.cwd()), self._start)
            self._at_work[worker.ready.remote()] = worker, None

    def give(self, worker: Any, work: Callable, attempt: _Attempt) -> None:
        self._at_work[worker.do.remote(work, attempt.job)] = worker, attempt

    def ended(self) -> Iterator[tuple[_Attempt | None, Any]]:
        """Jobs and what came of them (no job: a worker is ready); who lives on is idle."""
        if not self._at_work:  # no node is left; one may come
            time.sleep(LOOK_SECONDS)
            return
        done, _ = self._ray.wait(list(self._at_work), timeout=LOOK_SECONDS)
        for reference in done:
            worker, attempt = self._at_work.pop(reference)
            try:
                came = self._ray.get(reference)
            except self._ray.exceptions.RayTaskError as error:
                raise error.cause from None
            except self._ray.exceptions.RayActorError as error:
                came = self._death(attempt, error)
            else:
                self._false_starts = 0
                self.idle.append(worker)
            yield attempt, came

    def _death(self, attempt: _Attempt | None, error: Exception) -> Any:
        reason = str(error)
        if attempt is None:
            self._false_starts += 1
            if self._false_starts >= FALSE_STARTS:
                raise InputError(f"--ray: workers die as they start ({reason.splitlines()[-1]})")
            return None
        of_node = "worker process has died" not in reason  # nor can it be reached
        attempt.losses += of_node
        attempt.deaths += not of_node
        if attempt.deaths < DEATHS and attempt.losses < LOSSES:
            return _LOST
        return Died(f"{attempt.deaths} workers and {attempt.losses} nodes died of it")

    def dismiss(self) -> None:
        for worker in [*self.idle, *(worker for worker, _ in self._at_work.values())]:
            self._ray.kill(worker)
