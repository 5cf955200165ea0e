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
class KernelMachine:
    """f(x) = sum of coefficients * exp(-gamma |x - vector|^2) + offset (Cortes and Vapnik, 1995),
    for standardised x, cut at four deviations and, where there is one, carried by a transform.

    Attributes:
        mean, deviation: (figures,) of the training clips.
        vectors: (n, figures), support vectors, standardised and carried; coefficients: (n,).
        gamma, offset: scalars, as arrays ().
        transform: (figures, figures), or None.
    """

    mean: np.ndarray
    deviation: np.ndarray
    vectors: np.ndarray
    coefficients: np.ndarray
    gamma: np.ndarray
    offset: np.ndarray
    transform: np.ndarray | None = None

    @cached_property
    def _vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """The support vectors, and their squared lengths: in float64, since distances are small
        differences of large numbers and a thousand of them are summed."""
        vectors = self.vectors.astype(float)
        return vectors, np.square(vectors).sum(axis=1)

    def __call__(self, figures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The decision values (n,) of clips, higher for fake, and how like the most similar support
        vector each clip is: the largest kernel value (n,), 1 for a clip that was learned."""
        points = standardise(figures, self.mean, self.deviation).astype(float)
        if self.transform is not None:
            points = points @ self.transform
        vectors, lengths = self._vectors
        squares = np.square(points).sum(axis=1)[:, None] + lengths
        # a look at a face is one point: not worth waking the threads of BLAS beside a decoder
        several = len(points) > 1
        products = points @ vectors.T if several else np.einsum("ij,kj->ik", points, vectors)
        distances = np.maximum(squares - 2 * products, 0)
        kernel = np.exp(-float(self.gamma) * distances)
        return kernel @ self.coefficients + float(self.offset), kernel.max(axis=1)


def save_kernel_machine(path: Path, machine: KernelMachine) -> None:
    """Writes a machine; vectors in float16, whose rounding moves a decision by about 0.001."""
    optional: dict[str, Any] = (
        {} if machine.transform is None else {"transform": np.float32(machine.transform)}
    )
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
    names = [field.name for field in fields(KernelMachine)]
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(one.file_size for one in archive.infolist()) > MAX_WEIGHT_BYTES:
                raise ValueError("larger than any of its kind")
        with np.load(path, allow_pickle=False) as content:
            if "transform" not in content:
                names.remove("transform")
            arrays = {name: content[name] for name in names}
        count, width = arrays["vectors"].shape
        figures = width if figures is None else figures
        shapes = [(figures,), (figures,), (count, figures), (count,), (), (), (figures, figures)]
        if [array.shape for array in arrays.values()] != shapes[: len(names)]:
            raise ValueError("arrays that do not fit each other")
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise ValueError("NaN or infinite numbers")
        machine = KernelMachine(**arrays)
    except ZIP_ERRORS as error:
        raise InputError(f"{path}: not a kernel machine ({error})") from None
    return machine
