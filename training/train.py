#!/usr/bin/env python3
"""Trains the two streams of a weight set: `python -m training.train -h`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from training.clip_sampler import ClipBatch, ClipSampler
from training.evaluate import split_scores
from training.labelled_tracks import (
    LabelledTrack,
    in_format,
    landmarks_in_format,
    long_enough,
    read_landmark_folder,
    read_track_archive,
    split_by_group,
)
from utils.console import run_script, say
from utils.errors import InputError
from utils.landmark_files.formats import NORMALIZED
from utils.network.clips import cut_clips, differences
from utils.shared import FAKE_THRESHOLD, LANDMARKS
from utils.weights.downloads import checksum
from utils.weights.sets import STREAMS, architectures

if TYPE_CHECKING:
    from utils.network.classifiers import Classifier


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="training.train", description=__doc__)
    add = parser.add_argument
    add("--config", type=Path, required=True, help="YAML, such as training/bundled.yaml")
    add("--tracks", type=Path, help="folder of tracks.csv and tracks.npz")
    add("--dataset", type=Path, help="folder of train/ (and val/), each with real/ and fake/")
    add("--output", type=Path, required=True, help="folder for g1, g2 and what was measured")
    add("--teachers", type=Path, help="folder of published sets, for the configuration's teachers")
    add("--format", choices=("normalized", "aligned"), default="normalized")
    add("--steps", type=int, help="overrides the configuration's")
    given = parser.parse_args(arguments)
    if given.tracks is None and given.dataset is None:
        parser.error("give --tracks, --dataset or both")
    return given


def read_data(
    given: argparse.Namespace, config: dict
) -> tuple[list[LabelledTrack], list[LabelledTrack]]:
    """Training and validation tracks, of the archive, the dataset or both.

    What shares a group with a validation track is not trained on.
    """
    training: list[LabelledTrack] = []
    held: list[LabelledTrack] = []
    if given.tracks:
        share = config["validation_share"]
        training, held = split_by_group(read_track_archive(given.tracks), share, config["seed"])
    if given.dataset:
        training = training + read_landmark_folder(given.dataset / "train")
        if (given.dataset / "val").exists():
            held = held + read_landmark_folder(given.dataset / "val")
    groups = {track.group for track in held}
    return [track for track in training if track.group not in groups], held


class Teacher:
    """Published sets that say, of each clip, what a stream should learn to say.

    They are believed where they are right; elsewhere the label is the target.

    Args:
        belief: stream -> weight of the teachers' word against the label, from 0 to 1.
    """

    def __init__(self, classifier: Classifier, belief: dict[str, float]) -> None:
        self._classifier = classifier
        self._belief = belief

    def targets(self, stream: str, batch: ClipBatch) -> np.ndarray:
        """The probability of fake (n,) that `stream` should give the clips of a batch."""
        said = self._classifier.stream_probabilities(batch.clips)[STREAMS.index(stream)]
        right = (said >= FAKE_THRESHOLD) == (batch.labels >= FAKE_THRESHOLD)
        belief = self._belief[stream] * right
        return belief * said + (1 - belief) * batch.labels


def make_teacher(config: dict, folder: Path | None) -> Teacher | None:
    """The configuration's teachers, or None where it names none.

    Raises:
        InputError: they are named, but not where they are, or cannot be had there.
    """
    if not config.get("teachers"):
        return None
    if folder is None:
        raise InputError("the configuration names teachers; say with --teachers where they are")
    from utils.network.classifiers import load_classifier
    from utils.weights.sets import read_manifest

    return Teacher(load_classifier(read_manifest(), config["teachers"], folder), config["belief"])


def stream_values(stream: str, clips: np.ndarray) -> np.ndarray:
    """What a stream reads of clips (n, frames, 136)."""
    return clips if stream == "g1" else differences(clips)


@dataclass
class Standing:
    """How far the training of a stream has come; `patience` is the rounds that are left to it."""

    patience: int
    history: list[dict[str, float]] = field(default_factory=list)
    best: float | None = None

    @property
    def steps(self) -> int:
        return int(self.history[-1]["steps"]) if self.history else 0


class StreamTrainer:
    """Trains one stream on standardised values, and folds the standardisation into its weights.

    What is learned from, such as differences of landmarks, is a hundredth of what initial weights
    are made for. The network therefore sees (values - mean) / deviation while it learns, with the
    deviation of what its first layer reads; afterwards the same numbers go into the input kernel
    and its bias, so that the saved stream reads plain values.
    """

    def __init__(
        self,
        stream: str,
        config: dict,
        sampler: ClipSampler,
        landmark_format: str = NORMALIZED,
        teacher: Teacher | None = None,
    ) -> None:
        from utils.network.two_stream import build_stream, keras, learned_from

        self._stream = stream
        self._config = config
        self._architecture = architectures(config["architecture"])[stream]
        self._sampler = sampler
        self._format = landmark_format
        self._teacher = teacher
        self._random = np.random.default_rng([config["seed"], STREAMS.index(stream)])
        keras.utils.set_random_seed(config["seed"] + STREAMS.index(stream))
        self.model = build_stream(self._architecture, units=config.get("units"))
        drawn = sampler.draw(512, self._random).clips
        sample = self.stream_values(self._in_format(drawn))
        self.mean = sample.mean(axis=(0, 1))
        learned = learned_from(self._architecture, sample)
        self.deviation = np.full_like(self.mean, learned.std(axis=(0, 1)).mean())
        steps = config["steps"]
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, steps, warmup_target=config["learning_rate"], warmup_steps=max(1, steps // 20)
        )
        self.model.compile(
            keras.optimizers.AdamW(schedule, weight_decay=config["weight_decay"], clipnorm=1.0),
            keras.losses.CategoricalCrossentropy(from_logits=True),
        )

    def _in_format(self, clips: np.ndarray) -> np.ndarray:
        frames = clips.reshape(-1, LANDMARKS, 2)
        return landmarks_in_format(frames, self._format).reshape(clips.shape)

    def stream_values(self, clips: np.ndarray) -> np.ndarray:
        return stream_values(self._stream, clips)

    def standardise(self, values: np.ndarray) -> np.ndarray:
        return (values - self.mean) / self.deviation

    def run(self, steps: int) -> float:
        """Takes `steps` steps; their mean loss."""
        losses, smoothing = [], self._config["label_smoothing"]
        for _ in range(steps):
            batch = self._sampler.draw(self._config["batch_size"], self._random)
            values = self.standardise(self.stream_values(self._in_format(batch.clips)))
            taught = self._teacher.targets(self._stream, batch) if self._teacher else batch.labels
            fake = (1 - smoothing) * taught + smoothing / 2
            targets = np.stack([1 - fake, fake], axis=1)
            losses.append(float(self.model.train_on_batch(values, targets)))
        return float(np.mean(losses))

    def probabilities(self, clips: np.ndarray) -> np.ndarray:
        """Of fake, for clips (n, frames, 136) in the stream's format."""
        from utils.network.classifiers import probability
        from utils.network.two_stream import fake_logits

        return probability(fake_logits(self.model, self.standardise(self.stream_values(clips))))

    def save(self, path: Path) -> None:
        """Writes the stream for plain values, in Keras' own weight format."""
        from utils.network.two_stream import build_stream, fold_standardisation

        plain = build_stream(self._architecture, units=self._config.get("units"))
        plain.set_weights(self.model.get_weights())
        fold_standardisation(plain, self.mean, self.deviation)
        plain.save_weights(path)

    def leave(self, path: Path, standing: Standing) -> None:
        """Writes all that a later run needs to go on as if this one had not ended."""
        model = path.with_name(f"{path.stem}-{standing.steps}.keras")
        self.model.save(model)
        content = {
            "config": self._config,
            "format": self._format,
            "model": model.name,
            "random": self._random.bit_generator.state,
            "standing": asdict(standing),
        }
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(content), encoding="utf-8")
        partial.replace(path)
        for older in path.parent.glob(f"{path.stem}-*.keras"):
            if older != model:
                older.unlink()

    def take_up(self, path: Path) -> Standing | None:
        """Where an interrupted run with the same configuration stood, or None."""
        from utils.network.two_stream import keras

        if not path.is_file():
            return None
        content = json.loads(path.read_text(encoding="utf-8"))
        if (content["config"], content["format"]) != (self._config, self._format):
            return None
        self.model = keras.saving.load_model(path.with_name(content["model"]))
        self._random.bit_generator.state = content["random"]
        standing = Standing(**content["standing"])
        say(f"{self._stream}: going on after {standing.steps} steps")
        return standing


