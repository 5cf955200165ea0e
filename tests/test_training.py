import csv
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import yaml
from conftest import PROJECT, TRAINING

from training import cross_validate, evaluate, figures, train
from training.augmentation import (
    at_other_rate,
    mirror,
    pseudo_fakes,
    smooth_fields,
)
from training.clip_sampler import CLASSES, ClipSampler
from training.configuration import (
    networks_a_stream,
    networks_of,
    precision_of,
    read_configuration,
)
from training.cross_validate import deal, held_out, train_all, trained_on, unmeasured
from training.figures import Scale, ScoredTracks, auc_interval, fit_scale
from training.labelled_tracks import (
    LabelledTrack,
    family_of,
    read_archives,
    read_landmark_folder,
)
from training.train import (
    StreamTrainer,
    family_targets,
    learned_by,
    principal_scaling,
    read_dataset,
)
from utils.console import run_script
from utils.errors import InputError
from utils.landmark_files.header import LandmarkHeader
from utils.landmark_files.io import LandmarkTrack, write_landmarks
from utils.network.clips import stream_values
from utils.network.two_stream import build_stream, fake_logits, join_streams
from utils.run.executor import WorkerDied
from utils.shared import FAMILIES

CONFIG = yaml.safe_load((PROJECT / "training" / "bundled.yaml").read_text())
CONFIG |= {"seed": 7, "emphasis": 1.0}  # as of a network
KINDS = ("faceswap", "reenactment (FOMM)", "lipsync (Wav2Lip)", "talking head (FLOAT)")
SMALL = {
    "units": 8,
    "steps": 4,
    "round_steps": 2,
    "batch_size": 16,
    "precision": "float32",
    "networks": [{"seed": 7}, {"seed": 11, "emphasis": 0.0}],
    "dataset": False,
}


