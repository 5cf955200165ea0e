"""Balanced batches of clips: real faces and each family of fakes, no source heard too often."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.augmentation import at_other_rate, pseudo_fakes, vary
from training.labelled_tracks import DLIB, MEDIAPIPE, REAL, LabelledTrack, long_enough
from utils.shared import FAMILIES, VALUES_PER_FRAME

CLASSES = (REAL, *FAMILIES)


@dataclass(frozen=True)
class ClipBatch:
    """Normalized clips (n, frames, 136) float32 and their classes (n,), numbers of `CLASSES`."""

    clips: np.ndarray
    classes: np.ndarray


class ClipSampler:
    """Draws clips: the class first, then detector, source, group, track and place.

    Sources differ in resolution, frame rate and length, so a source with many tracks, or a long
    one, must not be heard more than its `source_power` allows.

    Args:
        tracks: normalized; those shorter than the shortest clip are left out.
        config: `clip_lengths`, of which one is drawn for each batch, and the parts `sampling` and
            `augmentation`.
    """

    def __init__(self, tracks: Sequence[LabelledTrack], config: dict) -> None:
        self._lengths = config["clip_lengths"]
        self._sampling = config["sampling"]
        self._augmentation = config["augmentation"]
        self._pools = {
            length: self._pool(long_enough(tracks, length)) for length in set(self._lengths)
        }

    def _pool(
        self, tracks: list[LabelledTrack]
    ) -> dict[tuple[str, str], tuple[list[LabelledTrack], np.ndarray]]:
        """(detector, class) -> its tracks and how likely each is to be drawn, added up."""
        members: dict[tuple[str, str], list[LabelledTrack]] = defaultdict(list)
        for track in tracks:
            detector = track.detector if track.detector == MEDIAPIPE else DLIB
            members[detector, track.family].append(track)
        return {key: (of, np.cumsum(self._chances(of))) for key, of in members.items()}

    def _chances(self, tracks: list[LabelledTrack]) -> np.ndarray:
        groups: dict[tuple, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for index, track in enumerate(tracks):
            groups[track.source, track.manipulation][track.group].append(index)
        chances = np.zeros(len(tracks))
        for of_source in groups.values():
            for indices in of_source.values():
                weight = len(of_source) ** (self._sampling["source_power"] - 1)
                chances[indices] = weight / len(indices)
        return chances / chances.sum()

    def _cut(self, track: LabelledTrack, length: int, random: np.random.Generator) -> np.ndarray:
        """A clip from anywhere in a track, some brought to another frame rate."""
        landmarks = track.landmarks
        if random.random() < self._augmentation["resampled"]:
            wanted = random.uniform(*self._augmentation["frame_rates"])
            rate = np.clip(track.fps / wanted, 0.75, 2.2)
            room = len(landmarks) - 1 - (length - 1) * rate
            if room >= 0:
                return at_other_rate(landmarks, random.uniform(0, room), rate, length)
        start = random.integers(0, len(landmarks) - length + 1)
        return landmarks[start : start + length]

    def draw(self, size: int, random: np.random.Generator) -> ClipBatch:
        """A batch of `size` clips of one length."""
        length = int(random.choice(self._lengths))
        pool = self._pools[length]
        fake = random.random(size) >= self._sampling["real"]
        held = {name for _, name in pool}
        families = [number for number, name in enumerate(CLASSES) if number and name in held]
        classes = np.where(fake, random.choice(families, size), 0) if families else 0 * fake
        swaps = classes == CLASSES.index("swap")
        pseudo = swaps & (random.random(size) < self._sampling["pseudo_swaps"])
        clips = []
        for index in range(size):
            name = REAL if pseudo[index] else CLASSES[classes[index]]
            detector = DLIB if random.random() < self._sampling["dlib"] else MEDIAPIPE
            tracks, chances = (
                pool.get((detector, name)) or pool[next(key for key in pool if key[1] == name)]
            )
            chosen = min(int(np.searchsorted(chances, random.random())), len(tracks) - 1)
            clips.append(self._cut(tracks[chosen], length, random))
        drawn = np.stack(clips).astype(np.float32)
        if pseudo.any():
            drawn[pseudo] = pseudo_fakes(drawn[pseudo], random)
        varied = vary(drawn, random, self._augmentation)
        return ClipBatch(varied.reshape(size, length, VALUES_PER_FRAME), classes)
