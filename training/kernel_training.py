"""Trains the support vector machines that `utils.kernel_machine` evaluates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from utils.kernel_machine import KernelMachine, standardise

RIDGE = 1.0  # added to the covariance within a class, times its mean variance


@dataclass(frozen=True)
class MachineRecipe:
    """How a machine is fitted.

    Attributes:
        c: what an error costs; gamma: of the kernel, over the number of figures, or of a group's.
        level_sources: whether `within_class_transform` comes first.
        kinds: of figures, in their order, each as the sizes of groups that follow on each other.
            Kinds count the same before sources are levelled, however many figures they have. Empty:
            all figures count the same, and are one group.
        kind_shares: of the kernel, of each kind.
        copy_weight: of a clip of a changed copy, beside one of the video itself.
        floor: added to each figure's deviation, so that a constant one can be divided by it.
    """

    c: float
    gamma: float
    level_sources: bool = False
    kinds: tuple[tuple[int, ...], ...] = ()
    kind_shares: tuple[float, ...] = ()
    copy_weight: float = 1.0
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


def kind_scale(sizes: Sequence[int]) -> np.ndarray:
    """Factors (figures,) by which kinds of so many standardised figures each have the same
    variance, all together that of as many figures."""
    each = sum(sizes) / len(sizes)
    return np.repeat(np.sqrt([each / size for size in sizes]), sizes)


def _kernel_arrays(recipe: MachineRecipe, figures: int) -> dict[str, np.ndarray]:
    """`gamma` of a machine's kernel and, where figures come in groups, `groups` and `shares`."""
    if not recipe.kinds:
        return {"gamma": np.array(recipe.gamma / figures)}
    sizes = np.concatenate(recipe.kinds)
    shares = [
        share / len(kind) for kind, share in zip(recipe.kinds, recipe.kind_shares, strict=True)
    ]
    return {
        "gamma": recipe.gamma / sizes,
        "groups": np.repeat(np.arange(len(sizes)), sizes),
        "shares": np.repeat(shares, [len(kind) for kind in recipe.kinds]),
    }


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
        scale = kind_scale([sum(kind) for kind in recipe.kinds] or [points.shape[1]])
        transform = scale[:, None] * within_class_transform(points * scale, fake, sources, weights)
        points = points @ transform
    kernel = _kernel_arrays(recipe, values.shape[1])
    none, zero = np.zeros(len(points)), np.zeros(())
    of_all = KernelMachine(
        mean, deviation, points, none, offset=zero, transform=transform, **kernel
    )
    machine: Any = SVC(C=recipe.c, kernel="precomputed", cache_size=1000)
    machine.fit(of_all.kernel(points), fake, sample_weight=weights)
    return replace(
        of_all,
        vectors=points[machine.support_],
        coefficients=machine.dual_coef_[0],
        offset=np.array(machine.intercept_[0]),
    )