@pytest.fixture
def tracks(wandering_landmarks, random) -> list[LabelledTrack]:
    """Sixteen tracks of eight groups and four sources, of all families; the fake ones tremble."""
    made = []
    for number in range(16):
        fake = number % 2 == 1
        tremble = random.normal(0, 0.02, (90, 68, 2)) if fake else 0
        landmarks = (wandering_landmarks + tremble).astype(np.float32)
        kind = KINDS[number // 2 % 4] if fake else "none"
        source = f"S{number // 4}"
        made.append(
            LabelledTrack(f"t{number}", landmarks, fake, f"g{number // 2}", source, source, kind)
        )
    return made


@pytest.fixture
def clips(wandering_landmarks) -> np.ndarray:
    return np.stack([wandering_landmarks[:30], wandering_landmarks[40:70]]).astype(np.float32)


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


@pytest.mark.parametrize(
    ("manipulation", "family"),
    [
        ("faceswap (Deepfakes)", "swap"),
        ("reenactment+lipsync", "reenactment"),
        ("reenactment/talking (VLOGGER, diffusion)", "talking head"),
        ("talking head / dubbing (InfiniteTalk, diffusion)", "lip-sync"),
        ("talking head (FLOAT, flow matching, audio-driven)", "talking head"),
        ("something new", "swap"),
    ],
)
def test_every_manipulation_belongs_to_a_family(manipulation, family):
    assert family_of(manipulation) == family


def test_a_batch_has_real_clips_and_families_in_equal_parts(tracks, random):
    config = CONFIG | {"clip_lengths": [30]}
    batch = ClipSampler(tracks, config).draw(2000, random)
    assert batch.clips.shape == (2000, 30, 136)
    shares = np.bincount(batch.classes, minlength=len(CLASSES)) / 2000
    assert shares == pytest.approx([0.4, 0.15, 0.15, 0.15, 0.15], abs=0.04)


def test_a_batch_has_one_of_the_lengths(tracks, random):
    sampler = ClipSampler(tracks, CONFIG | {"clip_lengths": [30, 60]})
    assert {sampler.draw(4, random).clips.shape[1] for _ in range(20)} == {30, 60}


def test_sources_are_sampled_by_a_power_of_their_groups(tracks, random):
    """Source S0 has one real group, S9 four; at power 0.5 the ratio is two."""
    many = [replace(tracks[0], name=f"m{n}", group=f"m{n}", source="S9") for n in range(4)]
    for landmarks in (track.landmarks for track in many):
        landmarks[:] = 7  # to be known again
    real = [replace(tracks[0], landmarks=tracks[2].landmarks, group="only"), *many]
    options = {"real": 1.0, "source_power": 0.5, "dlib": 1.0, "pseudo_swaps": 0}
    config = CONFIG | {"sampling": options, "clip_lengths": [30]}
    batch = ClipSampler(real, config).draw(3000, random)
    often = (np.abs(np.abs(batch.clips) - 7) < 1e-3).all(axis=(1, 2)).mean()
    assert often == pytest.approx(2 / 3, abs=0.04)


def test_an_output_learns_from_real_clips_and_its_own_family_half_and_half():
    classes = np.array([0, 0, 1, 2, 3, 4, 0, 0])
    targets, weights = np.split(family_targets(classes, 0.1, 0.5), 2, axis=1)
    assert targets[2].tolist() == pytest.approx([0.95, 0.05, 0.05, 0.05])
    assert (weights[0] > 0).all() and (weights[2] > 0).tolist() == [True, False, False, False]
    assert weights[classes == 0].sum() == pytest.approx(weights[classes > 0].sum())


@pytest.mark.parametrize(("emphasis", "ratio"), [(0.0, 3), (1.0, 9), (-1.0, 1)])
def test_what_moves_more_is_emphasised_by_a_power_of_its_deviation(random, emphasis, ratio):
    deviations = np.where(np.arange(136) < 68, 3.0, 1.0)
    turn = np.linalg.qr(random.standard_normal((136, 136)))[0]
    values = random.standard_normal((20000, 136)) * deviations @ turn
    scaled = values @ principal_scaling(values, emphasis)
    assert scaled.std() == pytest.approx(1, rel=1e-3)
    parts = (scaled @ turn.T).std(axis=0)
    assert parts[:68].mean() / parts[68:].mean() == pytest.approx(ratio, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("emphasis", [0.0, 1.0])
@pytest.mark.parametrize("stream", ["g1", "g2"])
def test_a_saved_stream_reads_plain_values(tracks, clips, tmp_path, stream, emphasis):
    config = CONFIG | SMALL | {"emphasis": emphasis}
    trainer = StreamTrainer(stream, config, ClipSampler(tracks, config))
    trainer.run(2)
    path = tmp_path / "x.weights.h5"
    trainer.finished(slope=0.5, offset=-0.25).save_weights(path)
    plain = build_stream("convolutional", units=8)
    plain.load_weights(path)
    flat = clips.reshape(2, 30, 136)
    said = fake_logits(plain, stream_values("convolutional", stream, flat))
    assert said.shape == (2, len(FAMILIES))
    assert said == pytest.approx(0.5 * trainer.logits(flat) - 0.25, abs=1e-4)


def test_joined_streams_average_their_outputs(clips, tmp_path):
    streams = [build_stream("convolutional", units=8) for _ in range(2)]
    join_streams(streams).save_weights(tmp_path / "g1.weights.h5")
    joined = build_stream("convolutional", units=8, networks=2)
    joined.load_weights(tmp_path / "g1.weights.h5")
    flat = clips.reshape(2, 30, 136)
    each = [fake_logits(stream, flat) for stream in streams]
    assert np.abs(each[0] - each[1]).max() > 1e-3
    assert fake_logits(joined, flat) == pytest.approx(np.mean(each, axis=0), abs=1e-5)


def test_training_learns_to_detect_jitter(tracks, random):
    config = CONFIG | SMALL | {"steps": 60, "units": 16, "clip_lengths": [30]}
    sampler = ClipSampler(tracks, config)
    trainer = StreamTrainer("g2", config, sampler)
    trainer.run(60)
    batch = sampler.draw(200, random)
    fakest = trainer.logits(batch.clips).max(axis=1)
    assert fakest[batch.classes > 0].mean() > fakest[batch.classes == 0].mean() + 1


def run_module(monkeypatch, module, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, arguments)])
    return run_script(module.__name__, module.main)


@pytest.fixture
def dataset(tmp_path, tracks):
    """A folder of landmark files to train on."""
    folder = tmp_path / "data"
    for track in tracks:
        below = f"fake/{track.family}" if track.fake else "real"
        path = folder / "train" / below / f"{track.group}_{track.name}.txt"
        write_landmarks(
            path, LandmarkTrack(track.landmarks, "normalized", LandmarkHeader.parse({"fps": "25"}))
        )
    return folder


@pytest.fixture
def small_config(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(CONFIG | SMALL))
    return path


