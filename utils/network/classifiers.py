"""Networks that turn clips into probabilities. Imports Keras only when one is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..weights.sets import STREAMS, Manifest, WeightSet, obtain_files
from .clips import differences


def probability(logits: np.ndarray) -> np.ndarray:
    """Probability of fake from log-odds, without overflow."""
    return np.exp(-np.logaddexp(0, -logits))


@dataclass(frozen=True)
class Classifier:
    """One weight set, or several that answer together.

    Attributes:
        format, clip_length: what it reads.
        score: `vote` or `mean`, how it means a video to be scored.
        networks: (g1, g2) Keras models, a pair a member.
    """

    format: str
    clip_length: int
    score: str
    networks: Sequence[tuple[Any, Any]]

    def stream_probabilities(self, clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What each stream says of clips (n, clip_length, 136): two times (n,), 1 = fake.

        Members are joined by the mean of their logits, stream by stream.
        """
        from .two_stream import fake_logits

        moves = differences(clips)
        g1 = np.mean([fake_logits(network, clips) for network, _ in self.networks], axis=0)
        g2 = np.mean([fake_logits(network, moves) for _, network in self.networks], axis=0)
        return probability(g1), probability(g2)


def _load_streams(weights: WeightSet, folder: Path) -> tuple[Any, Any]:
    from ..weights.published import load_stream_weights
    from .two_stream import build_stream

    streams = []
    for name, path in zip(STREAMS, obtain_files(weights, folder), strict=True):
        architecture = weights.architecture[name]
        stream = build_stream(architecture, units=weights.units)
        load_stream_weights(stream, architecture, path)
        streams.append(stream)
    return streams[0], streams[1]


def load_members(members: Sequence[WeightSet], folder: Path) -> Classifier:
    """Builds the networks of sets that answer together.

    Raises:
        InputError: a file is missing, or not what it should be.
    """
    networks = [_load_streams(member, folder) for member in members]
    first = members[0]
    return Classifier(first.format, first.clip_length, first.score, networks)


def load_classifier(manifest: Manifest, name: str, folder: Path) -> Classifier:
    """Builds the networks of a set or ensemble; see `load_members`."""
    return load_members(manifest.members(name), folder)
