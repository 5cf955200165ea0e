import json
import sys

import numpy as np
import pytest
import yaml
from conftest import PROJECT, TRAINING

from training import train
from training.augmentation import mirror, pseudo_fakes, smooth_fields, vary
from training.clip_sampler import ClipBatch, ClipSampler
from training.labelled_tracks import (
    LabelledTrack,
    read_landmark_folder,
    read_track_archive,
    split_by_group,
)
from training.train import (
    StreamTrainer,
    Teacher,
    make_teacher,
    manifest_entry,
    parse_arguments,
)
from utils.classifiers import probability
from utils.console import run_script
from utils.errors import InputError
from utils.landmark_files import LandmarkTrack, write_landmarks
from utils.two_stream import build_stream, fake_logits
from utils.weight_sets import read_manifest

CONFIG = yaml.safe_load((PROJECT / "training" / "bundled.yaml").read_text())


@pytest.fixture
def tracks(wandering_landmarks, random) -> list[LabelledTrack]:
    """Sixteen tracks of eight groups and two sources; the fake ones tremble."""
    made = []
    for number in range(16):
        fake = number % 2 == 1
        tremble = random.normal(0, 0.02, (90, 68, 2)) if fake else 0
        landmarks = (wandering_landmarks + tremble).astype(np.float32)
        source = "A" if number < 8 else "B"
        made.append(
            LabelledTrack(
                f"t{number}", landmarks, fake, f"g{number // 2}", source, "x" if fake else "none"
            )
        )
    return made


@pytest.fixture
def clips(wandering_landmarks) -> np.ndarray:
    return np.stack([wandering_landmarks[:30], wandering_landmarks[40:70]]).astype(np.float32)


def test_no_group_is_in_training_and_validation(tracks):
    for seed in range(20):
        training, held = split_by_group(tracks, 0.3, seed)
        assert len(training) + len(held) == len(tracks)
        assert not {t.group for t in training} & {t.group for t in held}
        assert {t.dataset for t in held} == {"A", "B"}


def test_mirroring_twice_is_no_change(clips):
    assert (mirror(mirror(clips)) == clips).all()
    assert not (mirror(clips) == clips).all()


def test_a_field_is_smooth_in_space_and_new_in_each_frame(clips, random):
    points = clips.mean(axis=1)
    fields = smooth_fields(points, random, 30, width=0.3)
    near = np.abs(fields[:, :, 1] - fields[:, :, 2]).mean()
    later = np.abs(fields[:, 1:] - fields[:, :-1]).mean()
    assert near < 0.5 * later


def test_a_pseudo_fake_leaves_the_jaw_as_it_was(clips, random):
    made = pseudo_fakes(clips, random)
    assert (made[:, :, :17] == clips[:, :, :17]).all()
    assert np.abs(made[:, :, 17:] - clips[:, :, 17:]).mean() > 1e-4


def test_varied_clips_lie_on_the_pipelines_grid(clips, random):
    varied = vary(clips, random, CONFIG["augmentation"]) * 200
    assert np.abs(varied - np.rint(varied)).max() < 1e-3


def test_a_batch_is_half_real_half_fake(tracks, random):
    batch = ClipSampler(tracks, 30, CONFIG).draw(600, random)
    assert batch.clips.shape == (600, 30, 136)
    assert 0.42 < batch.labels.mean() < 0.58


class ScriptedTeachers:
    """Says the same of every clip: 0.2 in stream g1, 0.8 in g2."""

    def stream_probabilities(self, clips):
        return np.full(len(clips), 0.2), np.full(len(clips), 0.8)


def test_a_teacher_is_believed_only_where_it_is_right():
    teacher = Teacher(ScriptedTeachers(), {"g1": 0.5, "g2": 0.25})
    batch = ClipBatch(np.zeros((2, 30, 136), np.float32), np.array([0.0, 1.0]))
    assert teacher.targets("g1", batch).tolist() == pytest.approx([0.1, 1.0])
    assert teacher.targets("g2", batch).tolist() == pytest.approx([0.0, 0.95])


