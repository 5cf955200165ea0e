"""What the YAML of a training says: of all networks, and of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from utils.errors import InputError
from utils.weights.sets import STREAMS


def read_configuration(
    path: Path, seeds: Sequence[int] | None = None, steps: int | None = None
) -> dict:
    """A configuration such as `training/bundled.yaml`, its precision chosen for this machine.

    Args:
        seeds: of the networks to keep, by default all.
        steps: to take instead of the configuration's.

    Raises:
        InputError: no network has one of the seeds.
    """
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    config["steps"] = steps or config["steps"]
    config["precision"] = precision_of(config["precision"])
    known = {network["seed"] for network in config["networks"]}
    if unknown := sorted(set(seeds or ()) - known):
        raise InputError(f"{path}: no network has seed {unknown[0]}; there are {sorted(known)}")
    config["networks"] = [
        network for network in config["networks"] if not seeds or network["seed"] in seeds
    ]
    return config


def precision_of(wanted: str) -> str:
    """Keras' dtype policy for `auto`, or the one that is wanted: bf16 is fast where a processor has
    instructions for it, and up to fourteen times slower than float32 where it has none."""
    if wanted != "auto":
        return wanted
    import torch

    fast = torch.cuda.is_available() or torch.cpu._is_avx512_bf16_supported()
    return "mixed_bfloat16" if fast else "float32"


def networks_of(config: dict, stream: str) -> list[dict]:
    """The whole configuration of each network of a stream: what all share, and over that what the
    network has of its own. Its `name` is its seed, unless it has one."""
    shared = {key: value for key, value in config.items() if key != "networks"}
    own = [of for of in config["networks"] if stream in of.get("streams", STREAMS)]
    return [{"name": str(network["seed"])} | shared | network for network in own]


def networks_a_stream(config: dict, streams: Sequence[str]) -> int:
    """How many networks answer together in each of the streams.

    Raises:
        InputError: not as many in one as in another; a set's manifest knows one number.
    """
    numbers = {stream: len(networks_of(config, stream)) for stream in streams}
    if len(set(numbers.values())) > 1:
        told = ", ".join(f"{number} in {stream}" for stream, number in numbers.items())
        raise InputError(f"a set needs as many networks in each stream, but there are {told}")
    return numbers[streams[0]]
