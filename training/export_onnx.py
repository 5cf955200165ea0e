"""Writes a stream of the project's own set as ONNX: `python -m training.export_onnx -h`.

The file takes values (clips, frames, 136) float32, as `utils.network.clips.stream_values` makes
them of clips, and gives the log-odds of fake (clips, families) that `classify.py` has.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from utils.console import EXIT_DONE, notice, run_script
from utils.network.convolutional import (
    DEVIATION_EPSILON,
    DILATIONS,
    NORM_EPSILON,
    Network,
    read_networks,
)
from utils.shared import FAMILIES, VALUES_PER_FRAME
from utils.weights.sets import BUNDLED, PROJECT_WEIGHTS, STREAMS, find_files, read_manifest

OPSET = 20  # the first with Gelu


class _Graph:
    """Nodes and constants of a graph, each with a name of its own."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, array: np.ndarray) -> str:
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, kind: str, inputs: Sequence[str], **options: Any) -> str:
        from onnx import helper

        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **options))
        return name


def _logits(graph: _Graph, values: str, network: Network) -> str:
    """The nodes of one network; see `utils.network.convolutional`."""
    kernel, bias = map(graph.constant, network.project)
    hidden = graph.add("Add", [graph.add("MatMul", [values, kernel]), bias])
    for dilation, convolution, norm in zip(
        DILATIONS, network.convolutions, network.norms, strict=True
    ):
        taps = graph.constant(convolution[0].transpose(2, 1, 0))  # out, in, frames
        across = graph.add("Transpose", [hidden], perm=[0, 2, 1])
        found = graph.add(
            "Conv",
            [across, taps, graph.constant(convolution[1])],
            dilations=[dilation],
            pads=[2 * dilation] * 2,
        )
        found = graph.add("Transpose", [found], perm=[0, 2, 1])
        gains = list(map(graph.constant, norm))
        found = graph.add("LayerNormalization", [found, *gains], axis=-1, epsilon=NORM_EPSILON)
        hidden = graph.add("Add", [hidden, graph.add("Gelu", [found])])
    axis = graph.constant(np.array([1], np.int64))
    mean = graph.add("ReduceMean", [hidden, axis], keepdims=1)
    centred = graph.add("Sub", [hidden, mean])
    squares = graph.add("Mul", [centred, centred])
    variance = graph.add("ReduceMean", [squares, axis], keepdims=0)
    epsilon = graph.constant(np.array(DEVIATION_EPSILON, np.float32))
    deviation = graph.add("Sqrt", [graph.add("Add", [variance, epsilon])])
    flat = graph.add("Squeeze", [mean, axis])
    pooled = graph.add("Concat", [flat, deviation], axis=1)
    kernel, bias = map(graph.constant, network.families)
    return graph.add("Add", [graph.add("MatMul", [pooled, kernel]), bias])


def onnx_model(networks: Sequence[Network]) -> Any:
    """An ONNX model that answers with the mean of what the networks say."""
    from onnx import TensorProto, checker, helper

    graph = _Graph()
    said = [_logits(graph, "values", network) for network in networks]
    graph.nodes.append(helper.make_node("Mean", said, ["logits"]))
    values = helper.make_tensor_value_info(
        "values", TensorProto.FLOAT, ["clips", "frames", VALUES_PER_FRAME]
    )
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["clips", len(FAMILIES)])
    made = helper.make_graph(graph.nodes, "stream", [values], [logits], graph.constants)
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=9, producer_name="lrnet")
    checker.check_model(model, full_check=True)
    return model


def main() -> int:
    parser = argparse.ArgumentParser(prog="training.export_onnx", description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder of g1.onnx and g2.onnx")
    given = parser.parse_args()
    import onnx

    weights = read_manifest().sets[BUNDLED]
    given.output.mkdir(parents=True, exist_ok=True)
    files = find_files(weights.files, PROJECT_WEIGHTS) or []
    for stream, path in zip(STREAMS, files, strict=True):
        networks = read_networks(path, weights.units or 0, weights.networks)
        onnx.save(onnx_model(networks), given.output / f"{stream}.onnx")
        notice(f"{given.output / stream}.onnx: {weights.networks} networks, opset {OPSET}")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(run_script("training.export_onnx", main))
