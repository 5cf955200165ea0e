#!/usr/bin/env python3
"""Trains the two streams of a weight set: `python -m training.train -h`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from training.clip_sampler import CLASSES, ClipBatch, ClipSampler
from training.configuration import networks_a_stream, networks_of, read_configuration
from training.labelled_tracks import LabelledTrack, read_archives, read_landmark_folder
from utils.console import notice, run_script
from utils.errors import InputError
from utils.network.clips import stream_values
from utils.shared import FAMILIES, VALUES_PER_FRAME
from utils.weights.downloads import checksum
from utils.weights.sets import STREAMS

SCALE_CLIPS = 512  # that the scales of a stream's values are measured on


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="training.train", description=__doc__)
    add = parser.add_argument
    add("--config", type=Path, required=True, help="YAML, such as training/bundled.yaml")
    add("--tracks", type=Path, help="folder of tracks_mediapipe.csv and .npz, tracks.csv and .npz")
    add("--dataset", type=Path, help="folder of train/ with real/ and fake/")
    add("--output", type=Path, required=True, help="folder for g1, g2 and how they were made")
    add("--streams", nargs="+", choices=STREAMS, default=STREAMS)
    add("--steps", type=int, help="overrides the configuration's")
    add("--seeds", type=int, nargs="+", help="of the networks to train, by default all")
    add("--scale", type=Path, help="JSON of training.figures: slope and offset of the log-odds")
    given = parser.parse_args(arguments)
    if given.tracks is None and given.dataset is None:
        parser.error("give --tracks, --dataset or both")
    return given


def read_dataset(
    folder: Path | None, config: dict, streams: Sequence[str] = STREAMS
) -> list[LabelledTrack]:
    """The tracks to train on of a folder such as `datasets/made`; none without one.

    Raises:
        InputError: none is named, and the configuration says that networks of these streams learn
            from it.
    """
    networks = [network for stream in streams for network in networks_of(config, stream)]
    if folder is None:
        if any(network.get("dataset") for network in networks):
            raise InputError("the configuration's networks learn from a --dataset; name it")
        return []
    if not any(network.get("dataset", True) for network in networks):
        notice(
            f"{folder}: not learned from beside --tracks; the configuration says `dataset: false`"
        )
    return read_landmark_folder(folder / "train")


def learned_by(
    network: dict, archived: list[LabelledTrack], dataset: list[LabelledTrack]
) -> list[LabelledTrack]:
    """What a network learns from: the archived tracks, but for what is left out, and the dataset
    where its configuration does not say `dataset: false`, or there is nothing else."""
    kept = [track for track in archived if track.name not in network["left_out"]]
    return kept + dataset if network.get("dataset", True) or not archived else kept


def family_targets(classes: np.ndarray, smoothing: float, real: float) -> np.ndarray:
    """What each family's output should say of clips of `CLASSES` (n,), and how much that counts.

    An output learns from real clips and those of its own family, half and half by weight.

    Args:
        smoothing: of the labels; real: the share of real clips in a batch.

    Returns:
        (n, 2 x families): targets, then weights.
    """
    own = classes[:, None] == np.arange(1, len(CLASSES))
    targets = np.where(own, 1 - smoothing / 2, smoothing / 2)
    from_real = (classes == 0)[:, None] * (0.5 / (real * len(FAMILIES)))
    return np.concatenate([targets, from_real + own * (0.5 / (1 - real))], axis=1).astype("f")


@dataclass
class TrainState:
    """How far the training of a stream has come."""

    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def steps(self) -> int:
        return int(self.history[-1]["steps"]) if self.history else 0


def principal_scaling(values: np.ndarray, emphasis: float) -> np.ndarray:
    """The linear map (136, 136) float32 that multiplies each principal component of values
    (n, 136) by its deviation to the power of `emphasis`, and brings values to unit deviation.

    With 0 all are scaled alike; with 1 what moves most counts more, and what moves least, most of
    which is the detector's noise, less.
    """
    wide = values.astype(np.float64)
    variances, axes = np.linalg.eigh(wide.T @ wide / len(wide))
    scaling = axes * np.maximum(variances, 0) ** (emphasis / 2) @ axes.T
    return (scaling / (wide @ scaling).std()).astype(np.float32)


class StreamTrainer:
    """Trains one stream on scaled values; see `principal_scaling`."""

    def __init__(self, stream: str, config: dict, sampler: ClipSampler) -> None:
        from utils.network.two_stream import build_stream, keras

        self._stream = stream
        self._config = config
        self._sampler = sampler
        self._random = np.random.default_rng([config["seed"], STREAMS.index(stream)])
        keras.utils.set_random_seed(config["seed"] + STREAMS.index(stream))
        keras.config.set_dtype_policy(config["precision"])
        try:
            self.model = build_stream(config["architecture"], units=config["units"])
        finally:
            keras.config.set_dtype_policy("float32")
        sample = [sampler.draw(SCALE_CLIPS // 4, self._random) for _ in range(4)]
        frames = [self._values(batch).reshape(-1, VALUES_PER_FRAME) for batch in sample]
        self.scaling = principal_scaling(np.concatenate(frames), config["emphasis"])
        steps = config["steps"]
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, steps, warmup_target=config["learning_rate"], warmup_steps=max(1, steps // 7)
        )
        optimizer = keras.optimizers.AdamW(
            schedule, weight_decay=config["weight_decay"], clipnorm=1.0
        )
        self.model.compile(optimizer, family_loss, jit_compile=False)

    def _values(self, batch: ClipBatch) -> np.ndarray:
        return stream_values(self._config["architecture"], self._stream, batch.clips)

    def seed(self, steps: int) -> None:
        """Begins a round: what dropout draws depends on the steps taken, not on what ran before."""
        from utils.network.two_stream import keras

        seed = self._config["seed"] + STREAMS.index(self._stream) + steps
        keras.utils.set_random_seed(seed)
        for number, layer in enumerate(self.model.layers):
            if isinstance(layer, keras.layers.Dropout):
                layer.seed_generator.state.assign([seed, number])

    def run(self, steps: int) -> float:
        """Takes `steps` steps; their mean loss."""
        losses = []
        config, gain = self._config, self._config["augmentation"]["gain"]
        for _ in range(steps):
            batch = self._sampler.draw(config["batch_size"], self._random)
            size = len(batch.classes)
            factors = np.exp(gain * self._random.standard_normal((size, 1, 1)))
            values = (self._values(batch) @ self.scaling * factors).astype(np.float32)
            targets = family_targets(
                batch.classes, config["label_smoothing"], config["sampling"]["real"]
            )
            losses.append(float(self.model.train_on_batch(values, targets)))
        return float(np.mean(losses))

    def logits(self, clips: np.ndarray) -> np.ndarray:
        """Log-odds of fake by family (n, families), for normalized clips (n, frames, 136)."""
        from utils.network.two_stream import fake_logits

        values = stream_values(self._config["architecture"], self._stream, clips)
        return fake_logits(self.model, values @ self.scaling)

    def finished(self, slope: float = 1.0, offset: float = 0.0):  # noqa: ANN201
        """The stream as a Keras model for plain values, that says slope x logit + offset."""
        from utils.network.two_stream import build_stream, fold_scales

        plain = build_stream(self._config["architecture"], units=self._config["units"])
        plain.set_weights(self.model.get_weights())
        fold_scales(plain, self.scaling, slope, offset)
        return plain

    def leave(self, path: Path, standing: TrainState) -> None:
        """Writes all that a later run needs to go on as if this one had not ended."""
        model = path.with_name(f"{path.stem}-{standing.steps}.keras")
        self.model.save(model)
        content = {
            "config": self._config,
            "model": model.name,
            "scaling": self.scaling.tolist(),
            "random": self._random.bit_generator.state,
            "standing": asdict(standing),
        }
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(content), encoding="utf-8")
        partial.replace(path)
        for older in path.parent.glob(f"{path.stem}-*.keras"):
            if older != model:
                older.unlink()

    def take_up(self, path: Path) -> TrainState:
        """Where an interrupted run with the same configuration stood, or the beginning."""
        from utils.network.two_stream import keras

        if not path.is_file():
            return TrainState()
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["config"] != self._config:
            return TrainState()
        self.model = keras.saving.load_model(path.with_name(content["model"]))
        self.scaling = np.array(content["scaling"], np.float32)
        self._random.bit_generator.state = content["random"]
        standing = TrainState(**content["standing"])
        notice(f"{self._stream}: going on after {standing.steps} steps")
        return standing


def family_loss(targets: Any, logits: Any) -> Any:
    """Weighted cross-entropy of each family's output; `targets` as `family_targets` makes them."""
    from keras import ops

    wanted, weights = ops.split(targets, 2, axis=1)
    losses = ops.maximum(logits, 0) - logits * wanted + ops.log1p(ops.exp(-ops.abs(logits)))
    return ops.sum(losses * weights, axis=1)


