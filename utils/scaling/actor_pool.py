"""A pool of Ray actors: which one has which job, and which have died."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..run.executor import Start, WorkerDied

LOOK_SECONDS = 5.0  # that is waited for something to end
DEATHS = 2  # of its worker, after which a job is set aside: it may be what kills
LOSSES = 5  # of its node, which is no fault of the job
FALSE_STARTS = 8  # one after the other, after which no more workers are hired
RETRY = object()  # what came of a job that is to be begun again


@dataclass
class Attempt:
    """A job, and how often it was started without success: its worker died or its node was lost."""

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

    def ready(self) -> str:
        """The id of the node that it runs on."""
        import ray

        return ray.get_runtime_context().get_node_id()

    def do(self, work: Callable, job: Any) -> Any:
        return work(job)


class ActorPool:
    """The actors, and what each is doing.

    Args:
        takes: what an actor takes of a node, as Ray names it (`num_cpus`, `num_gpus`).
    """

    def __init__(self, ray: Any, start: Start, **takes: float) -> None:
        self._ray, self._start = ray, start
        self._kind = ray.remote(_Worker).options(**takes)
        self._busy: dict[Any, tuple[Any, Attempt | None]] = {}  # by the awaited reference
        self._node_of: dict[Any, str] = {}  # by worker
        self._false_starts = 0
        self.idle: list[Any] = []

    def start_workers(self, wanted: int) -> None:
        """Starts workers until so many are there."""
        for _ in range(wanted - len(self._busy) - len(self.idle)):
            worker = self._kind.remote(str(Path.cwd()), self._start)
            self._busy[worker.ready.remote()] = worker, None

    def submit(self, worker: Any, work: Callable, attempt: Attempt) -> None:
        """Sets an idle worker to work."""
        self._busy[worker.do.remote(work, attempt.job)] = worker, attempt

    def ended(self) -> Iterator[tuple[Attempt | None, Any]]:
        """Jobs and their results; no job: a worker is ready. Live workers become idle."""
        if not self._busy:  # no node is left; one may come
            time.sleep(LOOK_SECONDS)
            return
        done, _ = self._ray.wait(list(self._busy), timeout=LOOK_SECONDS)
        for reference in done:
            worker, attempt = self._busy.pop(reference)
            try:
                result = self._ray.get(reference)
            except self._ray.exceptions.RayTaskError as error:
                raise error.cause from None
            except self._ray.exceptions.RayActorError as error:
                result = self._death(worker, attempt, error)
            else:
                self._false_starts = 0
                if attempt is None:
                    self._node_of[worker] = result
                self.idle.append(worker)
            yield attempt, result

    def _death(self, worker: Any, attempt: Attempt | None, error: Exception) -> Any:
        if attempt is None:
            self._false_starts += 1
            if self._false_starts >= FALSE_STARTS:
                reason = str(error).splitlines()[-1]
                raise InputError(f"--ray: workers die as they start ({reason})")
            return None
        if self._lost_its_node(worker, error):
            attempt.losses += 1
        else:
            attempt.deaths += 1
        if attempt.deaths < DEATHS and attempt.losses < LOSSES:
            return RETRY
        return WorkerDied(f"{attempt.deaths} workers and {attempt.losses} nodes died of it")

    def _lost_its_node(self, worker: Any, error: Exception) -> bool:
        """Whether the worker is gone, or out of reach, with its node: no fault of the job."""
        if isinstance(error, self._ray.exceptions.ActorUnavailableError):
            return True
        alive = {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}
        return self._node_of.pop(worker, None) not in alive

    def shutdown(self) -> None:
        for worker in [*self.idle, *(worker for worker, _ in self._busy.values())]:
            self._ray.kill(worker)
