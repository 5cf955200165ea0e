"""The fourth stream: a kernel machine on the features of one of g1's networks."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import yaml

from utils.errors import InputError
from utils.network.classifiers import StreamOutputs, load_classifier
from utils.network.clips import stream_values
from utils.verdict.decision import Evidence, decide
from utils.weights.sets import BUNDLED, CONVOLUTIONAL, PROJECT_WEIGHTS, read_manifest


@pytest.fixture(scope="module")
def classifier():
    return load_classifier(read_manifest(), BUNDLED, PROJECT_WEIGHTS)


@pytest.fixture
def clips(random):
    return [0.02 * random.normal(size=(n, 136)).cumsum(axis=0) for n in (60, 45, 60, 30)]


def test_g4_is_what_the_machine_says_of_the_features_of_its_network(classifier, clips):
    g1 = classifier.networks[0][0].networks[classifier.weights.feature_network]
    for clip, g4 in zip(clips, classifier.outputs_of_each(clips).g4, strict=True):
        values = stream_values(CONVOLUTIONAL, "g1", clip[None]).astype(np.float32)
        assert g4 == pytest.approx(classifier.features(g1.features(values))[0][0], abs=1e-3)


def test_g1_and_g2_say_the_same_with_g4_and_without(classifier, clips):
    with_g4 = classifier.outputs_of_each(clips)
    without = replace(classifier, features=None).outputs_of_each(clips)
    assert without.g4 is None
    assert np.allclose(without.g1, with_g4.g1) and np.allclose(without.g2, with_g4.g2)


def test_outputs_are_split_as_the_clips_lie():
    values = np.arange(10.0).reshape(5, 2)
    one, other = StreamOutputs(values, -values, np.arange(5.0)).split([2, 3])
    assert one.g1.tolist() == values[:2].tolist() and other.g2.tolist() == (-values[2:]).tolist()
    assert other.g4.tolist() == [2, 3, 4]
    assert StreamOutputs(values, values).split([5])[0].g4 is None


def test_g4_weighs_as_its_rule_says():
    weights = read_manifest().sets[BUNDLED]
    none = np.zeros((2, 4))
    scores = [
        decide(
            Evidence(none, none, np.array([60, 60]), 4.0, np.full(2, g4)), weights, "", 0.5
        ).score
        for g4 in (0.0, 1.0)
    ]
    logits = np.log(scores) - np.log1p(-np.array(scores))
    assert logits[1] - logits[0] == pytest.approx(weights.rules["landmarks"].slopes[1])


@pytest.mark.parametrize("network", [3, -1, "one"])
def test_a_network_that_g1_does_not_have_is_one_line(tmp_path, network):
    content = yaml.safe_load((PROJECT_WEIGHTS / "manifest.yaml").read_text())
    entry = content["sets"][BUNDLED] | {"feature_network": network}
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump({"sets": {"mine": entry}}))
    with pytest.raises(InputError, match="feature_network"):
        read_manifest(tmp_path)


def test_a_rule_has_a_slope_for_each_stream(tmp_path):
    content = yaml.safe_load((PROJECT_WEIGHTS / "manifest.yaml").read_text())
    entry = content["sets"][BUNDLED]
    del entry["files"]["g4"]
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump({"sets": {"mine": entry}}))
    with pytest.raises(InputError, match="this rule has 1 slopes"):
        read_manifest(tmp_path)


class TestTraining:
    """Of the stream, and how it is measured."""

    @pytest.fixture
    def tracks(self, random):
        pytest.importorskip("sklearn", reason="scikit-learn is missing: requirements-dev.txt")
        from training.corpus import CorpusRow, CorpusTrack

        rows = [
            CorpusRow(f"t{n}", n % 2 == 1, "", "", f"data {n % 7}", f"source {n % 20}",
                      f"group {n % 20}", "", ())
            for n in range(60)
        ]  # fmt: skip
        return [CorpusTrack(row, 25, 60, 150, 480, []) for row in rows]

    def test_tracks_are_measured_by_networks_that_saw_nothing_of_their_source(self, tracks):
        from training.feature_stream import unseen_by

        known = {"t0": {"fold": "2"}, "t1": {"fold": "0"}}
        unseen = unseen_by(tracks, known)
        assert [unseen[n] for n in (0, 20, 1, 41, 2)] == [2, 2, 0, 0, None]

    def test_each_track_is_judged_by_the_features_of_its_network(self, tracks, random):
        from training.feature_stream import out_of_networks

        fake = np.array([track.row.fake for track in tracks])
        unseen = [None if n % 20 < 10 else 1 for n in range(len(tracks))]
        own = [random.normal(size=(2, 6)) + 3 * of for of in fake]
        other = [values[:, ::-1] * 5 for values in own]
        found = out_of_networks(tracks, unseen, {None: own, 1: other}, {None: {}, 1: {}})
        assert found[fake].min() > found[~fake].max()

    def test_columns_are_added_beside_those_that_are_there(self, tmp_path):
        from training.feature_stream import add_columns

        path = tmp_path / "a.csv"
        path.write_text("name,score\na,1\nb,2\n")
        for value in "34":
            add_columns(path, {"features": {"a": value, "b": "5"}})
        with path.open(newline="") as lines:
            assert list(csv.DictReader(lines)) == [
                {"name": "a", "score": "1", "features": "4"},
                {"name": "b", "score": "2", "features": "5"},
            ]
