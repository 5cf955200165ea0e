"""Trains the support vector machines that `utils.kernel_machine` evaluates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from utils.kernel_machine import KernelMachine, standardise

RIDGE = 1.0  # added to the covariance within a class, times its mean variance


@dataclass(frozen=True)
class MachineRecipe:
    """How a machine is fitted.

    Attributes:
        c: what an error costs; gamma: of the kernel, over the number of figures.
        level_sources: whether `within_class_transform` comes first.
        blocks: how many figures of each kind follow on each other; kinds count the same, however
            many figures they have. Empty: all figures count the same.
        floor: added to each figure's deviation, so that a constant one can be divided by it.
    """

    c: float
    gamma: float
    level_sources: bool = False
    blocks: tuple[int, ...] = ()
    floor: float = 1e-9


def within_class_transform(
    points: np.ndarray, fake: np.ndarray, sources: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """The transform (figures, figures) by which directions count less in which sources of one
    class differ, as cameras and encoders do: within-class covariance normalization (Hatch,
    Kajarekar and Stolcke, 2006, there for speakers), with a ridge.

    Args:
        points: (n, figures), standardised; fake: (n,) bool; sources: (n,), a name of each.
        weights: (n,) of the points.
    """
    scatter = np.zeros((points.shape[1],) * 2)
    for label in (False, True):
        mean = np.average(points[fake == label], axis=0, weights=weights[fake == label])
        for source in np.unique(sources[fake == label]):
            of = (fake == label) & (sources == source)
            off = np.average(points[of], axis=0, weights=weights[of]) - mean
            scatter += weights[of].sum() * np.outer(off, off)
    scatter += RIDGE * np.trace(scatter) / len(scatter) * np.eye(len(scatter))
    values, vectors = np.linalg.eigh(scatter)
    transform = vectors / np.sqrt(values) @ vectors.T
    return transform / np.sqrt(np.square(points @ transform).mean())


def block_scale(blocks: tuple[int, ...]) -> np.ndarray:
    """Factors (figures,) by which each block of standardised figures has the same variance, all
    together that of as many figures."""
    each = sum(blocks) / len(blocks)
    return np.repeat(np.sqrt([each / size for size in blocks]), blocks)


def fit_machine(
    values: np.ndarray,
    fake: np.ndarray,
    recipe: MachineRecipe,
    weights: np.ndarray | None = None,
    sources: np.ndarray | None = None,
) -> KernelMachine:
    """A machine from values (n, figures) and labels (n,) bool.

    Args:
        weights: (n,) of the values, or None: all alike.
        sources: (n,), the name of each value's source; read where sources are levelled.
    """
    from sklearn.svm import SVC

    values = values.astype(np.float64)
    mean, deviation = np.nanmean(values, axis=0), np.nanstd(values, axis=0) + recipe.floor
    points, transform = standardise(values, mean, deviation), None
    if recipe.level_sources:
        assert sources is not None and weights is not None
        scale = block_scale(recipe.blocks or (points.shape[1],))
        transform = scale[:, None] * within_class_transform(points * scale, fake, sources, weights)
        points = points @ transform
    machine: Any = SVC(C=recipe.c, gamma=recipe.gamma / values.shape[1], cache_size=1000)
    machine.fit(points, fake, sample_weight=weights)
    return KernelMachine(
        mean,
        deviation,
        machine.support_vectors_,
        machine.dual_coef_[0],
        np.array(machine.gamma),
        np.array(machine.intercept_[0]),
        transform,
    )
