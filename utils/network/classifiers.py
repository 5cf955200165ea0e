"""Classifiers: clips to log-odds and probabilities. Keras is imported for published sets only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..kernel_machine import KernelMachine, load_kernel_machine
from ..texture.clip_figures import TEXTURE_FIGURES
from ..weights.sets import (
    CONVOLUTIONAL,
    STREAMS,
    Manifest,
    WeightSet,
    obtain_files,
)
from .clips import predict_by_length, stream_values
from .convolutional import CONVOLUTIONAL_UNITS, ConvolutionalStream, load_convolutional_stream

Stream = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class StreamOutputs:
    """What the streams of landmarks say of clips.

    Attributes:
        g1, g2: (clips, families) log-odds of fake, one column where the set has no families.
        g4: (clips,) decision values, higher for fake; None where the set has no such stream.
    """

    g1: np.ndarray
    g2: np.ndarray
    g4: np.ndarray | None = None

    def split(self, counts: Sequence[int]) -> list[StreamOutputs]:
        """Those of so many clips each."""
        borders = np.cumsum(counts)[:-1]
        g1, g2 = np.split(self.g1, borders), np.split(self.g2, borders)
        g4 = [None] * len(counts) if self.g4 is None else np.split(self.g4, borders)
        return [StreamOutputs(*one) for one in zip(g1, g2, g4, strict=True)]


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
        texture: the third stream, where the set has one; features: the fourth.
    """

    weights: WeightSet
    networks: Sequence[tuple[Stream, Stream]]
    texture: KernelMachine | None = None
    features: KernelMachine | None = None

    def outputs(self, clips: np.ndarray) -> StreamOutputs:
        """What the streams say of clips (n, frames, 136).

        Members are joined by the mean of their logits, stream by stream.
        """
        if self.weights.architecture != CONVOLUTIONAL:
            return StreamOutputs(self._logits(0, clips), self._logits(1, clips))
        with ThreadPoolExecutor(2) as pool:  # NumPy computes outside of Python's lock
            g2 = pool.submit(self._logits, 1, clips)
            if self.features is None:
                return StreamOutputs(self._logits(0, clips), g2.result())
            g1, g4 = self._logits_and_features(clips, self.features)
            return StreamOutputs(g1, g2.result(), g4)

    def outputs_of_each(self, clips: Sequence[np.ndarray]) -> StreamOutputs:
        """The same of clips of any lengths, each (its frames, 136)."""

        def columns(alike: np.ndarray) -> np.ndarray:
            of = self.outputs(alike)
            g4 = np.zeros(len(alike)) if of.g4 is None else of.g4
            return np.concatenate([of.g1, of.g2, g4[:, None]], axis=1)

        found = predict_by_length(columns, clips)
        families = found.shape[1] // 2
        g4 = None if self.features is None else found[:, -1]
        return StreamOutputs(found[:, :families], found[:, families:-1], g4)

    def _logits(self, index: int, clips: np.ndarray) -> np.ndarray:
        values = self._values(index, clips)
        return np.mean([pair[index](values) for pair in self.networks], axis=0)

    def _logits_and_features(
        self, clips: np.ndarray, machine: KernelMachine
    ) -> tuple[np.ndarray, np.ndarray]:
        """The log-odds by g1 of clips, and what the machine says of the features of a network."""
        (first, _), *others = self.networks
        assert isinstance(first, ConvolutionalStream)  # the manifest's reader has made sure
        values = self._values(0, clips)
        features = first.features(values)
        logits = [first.logits(features), *(g1(values) for g1, _ in others)]
        return np.mean(logits, axis=0), machine(features[self.weights.feature_network])[0]

    def _values(self, index: int, clips: np.ndarray) -> np.ndarray:
        return stream_values(self.weights.architecture, STREAMS[index], clips)


def _load_streams(weights: WeightSet, folder: Path) -> tuple[Stream, Stream]:
    g1, g2 = (_load_stream(weights, path) for path in obtain_files(weights.files, folder))
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
    first = members[0]
    networks = [_load_streams(member, folder) for member in members]
    texture, features = (
        None if file is None else load_kernel_machine(obtain_files([file], folder)[0], figures)
        for file, figures in (
            (first.texture, TEXTURE_FIGURES),
            (first.features, 2 * (first.units or CONVOLUTIONAL_UNITS)),
        )
    )
    return Classifier(first, networks, texture, features)