@pytest.mark.slow
def test_an_interrupted_training_comes_to_the_same_weights(
    monkeypatch, tmp_path, dataset, small_config
):
    arguments = "--config", small_config, "--dataset", dataset, "--streams", "g2"
    assert run_module(monkeypatch, train, *arguments, "--output", tmp_path / "whole") == 0

    def stop_after_a_round(self, path, standing):
        original(self, path, standing)
        raise KeyboardInterrupt

    original = StreamTrainer.leave
    monkeypatch.setattr(StreamTrainer, "leave", stop_after_a_round)
    assert run_module(monkeypatch, train, *arguments, "--output", tmp_path / "parts") == 130
    monkeypatch.setattr(StreamTrainer, "leave", original)
    assert run_module(monkeypatch, train, *arguments, "--output", tmp_path / "parts") == 0
    networks = []
    for folder in ("whole", "parts"):
        networks.append(build_stream("convolutional", units=8, networks=2))
        networks[-1].load_weights(tmp_path / folder / "g2.weights.h5")
    for one, other in zip(*(network.get_weights() for network in networks), strict=True):
        assert np.allclose(one, other, atol=1e-6)
    assert not list((tmp_path / "parts").glob("*.checkpoint*"))


@pytest.mark.parametrize(("has_bf16", "chosen"), [(True, "mixed_bfloat16"), (False, "float32")])
def test_a_training_computes_in_what_the_processor_is_fast_in(monkeypatch, has_bf16, chosen):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_bf16)
    assert precision_of("auto") == chosen and precision_of("float32") == "float32"


@pytest.mark.slow
def test_training_prints_the_sets_manifest_entry(
    monkeypatch, capsys, tmp_path, dataset, small_config
):
    output = tmp_path / "mine"
    run_module(
        monkeypatch, train, "--config", small_config, "--dataset", dataset, "--output", output
    )
    entry = yaml.safe_load(capsys.readouterr().out)["mine"]
    assert entry["architecture"] == "convolutional" and set(entry["files"]) == {"g1", "g2"}
    made = json.loads((output / "made.json").read_text())
    assert set(made["tracks"].values()) == {16} and made["history"]["g1-11"][-1]["steps"] == 4
    assert entry["networks"] == 2


def test_a_network_may_have_a_configuration_of_its_own():
    own = [{"seed": 7, "emphasis": 1.0}, {"seed": 23, "streams": ["g2"]}]
    config = {"units": 8, "emphasis": 0.0, "networks": own}
    assert networks_of(config, "g1") == [{"units": 8, "emphasis": 1.0, "seed": 7, "name": "7"}]
    assert [network["emphasis"] for network in networks_of(config, "g2")] == [1.0, 0.0]


def test_only_the_networks_of_the_wanted_seeds_are_trained(small_config):
    config = read_configuration(small_config, seeds=[11], steps=3)
    assert [network["seed"] for network in config["networks"]] == [11] and config["steps"] == 3
    with pytest.raises(InputError, match=r"small.yaml: no network has seed 5; .*\[7, 11\]"):
        read_configuration(small_config, seeds=[7, 5])


def test_a_set_has_as_many_networks_in_one_stream_as_in_the_other():
    both = {"networks": [{"seed": 7}, {"seed": 11}]}
    assert networks_a_stream(both, ["g1", "g2"]) == 2
    unlike = {"networks": [{"seed": 7}, {"seed": 11, "streams": ["g2"]}]}
    assert networks_a_stream(unlike, ["g2"]) == 2
    with pytest.raises(InputError, match="but there are 1 in g1, 2 in g2"):
        networks_a_stream(unlike, ["g1", "g2"])


def test_only_some_networks_learn_from_the_dataset_too(tracks):
    network = {"left_out": ["t0"]}
    dataset = [replace(track, name=f"made {track.name}") for track in tracks]
    assert learned_by(network, tracks, dataset) == tracks[1:] + dataset
    assert learned_by(network | {"dataset": False}, tracks, dataset) == tracks[1:]
    assert learned_by(network | {"dataset": False}, [], dataset) == dataset


def test_an_unused_dataset_is_reported(capsys, dataset):
    read_dataset(dataset, {"networks": [{"seed": 7, "dataset": False}]})
    assert "not learned from" in capsys.readouterr().err
    read_dataset(dataset, {"networks": [{"seed": 7, "dataset": False}, {"seed": 11}]})
    assert not capsys.readouterr().err


