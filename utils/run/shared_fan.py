"""FAN for several videos at a time: their faces share batches, so that a GPU stays full.

The videos are in processes of their own, on this machine or on a cluster's; FAN is in others and is
sent faces of 256 pixels.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context, parent_process
from multiprocessing.managers import BaseManager, BaseProxy
from typing import Any

import numpy as np

from ..errors import InputError
from ..LandmarkDetector.fan import LARGEST_BATCH, FanNetwork
from ..LandmarkDetector.gathered_calls import GatheredCalls
from ..weights.detector_models import DETECTOR_FILES, obtain_models
from .cluster import Cluster
from .video_extraction import ExtractionOptions

CALLS_AT_ONCE = 256  # that an actor holds; more wait with Ray


class FanOfRun:
    """FAN as a run's options ask for it, on all GPUs that its process sees; what its threads ask at
    the same time shares batches.

    It is loaded when it is first asked, so that what is wrong is told to who asks.
    """

    def __init__(self, options: ExtractionOptions, devices: Sequence[str] = ()) -> None:
        self._options, self._devices = options, devices
        self._loading = threading.Lock()
        self._fan: GatheredCalls | None = None

    def load(self) -> None:
        """Raises InputError where there is no GPU, or FAN cannot be had."""
        self._loaded()

    def peaks(self, faces: np.ndarray) -> np.ndarray:
        """See `FanNetwork`; raises what `load` does."""
        return self._loaded()(faces)

    def _loaded(self) -> GatheredCalls:
        with self._loading:
            if self._fan is None:
                devices = self._devices or _gpus()
                if not devices:
                    raise InputError("PyTorch finds no CUDA device where FAN is to run")
                (weights,) = obtain_models(DETECTOR_FILES["fan"], self._options.model_weights)
                precision = self._options.precision
                networks = [FanNetwork(weights, device, precision) for device in devices]
                self._fan = GatheredCalls(networks, LARGEST_BATCH)
            return self._fan


def _gpus() -> list[str]:
    import torch

    return [f"cuda:{number}" for number in range(torch.cuda.device_count())]


class _Proxy(BaseProxy):
    """FAN in another process of this machine."""

    _exposed_ = ("load", "peaks")

    def load(self) -> None:
        """See `FanOfRun`."""
        self._callmethod("load")

    def __call__(self, faces: np.ndarray) -> np.ndarray:
        """See `FanNetwork`. Raises InputError where the process has ended."""
        try:
            return self._callmethod("peaks", (faces,))  # type: ignore[func-returns-value]
        except (EOFError, OSError):
            raise InputError("the process in which FAN serves all videos has ended") from None


class _Manager(BaseManager):
    """That process; each process that asks has a thread there."""


_Manager.register("FanOfRun", FanOfRun, _Proxy)


class _Actors:
    """FAN in actors of Ray's; Ray starts one that dies anew, and asks it again."""

    def __init__(self, actors: Sequence[Any]) -> None:
        self._actors = actors

    def __call__(self, faces: np.ndarray) -> np.ndarray:
        import ray

        try:
            return ray.get(random.choice(self._actors).peaks.remote(faces))
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayActorError as error:
            reason = str(error).strip().splitlines()[-1]
            raise InputError(
                f"the actor in which FAN serves all videos is gone ({reason})"
            ) from None


def shares_fan(options: ExtractionOptions) -> bool:
    """Whether FAN runs on a GPU, and nothing else does that a worker needs one for."""
    of_options = options.device, options.landmark_detector
    return of_options == ("cuda", "fan") and options.face_detector != "retinaface"


@contextmanager
def sharing_fan(options: ExtractionOptions, cluster: Cluster | None) -> Iterator[ExtractionOptions]:
    """The options of workers: where they can share FAN, with a FAN that they share.

    Args:
        cluster: where the videos are extracted; None: on this machine.

    Raises:
        InputError: FAN cannot be had, or no GPU.
    """
    one_at_a_time = cluster is None and options.workers == 1
    if one_at_a_time or not shares_fan(options):
        yield options
    elif cluster is None:
        with fan_process(options) as network:
            yield replace(options, network=network)
    else:
        actors = cluster.share(FanOfRun, options, calls_at_once=CALLS_AT_ONCE)
        yield replace(options, network=_Actors(actors), device="cpu")


@contextmanager
def fan_process(options: ExtractionOptions, devices: Sequence[str] = ()) -> Iterator[_Proxy]:
    """FAN in a process of this machine, for this process and those that it starts.

    Raises:
        InputError: FAN cannot be had, or no GPU.
    """
    manager = _Manager(ctx=get_context("spawn"))
    manager.start(_leave_with_parent)
    with manager:
        network = manager.FanOfRun(options, devices)  # type: ignore[attr-defined]
        network.load()
        yield network


def _leave_with_parent() -> None:
    """Ends this process with the one that started it, even where that was killed."""

    def wait() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
