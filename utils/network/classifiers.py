"""Networks that turn clips into probabilities. Imports Keras only when one is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..texture.kernel_machine import KernelMachine, load_kernel_machine
from ..weights.sets import STREAMS, Manifest, WeightSet, obtain_files, obtain_texture
from .clips import predict_by_length, stream_values


def probability(logits: np.ndarray) -> np.ndarray:
    """Probability of fake from log-odds, without overflow."""
    return np.exp(-np.logaddexp(0, -logits))


def max_family_probability(logits: np.ndarray) -> np.ndarray:
    """Probability of fake (n,) by the family with most evidence, from log-odds (n, families)."""
    return probability(logits.max(axis=1))


@dataclass(frozen=True)
class Classifier:
    """One weight set, or several that answer together.

    Attributes:
        weights: the first set, for what it declares.
        networks: (g1, g2) Keras models, a pair a member.
        texture: the third stream, where the set has one.
    """

    weights: WeightSet
    networks: Sequence[tuple[Any, Any]]
    texture: KernelMachine | None = None

    def stream_logits(self, clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What each stream says of clips (n, frames, 136): two times (n, families) log-odds of
        fake, one column where the architecture has no families.

        Members are joined by the mean of their logits, stream by stream.
        """
        from .two_stream import fake_logits

        said = []
        for index, stream in enumerate(STREAMS):
            values = stream_values(self.weights.architecture, stream, clips)
            of_members = [fake_logits(pair[index], values) for pair in self.networks]
            said.append(np.mean(of_members, axis=0))
        return said[0], said[1]

    def stream_logits_of_each(self, clips: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """The same of clips of any lengths, each (its frames, 136)."""
        both = predict_by_length(lambda alike: np.stack(self.stream_logits(alike), axis=1), clips)
        return both[:, 0], both[:, 1]

    def stream_probabilities(self, clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The probability of fake by each stream, of the likeliest family: two times (n,)."""
        g1, g2 = self.stream_logits(clips)
        return max_family_probability(g1), max_family_probability(g2)


def _load_streams(weights: WeightSet, folder: Path) -> tuple[Any, Any]:
    from ..weights.stream_weights import load_stream_weights
    from .two_stream import build_stream

    streams = []
    for path in obtain_files(weights, folder):
        stream = build_stream(weights.architecture, units=weights.units, networks=weights.networks)
        load_stream_weights(stream, weights.architecture, path)
        streams.append(stream)
    return streams[0], streams[1]


def load_classifier(manifest: Manifest, name: str, folder: Path) -> Classifier:
    """Builds the networks of a set, or of those that answer together; downloads what is missing.

    Raises:
        InputError: no such set, or a file is missing, or not what it should be.
    """
    members = manifest.members(name)
    texture = obtain_texture(members[0], folder)
    return Classifier(
        members[0],
        [_load_streams(member, folder) for member in members],
        None if texture is None else load_kernel_machine(texture),
    )
