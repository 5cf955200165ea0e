"""The executor interface, implemented in `utils.scaling`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

Job = TypeVar("Job")
Start = Callable[[], None] | None  # runs once in each worker, before its first job


@dataclass(frozen=True)
class WorkerDied:
    """The result of a job whose worker process ended before the job did."""

    reason: str

    def __str__(self) -> str:
        return self.reason


class Executor(Protocol):
    """Runs jobs in worker processes, here or on a cluster.

    Attributes:
        distributed: the workers may be on other machines; then even a single job, and the
            classification of landmark files, is sent to them.
    """

    distributed: bool

    def run(
        self, work: Callable[[Job], Any], jobs: Sequence[Job], start: Start = None
    ) -> Iterator[tuple[Job, Any]]:
        """Each job and its result, as they finish; `WorkerDied` where a job killed its worker.

        Args:
            work, start: functions of a module.

        Raises:
            Exception: what `work` raised.
        """
        ...