def test_a_dataset_that_a_network_needs_has_to_be_named():
    assert read_dataset(None, {"networks": [{"seed": 7}]}) == []
    with pytest.raises(InputError, match="learn from a --dataset; name it"):
        read_dataset(None, {"dataset": True, "networks": [{"seed": 7}]})


def test_a_dataset_is_needed_only_by_networks_of_the_streams_that_are_trained():
    config = {"dataset": True, "networks": [{"seed": 7, "streams": ["g2"]}]}
    assert read_dataset(None, config, ["g1"]) == []


def test_a_fold_learns_nothing_made_of_what_it_measures(tracks):
    held = [track for track in tracks if track.group == "g1"]
    learnt = unmeasured(tracks, held, 0, "source")
    assert {track.group for track in tracks} - {track.group for track in learnt} == {"g1"}
    assert FAMILIES[0] not in {track.family for track in unmeasured(tracks, held, 0, "family")}


@pytest.mark.parametrize("by", ["group", "source", "unseen-source"])
def test_nothing_is_on_both_sides_of_a_fold(tracks, by):
    fold = deal(tracks, by, 2)
    for number in (0, 1):
        held = [track for track, own in zip(tracks, fold, strict=True) if own == number]
        kept = [track for track, own in zip(tracks, fold, strict=True) if own != number]
        assert held and not {t.group for t in held} & {t.group for t in kept}
        if by != "group":
            assert not {t.source for t in held} & {t.source for t in kept}


def test_people_of_the_known_source_are_dealt_out(tracks):
    known = [replace(track, source="FF", dataset="FF++ c23") for track in tracks]
    assert len(set(deal(known, "source", 2))) == 2
    assert len(set(deal(known, "unseen-source", 2))) == 1


def test_a_fold_of_families_learns_nothing_of_what_it_measures(tracks):
    fold = held_out(tracks, "family", 2)
    measured = set()
    for number, family in enumerate(FAMILIES):
        held = [track for track, own in zip(tracks, fold, strict=True) if own == number]
        learnt = trained_on(tracks, fold, number, "family")
        kept = [track for track, known in zip(tracks, learnt, strict=True) if known]
        assert {track.family for track in held} <= {family, "real"}
        assert kept and family not in {track.family for track in kept}
        assert not {t.group for t in held} & {t.group for t in kept if not t.fake}
        measured |= {track.family for track in held}
    assert "real" in measured and len(measured) > 1


@pytest.mark.slow
def test_cross_validation_writes_the_scores_of_each_track(
    monkeypatch, tmp_path, small_config, tracks
):
    monkeypatch.setattr(cross_validate, "read_archives", lambda folder: tracks)
    monkeypatch.setattr(cross_validate, "WorkerProcesses", lambda workers: RunHere())
    output = tmp_path / "said.csv"
    arguments = "--config", small_config, "--tracks", tmp_path, "--folds", 2, "--output", output
    assert run_module(monkeypatch, cross_validate, *arguments) == 0
    rows = list(csv.DictReader(output.open()))
    assert [row["track"] for row in rows] == [track.name for track in tracks]
    assert all(np.isfinite(float(row["g1 swap"])) for row in rows)
    assert run_module(monkeypatch, figures, output, "--output", tmp_path / "f.json") == 0
    content = json.loads((tmp_path / "f.json").read_text())
    assert content["parts"]["all"]["tracks"] == 16 and content["scale"]["slope"] != 0


class RunHere:
    """An executor without processes; `results` take the place of the jobs' own."""

    def __init__(self, results=None) -> None:
        self.results = results

    def run(self, work, jobs, start):
        return self.results or [(job, work(job)) for job in jobs]


def test_a_training_that_kills_its_process_is_reported(monkeypatch, tmp_path):
    died = [((None, tmp_path / "g2_fold0_seed7.npz"), WorkerDied("SIGKILL, out of memory?"))]
    monkeypatch.setattr(cross_validate, "WorkerProcesses", lambda workers: RunHere(died))
    with pytest.raises(InputError, match=r"g2_fold0_seed7: its training ended .*out of memory"):
        train_all([], 1)


@pytest.mark.slow
def test_a_finished_set_is_measured_on_a_folder(monkeypatch, capsys, tmp_path, dataset):
    output = tmp_path / "said.csv"
    arguments = "--dataset", dataset / "train", "--weights", "bundled", "--output", output
    assert run_module(monkeypatch, evaluate, *arguments) == 0
    assert "| all | 8 / 16 |" in capsys.readouterr().out
    assert len(list(csv.DictReader(output.open()))) == 16


