"""The rules and figures of the bundled set are those that `training.decision` makes."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT

pytest.importorskip("sklearn", reason="scikit-learn is missing: requirements-dev.txt")

from training.decision import areas, decided, labels_by_family, read_columns, rule, rule_values
from training.texture_stream import TABLE
from utils.verdict.results import VideoResult, strength_of
from utils.verdict.words import describe_strength
from utils.weights.sets import BUNDLED, DecisionRule, read_manifest

CARD = (PROJECT / "model_weights" / "README.md").read_text(encoding="utf-8")
README = (PROJECT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def columns():
    return read_columns(TABLE)


@pytest.fixture(scope="module")
def fitted(columns):
    return {name: rule(values, columns) for name, values in rule_values(columns).items()}


def test_the_manifest_holds_the_fitted_rules(fitted):
    for name, declared in read_manifest().sets[BUNDLED].rules.items():
        made, _ = fitted[name]
        assert declared.slopes == pytest.approx(made["slopes"], abs=0.002)
        assert declared.offset == pytest.approx(made["offset"], abs=0.002)
        assert [list(one) for one in declared.bands] == made["bands"]


def test_the_model_card_has_the_areas(columns, fitted):
    row = " | ".join(f"{area:.3f}" for area in areas(fitted["texture"][1], columns).values())
    assert f"| **all four** | {row} |" in CARD


def test_card_and_readme_have_the_shares_of_labels(columns, fitted):
    made, scores = fitted["texture"]
    for family, (count, *shares) in labels_by_family(scores, made["bands"], columns).items():
        row = f"| {family} | {count} | " + " | ".join(f"{share:.0%}" for share in shares) + " |"
        assert row in CARD and row in README


def test_few_real_tracks_of_any_length_are_called_fake(columns, fitted):
    made, scores = fitted["texture"]
    shares = decided(scores, made["bands"], columns)
    assert all(part["real called Fake"] <= 0.03 for part in shares.values())
    starts, _, highs = np.array(made["bands"]).T
    length = np.searchsorted(starts, columns["seconds"], "right") - 1
    for index, high in enumerate(highs):  # by tracks, as whoever is accused counts
        assert (scores[(length == index) & ~columns["fake"]] >= high).mean() <= 0.03
    assert all(part["of these right"] >= 0.88 - 1e-9 for part in shares.values())
    assert f"{shares['all']['real called Fake']:.1%}".replace("%", " %") in CARD


def test_every_document_has_the_same_false_alarm_rate():
    security = (PROJECT / "SECURITY.md").read_text(encoding="utf-8")
    assert re.search(r"at most 3 % of real videos", security)


@pytest.mark.parametrize(
    ("score", "fake", "share"), [(0.95, True, 0.005), (0.7, True, 0.1), (0.3, True, None)]
)
def test_strength_follows_the_share_of_the_other_class_with_such_a_score(score, fake, share):
    rule = DecisionRule((1.0,), 0, ((0, 0.3, 0.8),), None, ((0.66, 0.1), (0.93, 0.005)), ())
    assert rule.share_of_others(score, fake) == share


@pytest.mark.parametrize(
    ("share", "word"), [(0.005, "strong"), (0.01, "strong"), (0.03, "moderate"), (0.1, "weak")]
)
def test_a_rarer_score_in_the_other_class_is_stronger_evidence(share, word):
    assert strength_of(share) == word and strength_of(None) is None


def test_the_manifest_holds_the_measured_strengths(fitted):
    for name, declared in read_manifest().sets[BUNDLED].rules.items():
        made, scores = fitted[name]
        assert [list(one) for one in declared.real_above] == made["real_above"]
        assert [list(one) for one in declared.fake_below] == made["fake_below"]
        assert all(0 < score < 1 for score, _ in declared.real_above)
        assert len(scores) > 1000


def test_a_sentence_says_what_the_evidence_is_worth():
    face = VideoResult("a.txt", Path("a.txt"), label="Fake", score=0.95)
    face = replace(face, strength="strong", leaning="Fake", share_of_others=0.005)
    assert describe_strength(face) == (
        "Strong evidence: of 1000 real videos from sources that the model never saw, at most 5 had "
        "as high a score."
    )
    unclear = replace(face, leaning="Real", label="Unclear", reasons=["short"], strength="weak")
    assert "Weak evidence for Real, which decides nothing" in describe_strength(unclear)
    assert describe_strength(replace(face, strength=None)) == ""
