"""What both scripts say of a cluster: `--ray` and its companions."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..run.cluster import Cluster


def add_cluster_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="work on a Ray cluster (auto, or host:port); without an address Ray is started here",
    )
    add("--ray_cpus", type=_positive, default=1.0, metavar="N", help="CPUs a worker on the cluster")
    add("--ray_gpus", type=_positive, default=0.0, metavar="N", help="GPUs a worker, as 0.25")


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < 1e4:
        raise argparse.ArgumentTypeError(f"{text}: must be more than 0")
    return number


def threads_of_worker(given: argparse.Namespace) -> int:
    """Threads that a worker on the cluster may use; 0 without one."""
    return 0 if given.ray is None else max(1, math.floor(given.ray_cpus))


@contextmanager
def open_cluster(given: argparse.Namespace) -> Iterator[Cluster | None]:
    """The cluster that was asked for, or None; `--workers` over 1 is the most that it may use.

    Raises:
        InputError: Ray is not installed, or the cluster cannot be had.
    """
    if given.ray is None:
        yield None
        return
    from ..run.cluster import Cluster, ClusterOptions

    workers = given.workers if given.workers > 1 else 0
    with Cluster(ClusterOptions(given.ray, workers, given.ray_cpus, given.ray_gpus)) as cluster:
        yield cluster
