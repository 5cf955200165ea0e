"""Runs TensorFlow Lite networks from a MediaPipe task file on the CPU (LiteRT)."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..console import native_stderr_muted
from ..errors import ZIP_ERRORS, InputError

MAX_NETWORK_BYTES = 64 << 20  # bytes; the networks of face landmarking have under three million
# Numbers of fields in the schema of TensorFlow Lite.
_MODEL_SUBGRAPHS, _SUBGRAPH_OUTPUTS = 2, 2


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


class _FlatBuffer:
    """Walks the tables of a FlatBuffers file; what leads out of it is a ValueError."""

    def __init__(self, content: bytearray) -> None:
        self._content = content

    def number(self, form: str, at: int) -> int:
        """The number at a place, in a form of `struct`."""
        try:
            return int(struct.unpack_from(form, self._content, at)[0])
        except struct.error:
            raise ValueError("not a network of TensorFlow Lite") from None

    def field(self, table: int, index: int) -> int:
        """Where a field of a table holds its offset."""
        fields = table - self.number("<i", table)
        within = 4 + 2 * index < self.number("<H", fields)
        offset = self.number("<H", fields + 4 + 2 * index) if within else 0
        if not offset:
            raise ValueError("a network of TensorFlow Lite without outputs")
        return table + offset

    def target(self, at: int) -> int:
        """What the offset at a place leads to."""
        return at + self.number("<I", at)


def with_outputs(content: bytes, tensors: Sequence[int]) -> bytes:
    """A network that gives these of its inner tensors as well, after its own outputs.

    The list of outputs is written anew behind the file's end and its offset set to that, which the
    format (FlatBuffers) allows; nothing is computed that was not before.

    Args:
        content: a .tflite file of one subgraph.

    Raises:
        ValueError: it is no such file.
    """
    changed = bytearray(content)
    file = _FlatBuffer(changed)
    subgraphs = file.target(file.field(file.target(0), _MODEL_SUBGRAPHS))
    if file.number("<I", subgraphs) != 1:
        raise ValueError("a network of more than one subgraph")
    outputs = file.field(file.target(subgraphs + 4), _SUBGRAPH_OUTPUTS)
    before = file.target(outputs)
    count = file.number("<I", before)
    if before + 4 + 4 * count > len(changed):
        raise ValueError("not a network of TensorFlow Lite")
    changed += bytes(-len(changed) % 4)
    struct.pack_into("<I", changed, outputs, len(changed) - outputs)
    changed += struct.pack("<I", count + len(tensors))
    changed += changed[before + 4 : before + 4 + 4 * count]
    return bytes(changed + struct.pack(f"<{len(tensors)}I", *tensors))


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
