"""Reads stream weights from any published file format without executing its content."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..extras import needs
from ..limits import MAX_WEIGHT_BYTES, MAX_WEIGHT_ITEMS
from .sets import GRU_LAST_STEP


def load_stream_weights(model: Any, architecture: str, path: Path) -> None:
    """Puts the weights of `path` into a model of `utils.network.two_stream.build_stream`.

    Args:
        model: of the architecture that the file was trained in.
        architecture: one of `utils.weights.sets.ARCHITECTURES`.
        path: `*.weights.h5` (Keras 3), `*.h5` (Keras 2, a whole model) or `*.pth` (PyTorch).

    Raises:
        InputError: the file is no such file, or its weights do not fit the architecture.
    """
    try:
        if path.suffix == ".h5":
            _check_h5(path)
        else:
            _check_zip(path)
        if path.name.endswith(".weights.h5"):
            model.load_weights(path)
        else:
            read = _read_keras2 if path.suffix == ".h5" else _read_torch
            for layer, weights in read(path, architecture).items():
                model.get_layer(layer).set_weights(weights)
    except (KeyError, IndexError, ValueError, OSError, RuntimeError, ImportError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: not weights of architecture {architecture} ({reason})") from None
    except Exception as error:  # pickle.UnpicklingError and its like, by whichever reader
        raise InputError(f"{path}: cannot be read as weights ({type(error).__name__})") from None


def read_keras_arrays(
    path: Path, networks: Sequence[Mapping[str, tuple[int, ...]]]
) -> list[dict[str, np.ndarray]]:
    """The arrays of a Keras 3 weights file of one network, or of several that answer together.

    Args:
        path: `*.weights.h5`.
        networks: of each, its arrays' shapes by `layer/number`.

    Raises:
        InputError: the file is no such file, or its arrays have other shapes.
    """
    import h5py

    found = []
    try:
        _check_h5(path)
        with h5py.File(path, "r") as file:
            for number, shapes in enumerate(networks):
                model = f"functional_{number}" if number else "functional"
                above = f"layers/{model}/layers" if len(networks) > 1 else "layers"
                arrays = {}
                for name, shape in shapes.items():
                    layer, _, index = name.partition("/")
                    stored = file[f"{above}/{layer}/vars/{index}"]
                    if stored.shape != shape:
                        raise ValueError(f"{layer} has {stored.shape}, not {shape}")
                    arrays[name] = np.asarray(stored, np.float32)
                found.append(arrays)
    except (KeyError, ValueError, OSError, RuntimeError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: not the weights of this network ({reason})") from None
    if not all(np.isfinite(array).all() for one in found for array in one.values()):
        raise InputError(f"{path}: holds NaN or infinite weights")
    return found


def _check_h5(path: Path) -> None:
    """Raises ValueError where a file points out of itself, or announces more than it may hold."""
    import h5py

    total = items = 0

    def points_out(name: str, item: Any) -> str | None:
        nonlocal total
        if isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                return f"{name} lies in another file"
            total += item.nbytes
            if total > MAX_WEIGHT_BYTES:
                return f"its arrays have more than {MAX_WEIGHT_BYTES} bytes"
        return None

    def is_link(name: str, link: Any) -> str | None:
        nonlocal items
        items += 1
        if items > MAX_WEIGHT_ITEMS or len(name) > MAX_WEIGHT_ITEMS:
            return f"it holds more than {MAX_WEIGHT_ITEMS} parts"
        return None if isinstance(link, h5py.HardLink) else f"{name} is a link"

    with h5py.File(path, "r") as file:
        wrong = file.visititems_links(is_link) or file.visititems(points_out)
    if wrong:
        raise ValueError(wrong)


def _check_zip(path: Path) -> None:
    """Raises ValueError where a PyTorch file would expand to more than any of its kind."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if sum(info.file_size for info in archive.infolist()) > MAX_WEIGHT_BYTES:
                raise ValueError("it expands to more than weights of this kind have")


def _read_keras2(path: Path, architecture: str) -> dict[str, list[np.ndarray]]:
    import h5py

    found: dict[str, np.ndarray] = {}

    def collect(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = np.asarray(item)

    with h5py.File(path, "r") as file:
        file["model_weights"].visititems(collect)
    gru = [
        _only(found, rf"/{direction}_gru.*/{part}:0$")
        for direction in ("forward", "backward")
        for part in ("kernel", "recurrent_kernel", "bias")
    ]
    # Keras 2 numbered its layers through the whole training session: dense_8, dense_9
    numbers = {
        int(match[1] or 0) for match in (re.match(r"dense_?(\d*)/", n) for n in found) if match
    }
    hidden, logits = (f"dense_{number}" if number else "dense" for number in sorted(numbers))
    return {
        "gru": gru,
        "dense": [_only(found, rf"^{hidden}/.*/{part}:0$") for part in ("kernel", "bias")],
        "logits": [_only(found, rf"^{logits}/.*/{part}:0$") for part in ("kernel", "bias")],
    }


def _only(found: dict[str, np.ndarray], pattern: str) -> np.ndarray:
    matching = [value for name, value in found.items() if re.search(pattern, name)]
    if len(matching) != 1:
        raise KeyError(f"{len(matching)} arrays match {pattern}")
    return matching[0]


def _read_torch(path: Path, architecture: str) -> dict[str, list[np.ndarray]]:
    with needs("fan", "a weight set of PyTorch"):
        import torch

    state = torch.load(path, map_location="cpu", weights_only=True)
    if sum(value.numel() * value.element_size() for value in state.values()) > MAX_WEIGHT_BYTES:
        raise ValueError(f"its arrays have more than {MAX_WEIGHT_BYTES} bytes")
    arrays = {name: value.numpy() for name, value in state.items()}
    forward, backward = _torch_gru(arrays, ""), _torch_gru(arrays, "_reverse")
    if architecture == GRU_LAST_STEP:
        return {
            "gru_forward": forward,
            "gru_backward": backward,
            "dense": _torch_linear(arrays, "linear_1"),
            "logits": _torch_linear(arrays, "linear_2"),
        }
    initial = arrays["hidden_state"]
    return {
        "initial_forward": [initial[0, 0]],
        "initial_backward": [initial[1, 0]],
        "gru": forward + backward,
        "residual_in": _torch_linear(arrays, "dense.1.fn.net.0"),
        "residual_out": _torch_linear(arrays, "dense.1.fn.net.3"),
        "logits": _torch_linear(arrays, "dense.3"),
    }


def _torch_linear(arrays: dict[str, np.ndarray], name: str) -> list[np.ndarray]:
    return [arrays[f"{name}.weight"].T, arrays[f"{name}.bias"]]


def _torch_gru(arrays: dict[str, np.ndarray], direction: str) -> list[np.ndarray]:
    """One direction's kernel, recurrent kernel and biases, gates in Keras' order.

    PyTorch stacks the gates as reset, update, new; Keras as update, reset, new.
    """

    def reorder(name: str) -> np.ndarray:
        reset, update, new = np.split(arrays[f"gru.{name}_l0{direction}"], 3)
        return np.concatenate([update, reset, new])

    biases = np.stack([reorder("bias_ih"), reorder("bias_hh")])
    return [reorder("weight_ih").T, reorder("weight_hh").T, biases]
