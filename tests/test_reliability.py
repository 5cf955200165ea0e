import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.landmark_files.header import LandmarkHeader
from utils.verdict.reliability import abstain_reasons, header_measurements, out_of_range_reasons
from utils.weights.sets import WeightSet


def weights(**declared) -> WeightSet:
    return WeightSet("w", "any", 60, "convolutional", (), **declared)


def test_measurements_come_from_the_header():
    header = {
        "eye_pixels": "41.5", "fps": "29.97", "frames": "200", "frames_with_face": "150",
        "yaw": "-50 -40 -20", "movement": "0.01",
    }  # fmt: skip
    measured = header_measurements(LandmarkHeader.parse(header))
    assert measured["eye_pixels"] == 41.5 and measured["share_of_frames"] == 0.75
    assert measured["yaw"] == 40 and "pitch" not in measured


@given(st.dictionaries(st.sampled_from(["fps", "frames", "yaw", "score", "movement"]), st.text()))
def test_no_header_is_too_odd(header):
    measured = header_measurements(LandmarkHeader.parse(header))
    assert all(value == value for value in measured.values())
    assert 0 < measured.get("fps", 1) <= 1000


@pytest.mark.parametrize("value", ["0", "-5", "nan", "inf", "1e300", "x", ""])
def test_an_impossible_frame_rate_is_not_measured(value):
    assert "fps" not in header_measurements(LandmarkHeader.parse({"fps": value}))


def test_every_bound_that_is_crossed_is_a_reason():
    declared = weights(ranges={"eye_pixels": (32, None), "fps": (23, 33), "yaw": (None, 45)})
    measured = {"eye_pixels": 12.0, "fps": 40.0, "yaw": 60.0}
    reasons = out_of_range_reasons(measured, declared)
    assert [reason.split(",")[0] for reason in reasons] == [
        "12 pixels between the eyes",
        "40 frames per second",
        "head yaw 60 degrees",
    ]
    assert out_of_range_reasons({"eye_pixels": 32.0, "fps": 23.0, "yaw": 45.0}, declared) == []


def test_what_was_not_measured_is_no_reason():
    assert out_of_range_reasons({}, weights(ranges={"eye_pixels": (32, None)})) == []


@pytest.mark.parametrize(
    ("score", "decided"), [(0.25, True), (0.3, False), (0.69, False), (0.7, True)]
)
def test_a_score_inside_the_band_does_not_decide(score, decided):
    both = score, score
    assert bool(abstain_reasons(score, both, weights(unclear=(0.3, 0.7)))) is not decided
    assert abstain_reasons(score, both, weights()) == []


@pytest.mark.parametrize("of_streams", [(0.62, 0.95), (0.95, 0.62)])
def test_a_fake_by_one_stream_alone_does_not_decide(of_streams):
    (reason,) = abstain_reasons(0.8, of_streams, weights(unclear=(0.3, 0.7)))
    assert "streams disagree" in reason and "0.62 by" in reason and "0.95 by" in reason


def test_real_needs_both_streams_together_only():
    assert abstain_reasons(0.2, (0.1, 0.4), weights(unclear=(0.3, 0.7))) == []
