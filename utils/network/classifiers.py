"""Classifiers: clips to log-odds and probabilities. Keras is imported for published sets only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..kernel_machine import KernelMachine, load_kernel_machine
from ..weights.sets import (
    CONVOLUTIONAL,
    STREAMS,
    Manifest,
    WeightSet,
    obtain_files,
    obtain_texture,
)
from .clips import predict_by_length, stream_values
from .convolutional import CONVOLUTIONAL_UNITS, load_convolutional_stream

Stream = Callable[[np.ndarray], np.ndarray]


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
        networks: (g1, g2), a pair a member: functions from values (n, frames, 136) to log-odds of
            fake (n, families).
        texture: the third stream, where the set has one.
    """

    weights: WeightSet
    networks: Sequence[tuple[Stream, Stream]]
    texture: KernelMachine | None = None

    def stream_logits(self, clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What each stream says of clips (n, frames, 136): two times (n, families) log-odds of
        fake, one column where the architecture has no families.

        Members are joined by the mean of their logits, stream by stream.
        """

        def logits(index: int) -> np.ndarray:
            values = stream_values(self.weights.architecture, STREAMS[index], clips)
            return np.mean([pair[index](values) for pair in self.networks], axis=0)

        if self.weights.architecture != CONVOLUTIONAL:
            return logits(0), logits(1)
        with ThreadPoolExecutor(2) as pool:  # NumPy computes outside of Python's lock
            g1, g2 = pool.map(logits, range(2))
        return g1, g2

    def stream_logits_of_each(self, clips: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """The same of clips of any lengths, each (its frames, 136)."""
        both = predict_by_length(lambda alike: np.stack(self.stream_logits(alike), axis=1), clips)
        return both[:, 0], both[:, 1]

    def stream_probabilities(self, clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each stream's probability of fake, for the most likely family: two arrays (n,)."""
        g1, g2 = self.stream_logits(clips)
        return max_family_probability(g1), max_family_probability(g2)


def _load_streams(weights: WeightSet, folder: Path) -> tuple[Stream, Stream]:
    g1, g2 = (_load_stream(weights, path) for path in obtain_files(weights, folder))
    return g1, g2


def _load_stream(weights: WeightSet, path: Path) -> Stream:
    """A stream of the project's own network runs in NumPy; published ones need Keras."""
    if weights.architecture == CONVOLUTIONAL:
        return load_convolutional_stream(
            path, weights.units or CONVOLUTIONAL_UNITS, weights.networks
        )
    from ..weights.stream_weights import load_stream_weights
    from .two_stream import build_stream, fake_logits

    model = build_stream(weights.architecture, units=weights.units, networks=weights.networks)
    load_stream_weights(model, weights.architecture, path)
    return partial(fake_logits, model)


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
