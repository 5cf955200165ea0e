import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training import evaluate
from training.evaluate import (
    ScoredTrack,
    auc,
    auc_interval,
    calibration_error,
    equal_error_rate,
    figures,
    parts,
    table,
)
from training.labelled_tracks import LabelledTrack
from utils.console import run_script
from utils.landmark_files.text import LandmarkTrack, write_landmarks

NOTHING = np.zeros((1, 68, 2), np.float32)


def scored(fake: bool, clips: list[float], group: str, dataset="D", manipulation=None):
    name = manipulation or ("swap" if fake else "none")
    track = LabelledTrack(f"{group}{clips}", NOTHING, fake, group, dataset, name)
    return ScoredTrack(track, np.array(clips))


@pytest.fixture
def separable() -> list[ScoredTrack]:
    real = [scored(False, [0.1, 0.2 + 0.01 * n], f"r{n}") for n in range(6)]
    return real + [scored(True, [0.7, 0.8 + 0.01 * n], f"f{n}") for n in range(6)]


def test_a_perfect_set_has_perfect_figures(separable):
    measured = figures(separable, "mean")
    assert (measured.auc, measured.auc_by_clip, measured.equal_error_rate) == (1, 1, 0)
    assert measured.accuracy == 1 and measured.auc_interval == pytest.approx((1, 1))
    assert measured.confusion["fake called fake"] == 6
    assert measured.confusion["real called fake"] == 0


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=2, max_size=30))
def test_the_auc_is_the_share_of_pairs_in_order(videos):
    labels = np.array([fake for fake, _ in videos])
    scores = np.round([score for _, score in videos], 3)
    pairs = [(f > r) + 0.5 * (f == r) for f in scores[labels] for r in scores[~labels]]
    expected = np.mean(pairs) if pairs else None
    assert auc(labels, scores) == pytest.approx(expected)


def test_the_equal_error_rate_lies_where_both_errors_meet():
    labels = np.array([False] * 4 + [True] * 4)
    scores = np.array([0.1, 0.2, 0.3, 0.9, 0.05, 0.7, 0.8, 0.95])
    assert equal_error_rate(labels, scores) == pytest.approx(0.25)


def test_one_label_alone_has_no_auc(separable):
    measured = figures(separable[:6], "mean")
    assert measured.auc is None and measured.auc_interval is None and measured.accuracy == 1


def test_calibration_is_perfect_where_probabilities_are_shares():
    labels = np.array([True] * 3 + [False])
    assert calibration_error(labels, np.full(4, 0.75)) == pytest.approx(0)
    assert calibration_error(labels, np.full(4, 0.05)) == pytest.approx(0.7)


def test_the_interval_draws_groups_anew_not_videos():
    random = np.random.default_rng(3)
    fake = np.arange(80) % 2 == 0
    values = random.uniform(0, 1, 80) + 0.15 * fake

    def width(groups: int) -> float:
        tracks = [scored(bool(one), [0.5], f"g{n % groups}") for n, one in enumerate(fake)]
        low, high = auc_interval(tracks, values, np.random.default_rng(0))
        return high - low

    assert width(1) == 0  # one group: every draw is the same
    assert 0.05 < width(80) < 0.4


def test_parts_are_datasets_and_manipulations_beside_all_real(separable):
    extra = scored(True, [0.2], "x", "E", "lipsync")
    by_name = dict(parts([*separable, extra]))
    assert set(by_name) == {
        "all", "dataset: D", "dataset: E",
        "manipulation: lipsync / all real", "manipulation: swap / all real",
    }  # fmt: skip
    assert len(by_name["manipulation: lipsync / all real"]) == 7


def test_the_table_shows_sets_side_by_side(separable):
    measured = {part: figures(of, "mean") for part, of in parts(separable)}
    lines = table({"one": measured, "two": measured}).splitlines()
    assert lines[0] == "| videos | fake / all | one | two |"
    assert lines[2].startswith("| all | 6 / 12 | 1.000 [1.00, 1.00] |")


def test_the_bundled_sets_are_measured_on_a_folder(monkeypatch, capsys, tmp_path, random):
    for number in range(4):
        moves = random.normal(0, 0.004, (60, 1, 2)).cumsum(axis=0)
        tremble = random.normal(0, 0.02, (60, 68, 2)) if number % 2 else 0
        face = random.uniform(-0.8, 0.8, (68, 2)) + moves + tremble
        label = "fake" if number % 2 else "real"
        track = LandmarkTrack(face, "normalized")
        write_landmarks(tmp_path / "own" / label / f"{number}.txt", track)
    arguments = ["evaluate", "--dataset", tmp_path / "own", "--output", tmp_path / "out"]
    arguments += ["--weights", "bundled-normalized", "bundled-aligned"]
    monkeypatch.setattr(sys, "argv", list(map(str, arguments)))
    assert run_script("evaluate", evaluate.main) == 0
    assert "| all | 2 / 4 |" in capsys.readouterr().out
    content = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert set(content["sets"]) == {"bundled-normalized", "bundled-aligned"}
    assert (tmp_path / "out" / "evaluation.png").stat().st_size > 10_000
