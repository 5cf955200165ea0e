"""Scores of clips and faces from the streams' log-odds."""

from __future__ import annotations

import numpy as np

from ..network.classifiers import max_family_probability, probability
from ..network.clips import mean_over_frames
from ..shared import FAKE_THRESHOLD


def leans_to_fake(score: float, band: tuple[float, float]) -> bool:
    """To which side of a band a score is nearer."""
    return score >= sum(band) / 2


def clip_scores(g1: np.ndarray, g2: np.ndarray) -> np.ndarray:
    """(clips,): the mean of the streams' probabilities, each of its most likely family."""
    return (max_family_probability(g1) + max_family_probability(g2)) / 2


def mean_evidence(g1: np.ndarray, g2: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """(families,): the mean log-odds of fake over streams and frames."""
    return mean_over_frames((g1 + g2) / 2, frames)


def video_score(g1: np.ndarray, g2: np.ndarray, method: str, frames: np.ndarray) -> float:
    """A video's score in [0, 1].

    Args:
        g1, g2: (clips, families) log-odds of fake.
        frames: (clips,), of each clip.
        method: `vote`, the share of clips whose mean probability is 0.5 or over; `mean`, the mean
            of these; `evidence`, the probability of the family whose log-odds are highest in the
            mean over frames and streams.
    """
    if method == "evidence":
        return float(probability(mean_evidence(g1, g2, frames).max()))
    clips = clip_scores(g1, g2)
    return float((clips >= FAKE_THRESHOLD).mean() if method == "vote" else clips.mean())


def stream_scores(g1: np.ndarray, g2: np.ndarray, frames: np.ndarray) -> tuple[float, float]:
    """A video's score by evidence, from what each stream says alone; see `video_score`."""
    return video_score(g1, g1, "evidence", frames), video_score(g2, g2, "evidence", frames)