def test_named_teachers_without_a_folder_are_an_input_error():
    with pytest.raises(InputError, match="--teachers"):
        make_teacher(CONFIG, None)


def test_a_small_source_is_heard_more_often_than_its_share(tracks, random):
    crowd = [
        LabelledTrack(f"c{n}", tracks[0].landmarks + n, False, f"c{n}", "crowd", "none")
        for n in range(100)
    ]
    sampler = ClipSampler([*tracks, *crowd], 30, CONFIG)
    chances = sampler._chances[0]
    assert chances[16:].sum() == pytest.approx(10 / (10 + 2 + 2), abs=1e-6)  # square roots


def test_standardisation_is_folded_into_the_saved_weights(tracks, random, tmp_path):
    sampler = ClipSampler(tracks, 30, CONFIG)
    for stream in ("g1", "g2"):
        trainer = StreamTrainer(stream, CONFIG, sampler)
        trainer.run(2)
        path = tmp_path / f"{stream}.weights.h5"
        trainer.save(path)
        plain = build_stream("C")
        plain.load_weights(path)
        drawn = sampler.draw(16, random).clips
        expected = trainer.probabilities(drawn)
        said = probability(fake_logits(plain, trainer.stream_values(drawn)))
        assert np.abs(said - expected).max() < 1e-3


def write_dataset(folder, tracks) -> None:
    for number, track in enumerate(tracks):
        part = "val" if number >= 12 else "train"
        label = "fake/swap" if track.fake else "real"
        path = folder / part / label / f"{track.group}_{number}.txt"
        write_landmarks(path, LandmarkTrack(track.landmarks, "normalized"))


def test_a_dataset_folder_is_read_with_its_labels(tmp_path, tracks):
    write_dataset(tmp_path / "own", tracks)
    read = read_landmark_folder(tmp_path / "own" / "val")
    assert [track.fake for track in read] == [False, False, True, True]
    assert {track.manipulation for track in read} == {"none", "swap"}
    assert {track.group for track in read} == {"g6", "g7"}
    assert read[0].dataset == "own"


def test_an_empty_dataset_folder_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="no landmark files"):
        read_landmark_folder(tmp_path)


@pytest.mark.parametrize("landmark_format", ["normalized", "aligned"])
def test_a_trained_set_can_be_used_at_once(tmp_path, monkeypatch, capsys, tracks, landmark_format):
    write_dataset(tmp_path / "own", tracks)
    config = {**CONFIG, "teachers": None, "steps": 4, "round_steps": 2, "batch_size": 8}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    output = tmp_path / "weights" / "mine"
    arguments = [
        "--config", tmp_path / "config.yaml", "--dataset", tmp_path / "own",
        "--output", output, "--format", landmark_format,
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["train", *map(str, arguments)])
    assert run_script("train", train.main) == 0
    entry = yaml.safe_load(capsys.readouterr().out)
    (tmp_path / "weights" / "manifest.yaml").write_text(yaml.safe_dump({"sets": entry}))
    measured = json.loads((output / "measured.json").read_text())
    assert set(measured["validation_auc"]) == {"all", "other"}
    from utils.classifiers import load_classifier

    manifest = read_manifest(tmp_path / "weights")
    classifier = load_classifier(manifest, "mine", tmp_path / "weights")
    assert classifier.format == landmark_format
    assert manifest_entry(parse_arguments([str(a) for a in arguments]), measured)


def test_training_without_data_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match=r"tracks\.csv: no such file"):
        read_track_archive(tmp_path)


def test_the_track_archive_is_read_as_its_readme_says():
    if not (TRAINING / "tracks.npz").is_file():
        pytest.skip(f"training material is missing: {TRAINING / 'tracks.npz'}")
    tracks = read_track_archive(TRAINING)
    assert len(tracks) == 285 and sum(track.fake for track in tracks) == 131
    assert sum(len(track.landmarks) for track in tracks) == 93_928
    assert max(np.abs(track.landmarks).max() for track in tracks) < 2
