"""Re-identification: joins the tracklets of one person across gaps and cuts, splits those of two.

dlib's face embedding (a ResNet, 128 numbers; King 2017) puts faces of one person near each other.
Measured on the 18 real training videos and LRNet's two: parts of one video lie at most 0.35 apart
in the mean, the nearest two of 190 pairs of videos 0.47. Both thresholds stand between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

SAME_IDENTITY_DISTANCE = (
    0.45  # mean distance of embeddings up to which two tracklets show one person
)
IDENTITY_CHANGE_DISTANCE = 0.45  # a tracklet whose halves are further apart switched person
SAMPLE_SECONDS = 1.0  # between two looks at a face
FEW_SAMPLES = 5  # of a tracklet that is alone
CHIP_PIXELS = 150
MARGIN = 0.6  # of the face's size, for the cut-out that the chip is made of


class FaceEmbedder:
    """dlib's embedding of faces whose landmarks are known.

    Args:
        model: the file `dlib_face_recognition_resnet_model_v1.dat`.
    """

    def __init__(self, model: Path) -> None:
        import dlib

        self._dlib = dlib
        self._model = model

    @cached_property
    def _network(self) -> Any:
        """Read when it is first needed: a video of one face cuts chips, and compares none."""
        return self._dlib.face_recognition_model_v1(str(self._model))

    def chip(self, frame: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """An upright cut-out, uint8 (150, 150, 3) RGB, of the face of landmarks (68, 2)."""
        low, high = landmarks.min(axis=0), landmarks.max(axis=0)
        reach = MARGIN * (high - low).max()
        x0, y0 = np.maximum(low - reach, 0).astype(int)
        x1, y1 = np.maximum(high + reach, (x0 + 2, y0 + 2)).astype(int)
        nearby = np.ascontiguousarray(frame[y0:y1, x0:x1, ::-1])
        if not nearby.size:
            return np.zeros((CHIP_PIXELS, CHIP_PIXELS, 3), np.uint8)
        points = [self._dlib.point(int(x), int(y)) for x, y in np.rint(landmarks - (x0, y0))]
        around = self._dlib.rectangle(0, 0, nearby.shape[1] - 1, nearby.shape[0] - 1)
        shape = self._dlib.full_object_detection(around, points)
        return self._dlib.get_face_chip(nearby, shape, size=CHIP_PIXELS)

    def embed(self, chip: np.ndarray) -> np.ndarray:
        """The embedding (128,) of a chip."""
        return np.array(self._network.compute_face_descriptor(chip))


@dataclass
class TrackletSamples:
    """Face chips sampled from a tracklet, their frames and their embeddings."""

    at: list[int] = field(default_factory=list)
    chips: list[np.ndarray] = field(default_factory=list)
    embeddings: list[np.ndarray] = field(default_factory=list)

    @property
    def mean(self) -> np.ndarray | None:
        return np.mean(self.embeddings, axis=0) if self.embeddings else None


class IdentitySampler:
    """Looks at every tracklet about once a second; embeds only where there are several tracklets.

    Args:
        embedder: or None, where dlib's model is not available; then people are not re-identified.
        fps: of the video.
    """

    def __init__(self, embedder: FaceEmbedder | None, fps: float) -> None:
        self._embedder = embedder
        self._period = max(1, round(SAMPLE_SECONDS * fps))
        self.tracklets: dict[int, TrackletSamples] = {}

    def see(self, tracklet: int, index: int, frame: np.ndarray, landmarks: np.ndarray) -> None:
        """Frame `index` of a tracklet shows `landmarks` (68, 2) in `frame`."""
        if self._embedder is None:
            return
        samples = self.tracklets.setdefault(tracklet, TrackletSamples())
        due = index in (2, self._period // 2) or (index and index % self._period == 0)
        alone = len(self.tracklets) == 1
        if due and not (alone and len(samples.at) >= FEW_SAMPLES):
            samples.at.append(index)
            samples.chips.append(self._embedder.chip(frame, landmarks))
        if not alone and (due or index == 0):  # a second tracklet: the first is no longer alone
            self._embed_waiting()

    def _embed_waiting(self) -> None:
        assert self._embedder is not None
        for samples in self.tracklets.values():
            while samples.chips:
                samples.embeddings.append(self._embedder.embed(samples.chips.pop(0)))


def find_identity_change(embeddings: Sequence[np.ndarray]) -> int | None:
    """The first sample of another person in a tracklet, or None."""
    best, place = IDENTITY_CHANGE_DISTANCE, None
    for index in range(1, len(embeddings)):
        before = np.mean(embeddings[:index], axis=0)
        after = np.mean(embeddings[index:], axis=0)
        distance = float(np.linalg.norm(before - after))
        if distance > best:
            best, place = distance, index
    return place


def cluster_identities(
    means: Sequence[np.ndarray | None], spans: Sequence[tuple[int, int]]
) -> list[list[int]]:
    """Tracklets that show one person; each tracklet is in one of the lists.

    The two people whose tracklets are nearest on average are joined, again and again, until all are
    further apart than `SAME_IDENTITY_DISTANCE`. Who is seen at one time twice is not one person.

    Args:
        means: each tracklet's mean embedding, or None where there is none: it stays alone.
        spans: first and last frame of each tracklet.
    """
    people = [[tracklet] for tracklet in range(len(means))]

    def together(one: list[int], other: list[int]) -> bool:
        return any(
            spans[a][0] <= spans[b][1] and spans[b][0] <= spans[a][1] for a in one for b in other
        )

    def distance(one: list[int], other: list[int]) -> float:
        known = list(product((means[i] for i in one), (means[i] for i in other)))
        distances = [
            float(np.linalg.norm(a - b)) for a, b in known if a is not None and b is not None
        ]
        if len(distances) < len(known) or together(one, other):
            return np.inf
        return float(np.mean(distances))

    while len(people) > 1:
        pairs = [
            (distance(people[a], people[b]), a, b)
            for a in range(len(people))
            for b in range(a + 1, len(people))
        ]
        nearest, a, b = min(pairs)
        if nearest > SAME_IDENTITY_DISTANCE:
            break
        people[a] += people.pop(b)
    return [sorted(person) for person in people]
