"""Runs jobs on a Ray cluster, one actor per worker.

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
from typing import Any

from ..errors import InputError
from ..run.executor import Job, Start
from .actor_pool import LOOK_SECONDS, RETRY, ActorPool, Attempt
from .runtime_environment import worker_environment


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


class Cluster:
    """`utils.run.executor.Executor` on Ray, as a context manager.

    Raises:
        InputError: Ray is not installed, the address does not answer, or no worker fits.
    """

    distributed = True

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
        room = self._fitting(self._options.cpus, self._options.gpus)
        return min(room, self._options.workers or room)

    def _fitting(self, cpus: float, gpus: float) -> int:
        """How many actors that take so much the nodes that live hold together."""
        fitting = 0
        for node in self._ray.nodes():
            if node["Alive"]:
                has = node["Resources"]
                by_cpu = has.get("CPU", 0) / cpus if cpus else float("inf")
                by_gpu = has.get("GPU", 0) / gpus if gpus else float("inf")
                fitting += int(min(by_cpu, by_gpu, 1e6) + 1e-9)
        return fitting

    def run(
        self, work: Callable[[Job], Any], jobs: Sequence[Job], start: Start = None
    ) -> Iterator[tuple[Job, Any]]:
        """See `utils.run.executor.Executor.run`. A job whose worker or node dies is begun again;
        `WorkerDied` where it has killed `DEATHS` workers or lost `LOSSES` nodes.

        Raises what `work` raised; InputError where workers die as they start.
        """
        pool = ActorPool(self._ray, start, num_cpus=self._options.cpus, num_gpus=self._options.gpus)
        waiting = deque(Attempt(job) for job in jobs)
        open_jobs, looked = len(waiting), -LOOK_SECONDS
        try:
            while open_jobs:
                if time.monotonic() - looked >= LOOK_SECONDS:  # nodes come and go
                    room, looked = self.room(), time.monotonic()
                pool.start_workers(min(room, open_jobs))
                for attempt, result in pool.ended():
                    if attempt is None:
                        continue
                    if result is RETRY:
                        waiting.append(attempt)
                    else:
                        open_jobs -= 1
                        yield attempt.job, result
                while pool.idle and waiting:
                    pool.submit(pool.idle.pop(), work, waiting.popleft())
        finally:
            pool.shutdown()
