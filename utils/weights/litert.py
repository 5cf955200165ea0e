"""Runs TensorFlow Lite networks from a MediaPipe task file on the CPU (LiteRT)."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ..console import native_stderr_muted
from ..errors import ZIP_ERRORS, InputError

MAX_NETWORK_BYTES = 64 << 20  # bytes; the networks of face landmarking have under three million


def read_network(task: Path, name: str) -> bytes:
    """One network of a task file (a zip).

    Raises:
        InputError: the file is no task file, or does not hold it.
    """
    try:
        with zipfile.ZipFile(task) as archive:
            if archive.getinfo(name).file_size > MAX_NETWORK_BYTES:
                raise InputError(f"{task}: {name} is larger than any network of its kind")
            return archive.read(name)
    except ZIP_ERRORS:
        raise InputError(f"{task}: not a task file with {name} in it; fetch it again") from None


def _interpreter_class() -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter
    except ImportError:  # LiteRT has no wheel for this machine; TensorFlow's is its ancestor
        import tensorflow

        return tensorflow.lite.Interpreter


class LiteNetwork:
    """A network of fixed shapes with one input.

    Args:
        content: the .tflite file.
        threads: that one call uses.
    """

    def __init__(self, content: bytes, threads: int = 1) -> None:
        interpreter_class = _interpreter_class()
        with native_stderr_muted():
            self._interpreter = interpreter_class(model_content=content, num_threads=threads)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.tensor(self._interpreter.get_input_details()[0]["index"])
        self._outputs = [out["index"] for out in self._interpreter.get_output_details()]

    def __call__(self, values: np.ndarray) -> list[np.ndarray]:
        """The outputs, in the file's order, for one input of the network's shape, float32."""
        self.input[...] = values
        return self.run()

    @property
    def input(self) -> np.ndarray:
        """The network's own input, float32, to be filled in place; no reference to it may be left
        when the network runs."""
        return self._input()

    def run(self) -> list[np.ndarray]:
        """The outputs, in the file's order, for what the input was filled with."""
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]
