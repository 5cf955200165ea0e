"""The rules and figures of the bundled set are those that `training.decision` makes."""

import re

import pytest
from conftest import PROJECT

pytest.importorskip("sklearn", reason="scikit-learn is missing: requirements-dev.txt")

from training.decision import areas, decided, labels_by_family, read_columns, rule
from training.texture_stream import TABLE
from utils.weights.sets import BUNDLED, read_manifest

CARD = (PROJECT / "model_weights" / "README.md").read_text(encoding="utf-8")
README = (PROJECT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def columns():
    return read_columns(TABLE)


@pytest.fixture(scope="module")
def fitted(columns):
    evidence = columns["evidence"][:, None]
    both = evidence.repeat(2, axis=1)
    both[:, 1] = columns["texture"]
    return {"landmarks": rule(evidence, columns), "texture": rule(both, columns)}


def test_the_manifest_decides_as_was_fitted(fitted):
    for name, declared in read_manifest().sets[BUNDLED].rules.items():
        made, _ = fitted[name]
        assert declared.slopes == pytest.approx(made["slopes"], abs=0.002)
        assert declared.offset == pytest.approx(made["offset"], abs=0.002)
        assert [list(one) for one in declared.bands] == made["bands"]


def test_the_model_card_has_the_areas(columns, fitted):
    row = " | ".join(f"{area:.3f}" for area in areas(fitted["texture"][1], columns).values())
    assert f"| **g1, g2 and g3** | {row} |" in CARD


def test_card_and_readme_have_the_shares_of_labels(columns, fitted):
    made, scores = fitted["texture"]
    for family, (count, *shares) in labels_by_family(scores, made["bands"], columns).items():
        row = f"| {family} | {count} | " + " | ".join(f"{share:.0%}" for share in shares) + " |"
        assert row in CARD and row in README


def test_few_real_tracks_of_any_length_are_called_fake(columns, fitted):
    made, scores = fitted["texture"]
    shares = decided(scores, made["bands"], columns)
    assert all(part["real called Fake"] <= 0.03 for part in shares.values())
    assert all(part["of these right"] >= 0.88 - 1e-9 for part in shares.values())
    assert f"{shares['all']['real called Fake']:.1%}".replace("%", " %") in CARD


def test_no_document_names_another_share_of_wrong_accusations():
    security = (PROJECT / "SECURITY.md").read_text(encoding="utf-8")
    assert re.search(r"at most 3 % of real videos", security)
