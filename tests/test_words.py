"""Verdicts in words: what they are worth, what could tell more, and the summary."""

from dataclasses import replace
from pathlib import Path

import pytest

from utils.verdict.results import VideoResult
from utils.verdict.words import describe_false_alarms, next_steps, strength_legend, summary
from utils.weights.sets import BUNDLED, read_manifest

BUNDLED_SET = read_manifest().members(BUNDLED)[0]
FACE = VideoResult(
    *("a.txt", Path("a.txt")),
    label="Unclear",
    score=0.5,
    reasons=["score 0.50 is in between"],
    strength="weak",
    leaning="Fake",
    share_of_others=0.2,
)


@pytest.mark.parametrize(
    ("measured", "word"),
    [
        ({"eye_pixels": 10}, "larger face"),
        ({"fps": 12}, "frame rate"),
        ({"yaw": 80}, "towards the camera"),
        ({"covered_mouth": 0.9}, "covers the mouth"),
        ({"outside_frame": 0.5}, "whole face"),
        ({"seconds": 3}, "more seconds"),
        ({"seconds": 30}, "another part"),
    ],
)
def test_an_unclear_face_gets_advice_on_a_better_copy(measured, word):
    better, checks = next_steps(measured, BUNDLED_SET)
    assert len(better) == 1 and word in better[0] and checks


def test_every_range_of_the_bundled_set_has_its_advice():
    bounds = {name: bound for name, bound in BUNDLED_SET.ranges.items() if name != "seconds"}
    for name, (least, most) in bounds.items():
        value = least - 1 if least is not None else most + 1
        better, _ = next_steps({name: value, "seconds": 30}, BUNDLED_SET)
        assert "another part" not in better[0], name


def test_strong_evidence_is_rarer_in_the_other_class_than_weak():
    legend = strength_legend(BUNDLED_SET.rules["texture"])
    assert [(word, label) for word, label, *_ in legend] == [
        (word, label) for label in ("Fake", "Real") for word in ("strong", "moderate", "weak")
    ]
    for word, label, real, fake in legend:
        others, own = (real, fake) if label == "Fake" else (fake, real)
        assert others <= {"strong": 0.02, "moderate": 0.03, "weak": 0.2}[word] < own + 0.2


def test_a_set_without_measured_strengths_has_no_legend():
    assert strength_legend(None) == []
    assert strength_legend(replace(BUNDLED_SET.rules["texture"], strengths={})) == []


def test_the_summary_is_whole_without_the_page():
    told = summary("a.mp4", "Unclear", [FACE], "0123", "LRNet 1, weights bundled, 2026-01-01")
    lines = told.splitlines()
    assert lines[0] == "a.mp4: Unclear" and "score 0.50 (0 real, 1 fake)" in lines[1]
    assert "score 0.50 is in between" in lines[1] and "at most 200" in lines[2]
    assert lines[3:5] == ["File: SHA-256 0123", "LRNet 1, weights bundled, 2026-01-01"]
    assert "not proof" in lines[5]


def test_the_summary_of_several_faces_names_each():
    faces = [replace(FACE, face=f"{number} of 2") for number in (1, 2)]
    told = summary("a.mp4", "Unclear", faces, "", "")
    assert "Face 1 of 2: Unclear" in told and "Face 2 of 2: Unclear" in told


def test_a_fake_is_shown_with_the_false_alarm_rate():
    told = describe_false_alarms(BUNDLED_SET.rules["texture"])
    share = BUNDLED_SET.rules["texture"].real_called_fake
    assert told.startswith(f"{100 * share:.1f} % of the real videos")
    assert describe_false_alarms(None) == ""