def _register_loss() -> None:
    from utils.network.two_stream import keras

    keras.saving.register_keras_serializable("lrnet")(family_loss)


def train_stream(trainer: StreamTrainer, name: str, config: dict, output: Path) -> TrainState:
    """Trains one stream; what an interrupted run left in `output` under `name` is taken up."""
    _register_loss()
    checkpoint = output / f"{name}.checkpoint.json"
    standing = trainer.take_up(checkpoint)
    while standing.steps < config["steps"]:
        trainer.seed(standing.steps)
        steps = min(config["round_steps"], config["steps"] - standing.steps)
        loss = round(trainer.run(steps), 4)
        standing.history.append({"steps": standing.steps + steps, "loss": loss})
        trainer.leave(checkpoint, standing)
        notice(f"{name} {standing.history[-1]}")
    return standing


def train(given: argparse.Namespace) -> dict[str, Any]:
    """Trains the streams as the configuration says, and writes `made.json` beside them."""
    from utils.network.two_stream import join_streams

    config = read_configuration(given.config, given.seeds, given.steps)
    networks_a_stream(config, given.streams)  # checked before hours of training, not after
    archived = read_archives(given.tracks) if given.tracks else []
    dataset = read_dataset(given.dataset, config, given.streams)
    given.output.mkdir(parents=True, exist_ok=True)
    scale: dict[str, float] = {}
    if given.scale:
        fitted = json.loads(given.scale.read_text(encoding="utf-8"))["scale"]
        scale = {"slope": fitted["slope"], "offset": fitted["offset"]}
    counts: dict[str, int] = {}
    history: dict[str, list] = {}
    for stream in given.streams:
        trained = []
        for network in networks_of(config, stream):
            name = f"{stream}-{network['name']}"
            tracks = learned_by(network, archived, dataset)
            counts[name] = len(tracks)
            notice(
                f"{name}: {len(tracks)} tracks, {sum(track.fake for track in tracks)} of them fake"
            )
            trainer = StreamTrainer(stream, network, ClipSampler(tracks, network))
            history[name] = train_stream(trainer, name, network, given.output).history
            trained.append(trainer.finished(**scale))
        model = join_streams(trained) if len(trained) > 1 else trained[0]
        model.save_weights(given.output / f"{stream}.weights.h5")
    made_by = given.output / "made.json"  # of the other stream, perhaps, trained at the same time
    made = json.loads(made_by.read_text(encoding="utf-8")) if made_by.is_file() else {}
    counts, history = made.get("tracks", {}) | counts, made.get("history", {}) | history
    made = {"config": config, "tracks": counts, "scale": scale, "history": history}
    made_by.write_text(json.dumps(made, indent=1), encoding="utf-8")
    for stream in given.streams:
        for checkpoint in given.output.glob(f"{stream}-*.checkpoint*"):
            checkpoint.unlink()
    return made


def manifest_entry(given: argparse.Namespace, made: dict[str, Any]) -> str:
    """What model_weights/manifest.yaml needs to know of the new set, as YAML."""
    config = made["config"]
    paths = [given.output / f"{stream}.weights.h5" for stream in STREAMS]
    files = {
        stream: {"name": path.name, "size": path.stat().st_size, "sha256": checksum(path)}
        for stream, path in zip(STREAMS, paths, strict=True)
        if path.is_file()
    }
    kept = ("clip_length", "shortest_clip", "architecture", "units")
    entry = {"format": "any", **{key: config[key] for key in kept}}
    entry |= {"networks": networks_a_stream(config, given.streams), "files": files}
    return yaml.safe_dump({given.output.name: entry}, sort_keys=False)


def choose_backend() -> None:
    """PyTorch, unless the user says otherwise: it trains faster on a CPU that has bf16."""
    os.environ.setdefault("KERAS_BACKEND", "torch")


def main() -> int:
    given = parse_arguments()
    choose_backend()
    print(manifest_entry(given, train(given)), end="")
    return 0


if __name__ == "__main__":
    sys.exit(run_script("training.train", main))
