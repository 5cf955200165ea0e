"""A support vector machine with a Gaussian kernel, evaluated in plain NumPy."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .errors import ZIP_ERRORS, InputError
from .limits import MAX_WEIGHT_BYTES

CUT_AT = 4.0  # deviations from the mean, beyond which a figure says no more


def standardise(figures: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Figures (n, figures) as the kernel reads them, in deviations from the mean; NaN counts as
    the mean, what lies far out as four deviations."""
    scaled = (figures - mean) / deviation
    return np.clip(np.nan_to_num(scaled, nan=0.0, posinf=CUT_AT, neginf=-CUT_AT), -CUT_AT, CUT_AT)


@dataclass(frozen=True)
class _Part:
    """The kernel of a group of figures: those of its support vectors (n, figures of the group), in
    float64, since distances are small differences of large numbers and a thousand of them are
    summed."""

    share: float
    gamma: float
    of: slice | np.ndarray
    vectors: np.ndarray

    @cached_property
    def _lengths(self) -> np.ndarray:
        """(n,), squared, of the vectors."""
        return np.square(self.vectors).sum(axis=1)

    def kernel(self, points: np.ndarray) -> np.ndarray:
        """share * exp(-gamma |point - vector|^2), (m, n), of points (m, all figures)."""
        own = points[:, self.of]
        squares = np.square(own).sum(axis=1)[:, None] + self._lengths
        # a look at a face is one point: not worth waking the threads of BLAS beside a decoder
        several = len(own) > 1
        products = own @ self.vectors.T if several else np.einsum("ij,kj->ik", own, self.vectors)
        return self.share * np.exp(-self.gamma * np.maximum(squares - 2 * products, 0))


@dataclass(frozen=True)
class KernelMachine:
    """f(x) = sum of coefficients * kernel(x, vector) + offset (Cortes and Vapnik, 1995), for
    standardised x, cut at four deviations and, where there is one, carried by a transform.

    The kernel is exp(-gamma |x - vector|^2) or, where figures come in groups, the sum over groups
    of share * exp(-gamma |difference in that group|^2): an additive kernel (Duvenaud, Nickisch and
    Rasmussen, 2011), by which what is learned of one group holds whatever the others are like.

    Attributes:
        mean, deviation: (figures,) of the training clips.
        vectors: (n, figures), support vectors, standardised and carried; coefficients: (n,).
        gamma: a scalar, as an array (), or (groups,); offset: as an array ().
        transform: (figures, figures), or None.
        groups: (figures,), the group of each figure from 0, or None; shares: (groups,), 1 together.
    """

    mean: np.ndarray
    deviation: np.ndarray
    vectors: np.ndarray
    coefficients: np.ndarray
    gamma: np.ndarray
    offset: np.ndarray
    transform: np.ndarray | None = None
    groups: np.ndarray | None = None
    shares: np.ndarray | None = None

    @cached_property
    def _parts(self) -> list[_Part]:
        """One for each group, or one for all figures."""
        vectors = self.vectors.astype(float)
        if self.groups is None or self.shares is None:
            return [_Part(1.0, float(self.gamma), slice(None), vectors)]
        members = [np.flatnonzero(self.groups == group) for group in range(len(self.shares))]
        return [
            _Part(float(share), float(gamma), of, vectors[:, of])
            for share, gamma, of in zip(self.shares, self.gamma, members, strict=True)
        ]

    def __call__(self, figures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The decision values (n,) of clips, higher for fake, and how like the most similar support
        vector each clip is: the largest kernel value (n,), 1 for a clip that was learned."""
        points = standardise(figures, self.mean, self.deviation).astype(float)
        if self.transform is not None:
            points = points @ self.transform
        kernel = self.kernel(points)
        return kernel @ self.coefficients + float(self.offset), kernel.max(axis=1)

    def kernel(self, points: np.ndarray) -> np.ndarray:
        """The kernel (n, vectors) of points (n, figures) that are standardised and carried."""
        total = np.zeros((len(points), len(self.vectors)))
        for part in self._parts:
            total += part.kernel(points)
        return total


def save_kernel_machine(path: Path, machine: KernelMachine) -> None:
    """Writes a machine; vectors in float16, whose rounding moves a decision by about 0.001."""
    optional: dict[str, Any] = {}
    if machine.transform is not None:
        optional["transform"] = machine.transform.astype(np.float32)
    if machine.groups is not None and machine.shares is not None:
        optional |= {"groups": machine.groups.astype(np.int16), "shares": machine.shares}
    np.savez_compressed(
        path,
        mean=machine.mean.astype(np.float32),
        deviation=machine.deviation.astype(np.float32),
        vectors=machine.vectors.astype(np.float16),
        coefficients=machine.coefficients.astype(np.float32),
        gamma=np.float64(machine.gamma),
        offset=np.float64(machine.offset),
        **optional,
    )


def load_kernel_machine(path: Path, figures: int | None = None) -> KernelMachine:
    """Reads what `save_kernel_machine` wrote; nothing in it is executed.

    Args:
        figures: how many the machine must read, where that is known.

    Raises:
        InputError: the file is no such file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(one.file_size for one in archive.infolist()) > MAX_WEIGHT_BYTES:
                raise ValueError("larger than any of its kind")
        with np.load(path, allow_pickle=False) as content:
            names = [field.name for field in fields(KernelMachine) if field.name in content]
            machine = KernelMachine(**{name: content[name] for name in names})
        _check(machine, figures)
    except ZIP_ERRORS as error:
        raise InputError(f"{path}: not a kernel machine ({error})") from None
    return machine


def _check(machine: KernelMachine, figures: int | None) -> None:
    """Raises ValueError where a machine's arrays do not fit each other, or its figures so many."""
    arrays = {name: array for name, array in vars(machine).items() if array is not None}
    count, width = machine.vectors.shape
    if figures not in (None, width):
        raise ValueError(f"{width} figures in place of {figures}")
    parts: tuple[int, ...] = ()
    if machine.groups is not None:
        parts = (int(machine.groups.max(initial=-1)) + 1,)
        of_integers = machine.groups.dtype.kind == "i" and machine.groups.min(initial=0) >= 0
        if not of_integers or parts[0] > width:
            raise ValueError("groups that are none")
    shapes = {"mean": (width,), "deviation": (width,), "vectors": (count, width)}
    shapes |= {"coefficients": (count,), "gamma": parts, "offset": ()}
    shapes |= {"transform": (width, width), "groups": (width,), "shares": parts}
    if any(array.shape != shapes[name] for name, array in arrays.items()):
        raise ValueError("arrays that do not fit each other")
    if (machine.groups is None) != (machine.shares is None):
        raise ValueError("groups without shares, or shares without groups")
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ValueError("NaN or infinite numbers")
