"""Trains the support vector machines that `utils.kernel_machine` evaluates."""

from __future__ import annotations

from typing import Any

import numpy as np

from utils.kernel_machine import KernelMachine, standardise


def fit_machine(
    values: np.ndarray,
    fake: np.ndarray,
    c: float,
    gamma: float,
    floor: float,
    weights: np.ndarray | None = None,
) -> KernelMachine:
    """A machine from values (n, figures) and labels (n,) bool.

    Args:
        c, gamma: of the machine; gamma over the number of figures.
        floor: added to each figure's deviation, so that a constant one can be divided by it.
        weights: (n,) of the values, or None: all alike.
    """
    from sklearn.svm import SVC

    values = values.astype(np.float64)
    mean, deviation = np.nanmean(values, axis=0), np.nanstd(values, axis=0) + floor
    machine: Any = SVC(C=c, gamma=gamma / values.shape[1], cache_size=1000)
    machine.fit(standardise(values, mean, deviation), fake, sample_weight=weights)
    return KernelMachine(
        mean,
        deviation,
        machine.support_vectors_,
        machine.dual_coef_[0],
        np.array(machine.gamma),
        np.array(machine.intercept_[0]),
    )
