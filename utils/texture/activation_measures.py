"""How much the activations of a landmark network's first layers change from frame to frame.

A network that was trained on many faces has filters for skin, lids and lips, at the resolution of
the video, where a patch of 56 pixels has lost part of what generators leave there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from .texture_rows import CHANNELS

_FLOOR = 1e-3  # of a change, which is some 0.2

NO_ACTIVATIONS = np.full(CHANNELS, np.nan, np.float16)


class ActivationMeter:
    """Measures one face frame by frame.

    Args:
        stride: of `TextureMeter`.
    """

    def __init__(self, stride: int = 1) -> None:
        self._before: deque[list[np.ndarray]] = deque(maxlen=stride)

    def reset(self) -> None:
        """The next frame does not follow on the last one."""
        self._before.clear()

    def measure(self, activations: Sequence[np.ndarray]) -> np.ndarray:
        """Log root mean square of the change of each channel, float16 (96,); NaN where the frame
        before is missing.

        Args:
            activations: of `LandmarkDetection`.
        """
        layers = [layer.reshape(-1, layer.shape[-1]) for layer in activations]
        before = self._before[0] if len(self._before) == self._before.maxlen else None
        self._before.append(layers)
        if before is None:
            return NO_ACTIVATIONS
        changes = [now - last for now, last in zip(layers, before, strict=True)]
        squares = [np.einsum("ij,ij->j", one, one) / len(one) for one in changes]
        return np.log(np.sqrt(np.concatenate(squares)) + _FLOOR).astype(np.float16)
