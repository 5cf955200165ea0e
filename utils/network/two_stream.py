"""The two-stream networks in Keras: one stream reads landmarks, the other their differences.

LRNet, section 3.3. The two streams have separate weights. Three architectures were published, all
recurrent; the convolutional one is the project's own. `build_stream` makes any of them, for what
`utils.network.clips` says that the architecture reads. This module imports Keras: import it only
where a network of Keras' is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..shared import FAMILIES, LANDMARKS, VALUES_PER_FRAME
from ..weights.sets import CONVOLUTIONAL, GRU, GRU_LAST_STEP, GRU_RESIDUAL
from .backend import import_keras
from .convolutional import CONVOLUTIONAL_UNITS

keras = import_keras()
layers = keras.layers


@keras.saving.register_keras_serializable("lrnet")
class LearnedState(layers.Layer):  # type: ignore[name-defined]
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


def _gru(clips, units: int):  # noqa: ANN001, ANN202
    """Bidirectional GRU, last state of each direction."""
    dropped = layers.Dropout(0.25)(clips)
    states = layers.Bidirectional(layers.GRU(units), name="gru")(dropped)
    return _dense_head(states, units)


def _gru_last_step(clips, units: int):  # noqa: ANN001, ANN202
    """The output at the last time step: there the backward half has read one frame only."""
    dropped = _drop_landmarks(clips, 0.2)
    forward = layers.GRU(units, name="gru_forward")(dropped)
    backward = layers.GRU(units, name="gru_backward")(dropped[:, -1:])
    return _dense_head(layers.Concatenate()([forward, backward]), units)


def _gru_residual(clips, units: int):  # noqa: ANN001, ANN202
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


def _convolutional(values, units: int):  # noqa: ANN001, ANN202
    """Residual temporal convolutions, mean and deviation over the frames, an output a family.

    The deviation over time separates jitter from motion. Each output is trained on real
    faces and the fakes of one family (`utils.shared.FAMILIES`).
    """
    hidden = layers.Dense(units, name="project")(values)
    for depth in (1, 2, 3):
        found = layers.Conv1D(
            units, 5, padding="same", dilation_rate=depth, name=f"convolution_{depth}"
        )(hidden)
        found = layers.LayerNormalization(epsilon=1e-5, name=f"norm_{depth}")(found)
        found = layers.Dropout(0.3)(layers.Activation("gelu")(found))
        hidden = layers.Add()([hidden, found])
    hidden = layers.Activation("linear", dtype="float32", name="wide")(hidden)
    mean = keras.ops.mean(hidden, axis=1)
    deviation = keras.ops.sqrt(keras.ops.var(hidden, axis=1) + 1e-4)
    pooled = layers.Dropout(0.3)(layers.Concatenate()([mean, deviation]))
    return layers.Dense(len(FAMILIES), name="families", dtype="float32")(pooled)


# name -> how it is put together, and its units (of the published sets, where there are some)
BUILDERS: dict[str, tuple[Callable, int]] = {
    GRU: (_gru, 64),
    GRU_LAST_STEP: (_gru_last_step, 64),
    GRU_RESIDUAL: (_gru_residual, 32),
    CONVOLUTIONAL: (_convolutional, CONVOLUTIONAL_UNITS),
}


def build_stream(  # noqa: ANN201
    architecture: str, frames: int | None = None, units: int | None = None, networks: int = 1
):
    """One stream: a Keras model from values (batch, frames, 136) float32 to logits.

    Recurrent ones end in logits (batch, 2), real and fake; the convolutional one in the log-odds of
    fake of each family.

    Args:
        architecture: one of `utils.weights.sets.ARCHITECTURES`.
        frames: fixed number of frames of an input, or None for any.
        units: of the GRU, or channels of the convolutions; the architecture's own by default.
        networks: that answer with the mean of their logits.
    """
    if networks > 1:
        return join_streams([build_stream(architecture, frames, units) for _ in range(networks)])
    body, published_units = BUILDERS[architecture]
    values = keras.Input((frames, VALUES_PER_FRAME), name="values")
    return keras.Model(values, body(values, units or published_units))


def join_streams(streams: Sequence):  # noqa: ANN201 - Keras models
    """One stream that answers with the mean of what `streams` say."""
    values = keras.Input(streams[0].input_shape[1:], name="values")
    said = [
        keras.Model(stream.input, stream.output, name=f"network_{number}")(values)
        for number, stream in enumerate(streams, 1)
    ]
    return keras.Model(values, layers.Average(name="mean")(said))


def fold_scales(model, scaling: np.ndarray, slope: float, offset: float) -> None:  # noqa: ANN001
    """Makes a convolutional stream that was trained on values @ scaling read plain values, and
    answer slope x logit + offset.

    Args:
        model: its first and last weights are changed.
        scaling: (136, 136).
    """
    project, families = model.get_layer("project"), model.get_layer("families")
    kernel, bias = project.get_weights()
    project.set_weights([scaling @ kernel, bias])
    kernel, bias = families.get_weights()
    families.set_weights([kernel * slope, bias * slope + offset])


def fake_logits(model, values: np.ndarray, batch_size: int = 1024) -> np.ndarray:  # noqa: ANN001
    """Log-odds of "fake" for values (n, frames, 136): float64 (n, families), or (n, 1) of a
    published architecture."""
    inputs = values.astype(np.float32)
    batches = [
        np.asarray(model.predict_on_batch(inputs[first : first + batch_size]), np.float64)
        for first in range(0, len(inputs), batch_size)
    ]
    logits = np.concatenate(batches)
    return logits if logits.shape[1] > 2 else logits[:, 1:] - logits[:, :1]
