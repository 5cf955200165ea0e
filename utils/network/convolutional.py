"""The project's own network in plain NumPy, without a deep-learning library.

`utils.network.two_stream` builds the same network in Keras, for training. Both read one file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..shared import FAMILIES, VALUES_PER_FRAME
from ..weights.stream_weights import read_keras_arrays

CONVOLUTIONAL_UNITS = 128  # channels, where a set does not say
KERNEL = 5  # frames
DILATIONS = (1, 2, 3)
NORM_EPSILON, DEVIATION_EPSILON = 1e-5, 1e-4
VALUES_AT_ONCE = 1 << 16  # of a hidden layer: what a convolution reads of it fits a core's cache


@dataclass(frozen=True)
class Network:
    """The weights of one network, float32; kernels (frames, channels in, channels out)."""

    project: tuple[np.ndarray, np.ndarray]
    convolutions: list[tuple[np.ndarray, np.ndarray]]
    norms: list[tuple[np.ndarray, np.ndarray]]
    families: tuple[np.ndarray, np.ndarray]

    def features(self, values: np.ndarray) -> np.ndarray:
        """What the log-odds of values (n, frames, 136) are computed from, (n, 2 * units): mean and
        deviation over time of the last hidden layer."""
        hidden = values @ self.project[0] + self.project[1]
        for dilation, convolution, norm in zip(
            DILATIONS, self.convolutions, self.norms, strict=True
        ):
            hidden = hidden + _gelu(_normalize(_convolve(hidden, *convolution, dilation), *norm))
        return np.concatenate(
            [hidden.mean(axis=1), np.sqrt(hidden.var(axis=1) + DEVIATION_EPSILON)], axis=1
        )

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Log-odds of fake (n, families) for features."""
        return features @ self.families[0] + self.families[1]


def _convolve(
    hidden: np.ndarray, kernel: np.ndarray, bias: np.ndarray, dilation: int
) -> np.ndarray:
    """A convolution over time, padded with zeros to the same length: all taps as one product."""
    count, frames, channels = hidden.shape
    margin = dilation * (KERNEL // 2)
    padded = np.zeros((count, frames + 2 * margin, channels), np.float32)
    padded[:, margin : margin + frames] = hidden
    taps = [padded[:, tap * dilation : tap * dilation + frames] for tap in range(KERNEL)]
    columns = np.concatenate(taps, axis=2).reshape(count * frames, KERNEL * channels)
    found = columns @ kernel.reshape(KERNEL * channels, -1) + bias
    return found.reshape(count, frames, -1)


def _normalize(values: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Layer normalization (Ba et al., 2016) over the channels."""
    centred = values - values.mean(axis=-1, keepdims=True)
    variance = np.square(centred).mean(axis=-1, keepdims=True)
    return centred / np.sqrt(variance + np.float32(NORM_EPSILON)) * gamma + beta


# Abramowitz and Stegun, 7.1.26: the error function to 1.5e-7; importing SciPy's takes as long as
# classifying five faces.
_ERF = np.array([1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592], np.float32)
_ERF_SCALE = np.float32(0.3275911)


def _gelu(values: np.ndarray) -> np.ndarray:
    """x times the normal distribution function of x (Hendrycks and Gimpel, 2016)."""
    size = np.abs(values)
    size *= np.float32(np.sqrt(0.5))
    term = 1 / (1 + _ERF_SCALE * size)
    series = _ERF[0] * term
    for coefficient in _ERF[1:]:
        series += coefficient
        series *= term
    np.square(size, out=size)
    np.exp(np.negative(size, out=size), out=size)
    series *= size  # 1 - erf(|x| / sqrt(2))
    series *= 0.5
    return np.where(values > 0, values - values * series, values * series)


def read_networks(path: Path, units: int, networks: int) -> list[Network]:
    """The networks of a stream, from its file of weights.

    Raises:
        InputError: the file is not the weights of such a stream.
    """
    arrays = read_keras_arrays(path, [_shapes(units)] * networks)
    return [
        Network(
            project=(one["dense/0"], one["dense/1"]),
            convolutions=[(one[f"{name}/0"], one[f"{name}/1"]) for name in _CONVOLUTIONS],
            norms=[(one[f"{name}/0"], one[f"{name}/1"]) for name in _NORMS],
            families=(one["dense_1/0"], one["dense_1/1"]),
        )
        for one in arrays
    ]


@dataclass(frozen=True)
class ConvolutionalStream:
    """A stream of the project's own sets."""

    networks: Sequence[Network]

    def features(self, values: np.ndarray) -> np.ndarray:
        """The features of each network, float32 (networks, n, 2 * units), for values (n, frames,
        136)."""
        inputs = values.astype(np.float32)
        units = len(self.networks[0].project[1])
        at_once = max(1, VALUES_AT_ONCE // (values.shape[1] * units))
        batches = [
            [network.features(inputs[first : first + at_once]) for network in self.networks]
            for first in range(0, len(inputs), at_once)
        ]
        return np.concatenate(batches, axis=1)

    def logits(self, features: np.ndarray) -> np.ndarray:
        """The mean log-odds of fake (n, families), float64, for features of each network."""
        pairs = zip(self.networks, features, strict=True)
        return np.mean([network.logits(own) for network, own in pairs], axis=0).astype(np.float64)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """The same for values (n, frames, 136)."""
        return self.logits(self.features(values))


def load_convolutional_stream(path: Path, units: int, networks: int) -> ConvolutionalStream:
    """Reads a stream of the project's own sets.

    Raises:
        InputError: the file is not the weights of such a stream.
    """
    return ConvolutionalStream(read_networks(path, units, networks))


# What Keras calls the layers of this network in a weights file.
_CONVOLUTIONS = ("conv1d", "conv1d_1", "conv1d_2")
_NORMS = ("layer_normalization", "layer_normalization_1", "layer_normalization_2")


def _shapes(units: int) -> dict[str, tuple[int, ...]]:
    """Of each array of a network."""
    shapes: dict[str, tuple[int, ...]] = {
        "dense/0": (VALUES_PER_FRAME, units),
        "dense/1": (units,),
        "dense_1/0": (2 * units, len(FAMILIES)),
        "dense_1/1": (len(FAMILIES),),
    }
    for name in _CONVOLUTIONS:
        shapes |= {f"{name}/0": (KERNEL, units, units), f"{name}/1": (units,)}
    for name in _NORMS:
        shapes |= {f"{name}/0": (units,), f"{name}/1": (units,)}
    return shapes
