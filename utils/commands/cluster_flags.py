"""The cluster flags that both scripts share: `--ray` and related options."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..console import notice, positive_number

if TYPE_CHECKING:
    from ..run.executor import Executor
    from ..run.extraction_job import ExtractionOptions


def add_cluster_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="work on a Ray cluster (auto, or host:port); without an address Ray is started here",
    )
    add("--ray_cpus", type=positive_number, metavar="N", help="CPUs per worker on the cluster (1)")
    add(
        "--ray_gpus",
        type=positive_number,
        metavar="N",
        help="GPUs per worker on the cluster, as 1 or 0.25 (none: networks run on CPUs)",
    )


def check_cluster_flags(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """Ends the script where a flag makes no sense without another."""
    if given.ray is None and (given.ray_cpus or given.ray_gpus):
        parser.error("--ray_cpus and --ray_gpus are of workers on a cluster; add --ray")
    if given.ray is not None and getattr(given, "device", "") == "cuda" and not given.ray_gpus:
        parser.error("--device cuda: say with --ray_gpus how many GPUs a network takes")
    given.ray_cpus = given.ray_cpus or 1.0
    given.ray_gpus = given.ray_gpus or 0.0


def device_of_run(
    given: argparse.Namespace, detectors: tuple[str, str], model_weights: Path | None = None
) -> str:
    """Where networks run: on this machine as `--device` says, on a cluster as `--ray_gpus` does.

    Args:
        model_weights: a folder in which detectors' model files are looked for first.

    Raises:
        InputError: CUDA was asked for and is not there.
    """
    from ..run.detector_choice import choose_device

    asked = getattr(given, "device", "auto")
    if given.ray is not None and given.ray_gpus and asked != "cpu":
        return "cuda"  # of machines that this one cannot look into
    asked = asked if given.ray is None else "cpu"
    return choose_device(asked, detectors, notice, model_weights)


def threads_of_worker(given: argparse.Namespace) -> int:
    """Threads that a worker on the cluster may use; 0 without one."""
    return 0 if given.ray is None else max(1, math.floor(given.ray_cpus))


@contextmanager
def open_executor(
    given: argparse.Namespace, extraction: ExtractionOptions | None
) -> Iterator[Executor]:
    """The cluster that was asked for, or worker processes of this machine.

    On a cluster `--workers` over 1 limits how many workers it may use.

    Raises:
        InputError: Ray is not installed, or the cluster is not available.
    """
    if given.ray is None:
        from ..scaling.worker_processes import WorkerProcesses

        yield WorkerProcesses(given.workers)
        return
    from ..scaling.cluster import Cluster, ClusterOptions

    workers = given.workers if given.workers > 1 else 0
    on_gpu = extraction is not None and extraction.device == "cuda"
    gpus = given.ray_gpus if on_gpu else 0.0
    options = ClusterOptions(given.ray, workers, given.ray_cpus, gpus)
    with Cluster(options) as cluster:
        yield cluster
