"""Attribution for the third stream: how much each field of the face contributes."""

from __future__ import annotations

import numpy as np

from ..kernel_machine import KernelMachine
from .clip_figures import COLUMNS, FIELD_OF_FIGURE
from .texture_rows import GRID


def field_weights(machine: KernelMachine, figures: np.ndarray) -> np.ndarray:
    """How much each field moves the mean decision of clips: (7, 7), above 0 towards fake.

    A field's weight is the decision less what it would be if that field looked as the training's
    mean (occlusion, Zeiler and Fergus, 2014).

    Args:
        figures: (clips, figures) of `clip_figures.texture_figures`.
    """
    said = machine(figures)[0].mean()
    fields = GRID * COLUMNS
    changed = np.repeat(figures[None], fields, axis=0)
    for field in range(fields):
        of_field = field == FIELD_OF_FIGURE
        changed[field][:, of_field] = machine.mean[of_field]
    without = machine(changed.reshape(-1, figures.shape[1]))[0].reshape(fields, -1).mean(axis=1)
    half = (said - without).reshape(GRID, COLUMNS)
    return np.concatenate([half, half[:, GRID // 2 - 1 :: -1]], axis=1)
