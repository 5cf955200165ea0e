"""From the evidence of the streams to a label: by a threshold, a band, or rules of decision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..network.classifiers import probability
from ..network.clips import mean_over_frames
from ..weights.sets import (
    FEATURES,
    LANDMARK_RULE,
    STREAMS,
    TEXTURE,
    TEXTURE_RULE,
    DecisionRule,
    WeightSet,
)
from .reliability import abstain_reasons, reasons_by_rule
from .results import FAKE, REAL
from .scores import leans_to_fake, mean_evidence, stream_scores, video_score


@dataclass(frozen=True)
class Evidence:
    """What the streams say of a face's clips.

    Attributes:
        g1, g2: (clips, families) log-odds of fake; frames: (clips,) of each clip.
        seconds: that these clips last together.
        g4: (clips,) decision values of the fourth stream, or None where the set has none.
        texture: (clips of g3,) its decision values, and how similar each clip is to anything
            learned; None where the third stream was not read.
    """

    g1: np.ndarray
    g2: np.ndarray
    frames: np.ndarray
    seconds: float
    g4: np.ndarray | None = None
    texture: tuple[np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True)
class Decision:
    """A label, and what it rests on.

    Attributes:
        label: Fake or Real; it counts where there are no reasons against it.
        band: scores that do not decide, where the set has such.
        streams: that the score rests on; g3: (clips of g3,) and g4: (clips,) in [0, 1], where they
            were read.
        share_of_others: of `DecisionRule.share_of_others`, for the side to which the score leans.
    """

    label: str
    score: float
    band: tuple[float, float] | None
    reasons: list[str]
    streams: list[str]
    g3: np.ndarray | None = None
    g4: np.ndarray | None = None
    share_of_others: float | None = None


def decide(evidence: Evidence, weights: WeightSet, method: str, threshold: float) -> Decision:
    """The label as the set has it: by its rules, by its band, or by a threshold of the score."""
    if weights.rules:
        return _by_rules(evidence, weights)
    g1, g2, frames = evidence.g1, evidence.g2, evidence.frames
    score = video_score(g1, g2, method, frames)
    label = FAKE if score >= threshold else REAL
    reasons = []
    if weights.unclear is not None:
        reasons = abstain_reasons(score, stream_scores(g1, g2, frames), weights)
    return Decision(label, score, weights.unclear, reasons, [*STREAMS])


def rule_of(weights: WeightSet) -> DecisionRule | None:
    """The rule of a set that reads all that it can, or None where it has none."""
    return weights.rules.get(TEXTURE_RULE) or weights.rules.get(LANDMARK_RULE)


def _by_rules(evidence: Evidence, weights: WeightSet) -> Decision:
    of_landmarks = float(mean_evidence(evidence.g1, evidence.g2, evidence.frames).max())
    with_texture = evidence.texture is not None and TEXTURE_RULE in weights.rules
    rule = weights.rules[TEXTURE_RULE if with_texture else LANDMARK_RULE]
    said, similarity, streams, g3, g4 = [of_landmarks], None, [*STREAMS], None, None
    if evidence.g4 is not None:
        said.append(float(mean_over_frames(evidence.g4, evidence.frames)))
        g4 = probability(rule.slopes[1] * evidence.g4)
    if with_texture and evidence.texture is not None:
        decisions, similar = evidence.texture
        said.append(float(decisions.mean()))
        similarity, g3 = float(np.median(similar)), probability(rule.slopes[-1] * decisions)
        streams.append(TEXTURE)
    streams += [FEATURES] if g4 is not None else []
    score, band = rule.score(said), rule.band(evidence.seconds)
    label = FAKE if score >= band[1] else REAL
    reasons = reasons_by_rule(score, band, similarity, rule)
    others = rule.share_of_others(score, leans_to_fake(score, band))
    return Decision(label, score, band, reasons, streams, g3, g4, others)