def scored(fake, evidence, groups: list[str], weaker=None) -> ScoredTracks:
    rows = [{"group": group} for group in groups]
    values = np.array(evidence, float)
    return ScoredTracks(rows, np.array(fake), values, values if weaker is None else weaker)


def test_the_interval_holds_the_area_and_is_wider_where_groups_are_alike(random):
    fake = np.arange(160) % 16 < 8
    evidence = fake + np.repeat(random.normal(0, 1, 20), 8)  # a group's tracks have one evidence
    alone = auc_interval(scored(fake, evidence, [str(n) for n in range(160)]))
    by_group = auc_interval(scored(fake, evidence, [str(n // 8) for n in range(160)]))
    assert alone[0] < figures.auc(fake, evidence) < alone[1]
    assert by_group[1] - by_group[0] > 1.5 * (alone[1] - alone[0])


def test_the_scale_calls_few_real_tracks_fake(random):
    fake = random.random(400) < 0.5
    tracks = scored(fake, 2 * fake + random.normal(0, 1, 400), ["g"] * 400)
    called_fake, called_real = fit_scale(tracks).labels(tracks)
    assert called_fake[~fake].mean() <= 0.055
    decided = called_fake | called_real
    assert (called_fake == fake)[decided].mean() >= 0.85
    assert decided.mean() > 0.3


def test_the_scale_shrinks_with_fewer_groups_and_keeps_one_half(random):
    fake = random.random(240) < 0.5
    of_group = np.repeat(random.normal(0, 1, 12), 20)
    evidence = 1.5 * fake + of_group + random.normal(0, 0.5, 240)
    few = fit_scale(scored(fake, evidence, [str(n // 20) for n in range(240)]))
    many = fit_scale(scored(fake, evidence, [str(n) for n in range(240)]))
    assert 0 < few.slope < many.slope
    assert few.offset / few.slope == pytest.approx(many.offset / many.slope)


def test_a_fake_must_be_one_in_each_stream():
    tracks = scored([True] * 3, [3.0, 3.0, -3.0], ["g"] * 3, weaker=np.array([2.0, 0.0, -4.0]))
    called_fake, called_real = Scale(unclear=(0.3, 0.7)).labels(tracks)
    assert called_fake.tolist() == [True, False, False]
    assert called_real.tolist() == [False, False, True]


def test_without_a_band_everything_is_decided():
    tracks = scored([True, False, True], [-2.0, -0.1, 0.1], ["g"] * 3)
    called_fake, called_real = Scale().labels(tracks)
    assert called_fake.tolist() == [False, False, True] == (~called_real).tolist()


def test_label_group_and_manipulation_come_from_file_names(tmp_path, wandering_landmarks):
    track = LandmarkTrack(
        wandering_landmarks, "normalized", LandmarkHeader.parse({"fps": "30", "eye_pixels": "61.5"})
    )
    write_landmarks(tmp_path / "train" / "real" / "000_a.txt", track)
    write_landmarks(tmp_path / "train" / "fake" / "faceswap" / "000_003.txt", track)
    real, fake = read_landmark_folder(tmp_path / "train")
    assert (real.fake, real.group, real.family, real.fps) == (False, "000", "real", 30)
    assert (fake.fake, fake.group, fake.manipulation) == (True, "000", "faceswap")
    assert fake.eye_pixels == 61.5


def test_an_empty_folder_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="no landmark files"):
        read_landmark_folder(tmp_path)
    with pytest.raises(InputError, match=r"neither tracks\.csv nor"):
        read_archives(tmp_path)


@pytest.mark.slow
def test_both_archives_are_read():
    if not (TRAINING / "tracks_mediapipe.csv").exists():
        pytest.skip(f"training material is missing: {TRAINING}")
    tracks = read_archives(TRAINING)
    by_detector = {
        name: [t for t in tracks if t.detector == name] for name in ("dlib", "mediapipe")
    }
    assert {name: len(of) for name, of in by_detector.items()} == {"dlib": 285, "mediapipe": 591}
    assert sum(track.fake for track in by_detector["mediapipe"]) == 308
    assert all(np.abs(track.landmarks).max() < 2.5 for track in tracks)
    assert {track.family for track in tracks} == set(CLASSES)
