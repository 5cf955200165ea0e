"""The two-stream recurrent network: one stream reads landmarks, the other their differences.

LRNet, section 3.3. The two streams have separate weights. Three architectures were published (A, B,
C), both streams the same; D and E are the project's own, D for differences and E for landmarks.
`build_stream` makes any of them. This module imports Keras: import it only where one is needed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..shared import LANDMARKS, VALUES_PER_FRAME
from .backend import import_keras

keras = import_keras()
layers = keras.layers


@keras.saving.register_keras_serializable("lrnet")
class LearnedState(layers.Layer):
    """A trainable initial state (units,), the same for every clip of a batch."""

    def __init__(self, units: int, **options: object) -> None:
        super().__init__(**options)
        self.units = units

    def build(self, input_shape: tuple) -> None:
        self.state = self.add_weight(shape=(self.units,), initializer="zeros", name="state")

    def call(self, clips):  # noqa: ANN001, ANN201 - a tensor of whichever backend is in use
        batch = keras.ops.shape(clips)[0]
        return keras.ops.broadcast_to(self.state, (batch, self.units))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape[0], self.units

    def get_config(self) -> dict:
        return {**super().get_config(), "units": self.units}


def _drop_landmarks(clips, rate: float):  # noqa: ANN001, ANN202
    """Drops both coordinates of a landmark together, over all frames of a clip."""
    frames = clips.shape[1] if clips.shape[1] is not None else -1
    points = layers.Reshape((frames, LANDMARKS, 2))(clips)
    points = layers.Dropout(rate, noise_shape=(None, 1, LANDMARKS, 1), name="drop")(points)
    return layers.Reshape((frames, VALUES_PER_FRAME))(points)


def _dense_head(features, units: int):  # noqa: ANN001, ANN202
    hidden = layers.Dense(units, activation="relu", name="dense")(layers.Dropout(0.5)(features))
    return layers.Dense(2, name="logits")(layers.Dropout(0.5)(hidden))


def _architecture_a(clips, units: int):  # noqa: ANN001, ANN202
    """Bidirectional GRU, last state of each direction."""
    dropped = layers.Dropout(0.25)(clips)
    states = layers.Bidirectional(layers.GRU(units), name="gru")(dropped)
    return _dense_head(states, units)


def _architecture_b(clips, units: int):  # noqa: ANN001, ANN202
    """The output at the last time step: there the backward half has read one frame only."""
    dropped = _drop_landmarks(clips, 0.2)
    forward = layers.GRU(units, name="gru_forward")(dropped)
    backward = layers.GRU(units, name="gru_backward")(dropped[:, -1:])
    return _dense_head(layers.Concatenate()([forward, backward]), units)


def _architecture_c(clips, units: int):  # noqa: ANN001, ANN202
    """Bidirectional GRU from a learned initial state, then a residual block."""
    dropped = _drop_landmarks(clips, 0.1)
    starts = [
        LearnedState(units, name=f"initial_{direction}")(clips)
        for direction in ("forward", "backward")
    ]
    gru = layers.Bidirectional(layers.GRU(units), name="gru")
    states = layers.Dropout(0.5)(gru(dropped, initial_state=starts))
    hidden = layers.Dense(2 * units, activation="relu", name="residual_in")(states)
    hidden = layers.Dense(2 * units, name="residual_out")(layers.Dropout(0.5)(hidden))
    return layers.Dense(2, name="logits")(layers.Dropout(0.5)(layers.Add()([states, hidden])))


def _temporal_convolutions(moving, units: int):  # noqa: ANN001, ANN202
    """Residual temporal convolutions, then mean and deviation over the frames.

    The deviation over time is what tells trembling from motion.
    """
    values = layers.Dense(units, name="project")(_drop_landmarks(moving, 0.1))
    for depth in (1, 2, 3):
        found = layers.Conv1D(
            units, 5, padding="same", dilation_rate=depth, name=f"convolution_{depth}"
        )(values)
        found = layers.LayerNormalization(epsilon=1e-5, name=f"norm_{depth}")(found)
        found = layers.Dropout(0.3)(layers.Activation("gelu")(found))
        values = layers.Add()([values, found])
    mean = keras.ops.mean(values, axis=1)
    deviation = keras.ops.sqrt(keras.ops.var(values, axis=1) + 1e-4)
    pooled = layers.Dropout(0.3)(layers.Concatenate()([mean, deviation]))
    return layers.Dense(2, name="logits")(pooled)


def _less_mean(clips):  # noqa: ANN001, ANN202
    """Values less their mean over the clip."""
    return clips - keras.ops.mean(clips, axis=1, keepdims=True)


def _less_smooth_course(clips):  # noqa: ANN001, ANN202
    """Values less their smooth course over five frames; four frames fewer.

    Where landmarks lie and how a head turns says who it is, not whether the motion is real.
    """
    smooth = sum(
        weight / 16 * clips[:, start : start - 4 or None]
        for start, weight in enumerate((1, 4, 6, 4, 1))  # binomial
    )
    return clips[:, 2:-2] - smooth


# name -> how it is put together, and its units (of the published sets, where there are some)
ARCHITECTURES: dict[str, tuple[Callable, int]] = {
    "A": (_architecture_a, 64),
    "B": (_architecture_b, 64),
    "C": (_architecture_c, 32),
    "D": (_temporal_convolutions, 64),
    "E": (_temporal_convolutions, 64),
}
MOVING_PART = {"D": _less_mean, "E": _less_smooth_course}  # taken before anything is learned


def _moving_part(architecture: str, clips):  # noqa: ANN001, ANN202
    """What the first layer that learns reads of clips."""
    return MOVING_PART[architecture](clips) if architecture in MOVING_PART else clips


def build_stream(architecture: str, frames: int | None = None, units: int | None = None):  # noqa: ANN201
    """One stream: a Keras model from (batch, frames, 136) float32 to logits (batch, 2), real, fake.

    Args:
        architecture: `A` to `E`.
        frames: fixed number of frames of an input, or None for any.
        units: of the GRU, or channels of the convolutions; the architecture's own by default.
    """
    body, published_units = ARCHITECTURES[architecture]
    clips = keras.Input((frames, VALUES_PER_FRAME), name="clips")
    return keras.Model(clips, body(_moving_part(architecture, clips), units or published_units))


def learned_from(architecture: str, clips: np.ndarray) -> np.ndarray:
    """What the first layer that learns reads of clips (n, frames, 136); it may be fewer frames."""
    tensor = keras.ops.convert_to_tensor(clips)
    return keras.ops.convert_to_numpy(_moving_part(architecture, tensor))


def fold_standardisation(model, mean: np.ndarray, deviation: np.ndarray) -> None:  # noqa: ANN001
    """Makes a stream trained on (values - mean) / deviation read plain values; C, D and E.

    Args:
        model: as `build_stream` makes it; its input weights are changed.
        mean, deviation: (136,) float.
    """
    if any(layer.name == "project" for layer in model.layers):
        layer = model.get_layer("project")
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel / deviation[:, None], bias])  # D and E take the mean off
        return
    layer = model.get_layer("gru")
    weights = layer.get_weights()  # kernel, recurrent kernel, biases, of each direction
    for kernel in (0, 3):
        weights[kernel + 2][0] -= (mean / deviation) @ weights[kernel]
        weights[kernel] = weights[kernel] / deviation[:, None]
    layer.set_weights(weights)


def fake_logits(model, clips: np.ndarray, batch_size: int = 2048) -> np.ndarray:  # noqa: ANN001
    """Log-odds of "fake" for clips (n, frames, 136): float64 (n,)."""
    values = clips.astype(np.float32)
    batches = [
        np.asarray(model.predict_on_batch(values[first : first + batch_size]), np.float64)
        for first in range(0, len(values), batch_size)
    ]
    logits = np.concatenate(batches)
    return logits[:, 1] - logits[:, 0]