def validation_auc(clip_scores: list[np.ndarray], tracks: list[LabelledTrack]) -> dict[str, float]:
    """Area under the ROC curve of videos' mean clip probability, over all and by dataset family.

    Empty where there are no tracks.
    """
    from sklearn.metrics import roc_auc_score

    if not tracks:
        return {}
    scores = np.array([of_track.mean() for of_track in clip_scores])
    labels = np.array([track.fake for track in tracks])
    ff = np.array([track.dataset.startswith("FF++") for track in tracks])
    parts = {"all": np.ones(len(tracks), bool), "FF++": ff, "other": ~ff}
    return {
        name: round(float(roc_auc_score(labels[part], scores[part])), 4)
        for name, part in parts.items()
        if len(set(labels[part])) == 2
    }


def train_stream(
    trainer: StreamTrainer, stream: str, config: dict, held: list[LabelledTrack], output: Path
) -> Standing:
    """Trains and saves one stream; the best round on the validation tracks is kept, or the last.

    What an interrupted run left in `output` is taken up at the end of its last round.
    """
    checkpoint, path = output / f"{stream}.checkpoint.json", output / f"{stream}.weights.h5"
    standing = trainer.take_up(checkpoint) or Standing(config["patience"])
    held_clips = [cut_clips(track.landmarks, config["clip_length"]) for track in held]
    while standing.steps < config["steps"] and standing.patience:
        steps = min(config["round_steps"], config["steps"] - standing.steps)
        loss = round(trainer.run(steps), 4)
        measured = validation_auc(split_scores(trainer.probabilities, held_clips), held)
        if standing.best is None or measured["all"] > standing.best:
            standing.best, standing.patience = measured.get("all"), config["patience"]
            trainer.save(path)
        else:
            standing.patience -= 1
        standing.history.append({"steps": standing.steps + steps, "loss": loss, **measured})
        trainer.leave(checkpoint, standing)
        say(f"{stream} {standing.history[-1]}")
    return standing


