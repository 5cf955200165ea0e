import csv
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import yaml
from conftest import PROJECT, TRAINING

from training import cross_validate, train
from training.augmentation import at_other_rate, mirror, pseudo_fakes, smooth_fields, vary
from training.clip_sampler import ClipBatch, ClipSampler
from training.cross_validate import SPLITS
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
from utils.console import run_script
from utils.errors import InputError
from utils.landmark_files.text import LandmarkTrack, write_landmarks
from utils.network.classifiers import probability
from utils.network.two_stream import build_stream, fake_logits
from utils.weights.sets import read_manifest

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


@pytest.mark.parametrize("rate", [0.5, 1.4, 2])
def test_at_another_rate_motion_is_slower_or_faster(rate):
    landmarks = np.arange(80, dtype=np.float32)[:, None, None] * np.ones((68, 2), np.float32)
    clip = at_other_rate(landmarks, 3, rate, 30)
    assert clip.dtype == np.float32
    assert np.allclose(clip[:, 5, 1], 3 + rate * np.arange(30))


def test_a_clip_at_another_rate_may_end_with_the_track(clips):
    track = clips[0]
    assert np.allclose(at_other_rate(track, 0, 1, 30), track)


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
        make_teacher({**CONFIG, "teachers": "ensemble"}, None)


def test_a_small_source_is_heard_more_often_than_its_share(tracks, random):
    crowd = [
        LabelledTrack(f"c{n}", tracks[0].landmarks + n, False, f"c{n}", "crowd", "none")
        for n in range(100)
    ]
    sampler = ClipSampler([*tracks, *crowd], 30, CONFIG)
    chances = sampler._chances[0]
    assert chances[16:].sum() == pytest.approx(10 / (10 + 2 + 2), abs=1e-6)  # square roots


@pytest.mark.parametrize("architecture", ["C", "D", "E"])
def test_standardisation_is_folded_into_the_saved_weights(architecture, tracks, random, tmp_path):
    config = {**CONFIG, "architecture": architecture, "units": 16}
    sampler = ClipSampler(tracks, 30, config)
    for stream in ("g1", "g2"):
        trainer = StreamTrainer(stream, config, sampler)
        trainer.run(2)
        path = tmp_path / f"{stream}.weights.h5"
        trainer.save(path)
        plain = build_stream(architecture, units=16)
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
    from utils.network.classifiers import load_classifier

    manifest = read_manifest(tmp_path / "weights")
    classifier = load_classifier(manifest, "mine", tmp_path / "weights")
    assert classifier.format == landmark_format
    assert manifest_entry(parse_arguments([str(a) for a in arguments]), measured)


class Interrupted(Exception):
    pass


def train_once(tmp_path, monkeypatch, tracks, name: str, interrupt_after: int | None = None):
    """A short training run on a folder; the weights of g2, or None where it was interrupted."""
    if not (tmp_path / "own").exists():
        write_dataset(tmp_path / "own", tracks)
    config = {**CONFIG, "units": 8, "steps": 6, "round_steps": 2, "batch_size": 8}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    arguments = [
        "--config", tmp_path / "config.yaml", "--dataset", tmp_path / "own",
        "--output", tmp_path / name,
    ]  # fmt: skip
    rounds, run = [], StreamTrainer.run

    def run_or_stop(trainer, steps):
        if len(rounds) == interrupt_after:
            raise Interrupted
        rounds.append(steps)
        return run(trainer, steps)

    with monkeypatch.context() as patch:
        patch.setattr(StreamTrainer, "run", run_or_stop)
        try:
            train.train(parse_arguments([str(a) for a in arguments]))
        except Interrupted:
            return None
    model = build_stream("D", units=8)
    model.load_weights(tmp_path / name / "g2.weights.h5")
    return model.get_weights(), len(rounds)


def test_an_interrupted_training_goes_on_to_the_same_weights(tmp_path, monkeypatch, tracks):
    whole, rounds = train_once(tmp_path, monkeypatch, tracks, "whole")
    assert rounds == 6
    assert train_once(tmp_path, monkeypatch, tracks, "parts", interrupt_after=4) is None
    resumed, rounds = train_once(tmp_path, monkeypatch, tracks, "parts")
    assert rounds == 2
    for ours, theirs in zip(resumed, whole, strict=True):
        assert np.allclose(ours, theirs, atol=1e-6)
    assert not list((tmp_path / "parts").glob("*checkpoint*"))


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


def write_archive(folder, tracks) -> None:
    columns = ["id", "label", "group", "dataset", "manipulation", "fps"]
    with (folder / "tracks.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(columns)
        for track in tracks:
            label = "fake" if track.fake else "real"
            rows.writerow(
                [track.name, label, track.group, track.dataset, track.manipulation, track.fps]
            )
    whole = {
        track.name: np.rint(200 * track.landmarks).astype(np.int64).reshape(-1, 136)
        for track in tracks
    }
    np.savez(
        folder / "tracks.npz",
        **{name: np.diff(values, axis=0, prepend=0) for name, values in whole.items()},
    )


@pytest.mark.parametrize("split", ["group", "source", "manipulation"])
def test_no_held_out_group_is_trained_on(split, tracks):
    folds = list(SPLITS[split](tracks, 2, seed=0))
    assert folds
    for _, training, held in folds:
        assert training and held
        assert not {t.group for t in training} & {t.group for t in held}


def test_every_track_is_held_out_once(tracks):
    for split in ("group", "source"):
        held = [track.name for _, _, fold in SPLITS[split](tracks, 2, seed=0) for track in fold]
        assert sorted(held) == sorted(track.name for track in tracks)


def test_a_new_manipulation_was_never_trained_on(tracks):
    other = [replace(t, manipulation="y") if t.fake and t.dataset == "B" else t for t in tracks]
    for kind, training, held in SPLITS["manipulation"](other, 2, seed=0):
        assert kind not in {t.manipulation for t in training}
        assert {t.manipulation for t in held} == {kind, "none"}


def test_trembling_faces_are_told_from_steady_ones_by_cross_validation(
    tmp_path, monkeypatch, capsys, tracks
):
    write_archive(tmp_path, tracks)
    config = {**CONFIG, "steps": 40, "units": 16, "batch_size": 32}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    arguments = [
        "--config", tmp_path / "config.yaml", "--tracks", tmp_path,
        "--folds", 2, "--output", tmp_path / "figures.json",
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["cross_validate", *map(str, arguments)])
    assert run_script("cross_validate", cross_validate.main) == 0
    assert "| all | 8 / 16 |" in capsys.readouterr().out
    report = json.loads((tmp_path / "figures.json").read_text())
    assert report["pooled"]["both"]["all"]["auc"] > 0.9
