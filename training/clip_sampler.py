"""Balanced batches of clips: half real, half fake, every source heard equally."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.augmentation import at_other_rate, pseudo_fakes, vary
from training.labelled_tracks import LabelledTrack, long_enough
from utils.shared import VALUES_PER_FRAME


@dataclass(frozen=True)
class ClipBatch:
    """Normalized clips (n, frames, 136) float32 and their labels (n,), 1 = fake."""

    clips: np.ndarray
    labels: np.ndarray


class ClipSampler:
    """Draws clips: the label first, then the source, the group, the track and the place.

    Sources differ in resolution, frame rate and length, so a source with many tracks, or a long
    one, must not be heard more than its `source_power` allows.

    Args:
        tracks: normalized; those shorter than a clip are left out.
        clip_length: frames.
        options: the configuration's `sampling` and `augmentation` parts.
    """

    def __init__(self, tracks: Sequence[LabelledTrack], clip_length: int, options: dict) -> None:
        self._tracks = long_enough(tracks, clip_length)
        self._length = clip_length
        self._sampling = options["sampling"]
        self._augmentation = options["augmentation"]
        labels = np.array([track.fake for track in self._tracks])
        self._chances = [self._class_chances(labels == fake) for fake in (False, True)]

    def _class_chances(self, chosen: np.ndarray) -> np.ndarray:
        """How likely each track is to be drawn for its class; (tracks,) that sum to 1."""
        sources = [(track.dataset, track.manipulation) for track in self._tracks]
        groups = [
            (source, track.group) for source, track in zip(sources, self._tracks, strict=True)
        ]
        chances = np.zeros(len(self._tracks))
        for index in np.flatnonzero(chosen):
            source, group = sources[index], groups[index]
            in_source = len(
                {g for g, c in zip(groups, chosen, strict=True) if c and g[0] == source}
            )
            in_group = sum(c and g == group for g, c in zip(groups, chosen, strict=True))
            chances[index] = in_source ** (self._sampling["source_power"] - 1) / in_group
        return chances / chances.sum()

    def _cut(self, landmarks: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """A clip from anywhere in a track, some at another frame rate."""
        change = self._augmentation["frame_rate"]
        if random.random() < self._augmentation["resampled"]:
            rate = np.exp(random.uniform(-1, 1) * np.log(change))
            room = len(landmarks) - 1 - (self._length - 1) * rate
            if room >= 0:
                return at_other_rate(landmarks, random.uniform(0, room), rate, self._length)
        start = random.integers(0, len(landmarks) - self._length + 1)
        return landmarks[start : start + self._length]

    def draw(self, size: int, random: np.random.Generator) -> ClipBatch:
        """A batch of `size` clips."""
        fake = random.random(size) < 0.5
        pseudo = fake & (random.random(size) < self._sampling["pseudo_fakes"])
        clips = []
        for index in range(size):
            chances = self._chances[int(fake[index] and not pseudo[index])]
            track = self._tracks[random.choice(len(self._tracks), p=chances)]
            clips.append(self._cut(track.landmarks, random))
        drawn = np.stack(clips)
        if pseudo.any():
            drawn[pseudo] = pseudo_fakes(drawn[pseudo], random)
        varied = vary(drawn, random, self._augmentation)
        clips = varied.reshape(size, self._length, VALUES_PER_FRAME)
        return ClipBatch(clips, fake.astype(np.float32))