def saved_probabilities(
    output: Path, stream: str, config: dict, held: list[LabelledTrack]
) -> list[np.ndarray]:
    """What the saved stream, that of the best round, says of each track's clips."""
    from utils.network.classifiers import probability
    from utils.network.two_stream import build_stream, fake_logits

    model = build_stream(architectures(config["architecture"])[stream], units=config.get("units"))
    model.load_weights(output / f"{stream}.weights.h5")
    clips = [cut_clips(track.landmarks, config["clip_length"]) for track in held]
    return split_scores(
        lambda of: probability(fake_logits(model, stream_values(stream, of))), clips
    )


def train(given: argparse.Namespace) -> dict[str, Any]:
    """Trains both streams as the configuration says, and writes `measured.json` beside them."""
    config = yaml.safe_load(given.config.read_text(encoding="utf-8"))
    config["steps"] = given.steps or config["steps"]
    length = config["clip_length"]
    training, held = read_data(given, config)
    held = long_enough(held, length)
    teacher = make_teacher(config, given.teachers)
    say(f"{len(training)} tracks to train on, {len(held)} held out")
    sampler = ClipSampler(training, length, config)
    held = in_format(held, given.format)
    given.output.mkdir(parents=True, exist_ok=True)
    standings, said = {}, []
    for stream in STREAMS:
        trainer = StreamTrainer(stream, config, sampler, given.format, teacher)
        standings[stream] = train_stream(trainer, stream, config, held, given.output)
        if held:
            said.append(saved_probabilities(given.output, stream, config, held))
    measured: dict[str, Any] = {
        "config": config,
        "format": given.format,
        "held_out": sorted(track.name for track in held),
        "history": {stream: standing.history for stream, standing in standings.items()},
    }
    if held:
        both = [np.mean(streams, axis=0) for streams in zip(*said, strict=True)]
        measured["validation_auc"] = validation_auc(both, held)
        say(f"both streams {measured['validation_auc']}")
    (given.output / "measured.json").write_text(json.dumps(measured, indent=1), encoding="utf-8")
    for checkpoint in given.output.glob("*.checkpoint*"):
        checkpoint.unlink()
    return measured


def manifest_entry(given: argparse.Namespace, measured: dict[str, Any]) -> str:
    """What model_weights/manifest.yaml needs to know of the new set, as YAML."""
    config = measured["config"]
    files = {}
    for stream in STREAMS:
        path = given.output / f"{stream}.weights.h5"
        files[stream] = {
            "name": path.name,
            "size": path.stat().st_size,
            "sha256": checksum(path),
        }
    entry = {
        "format": given.format,
        "clip_length": config["clip_length"],
        "architecture": config["architecture"],
        "units": config["units"],
        "measured": f"validation AUC {measured.get('validation_auc', 'not measured')}",
        "files": files,
    }
    return yaml.safe_dump({given.output.name: entry}, sort_keys=False)


def main() -> int:
    given = parse_arguments()
    print(manifest_entry(given, train(given)), end="")
    return 0


if __name__ == "__main__":
    sys.exit(run_script("training.train", main))
