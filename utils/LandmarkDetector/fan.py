"""FAN (Bulat and Tzimiropoulos, ICCV 2017), 2-D, from the package `face-alignment`.

The package's crop and its way from heat maps to the frame are called as they are; what differs is
that the faces of several frames, and their mirror images, go through the network in one pass, and
that of the heat maps only their peaks leave the device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..errors import InputError
from ..extras import needs
from ..face_boxes import box_of_landmarks
from .interface import LandmarkDetection

BATCH_ON_CPU = 1  # frames; two cores are slower with more (benchmarks/README.md)
BATCH_ON_GPU = 32  # frames of one video
PEAK_SHIFT = 0.25  # of a cell, towards the larger neighbour


class FanNetwork:
    """Faces to the peaks of their heat maps.

    Args:
        weights: the file `2DFAN4-11f355bf06.pth.tar`.
        device: as PyTorch names it.
        precision: `fp32`, or `bf16`: faster where the processor has it; heat maps then differ by
            less than 1 % of their deviation (mean; random weights).

    Raises:
        InputError: the weights do not fit.
    """

    def __init__(self, weights: Path, device: str, precision: str = "fp32") -> None:
        with needs("fan", "the landmark detector fan"):
            import torch
            from face_alignment.models import FAN

        self._device = device
        self._network = FAN(4)
        try:
            state = torch.load(weights, map_location="cpu", weights_only=True)
            self._network.load_state_dict(state)
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(f"{weights}: not FAN's weights ({reason})") from None
        # Channels last: the same numbers, in the layout that bf16 convolutions are fast in.
        self._layout: dict[str, Any] = {
            "dtype": {"fp32": torch.float32, "bf16": torch.bfloat16}[precision],
            "memory_format": torch.channels_last,
        }
        self._network.to(device, **self._layout).eval()

    def __call__(self, faces: np.ndarray) -> np.ndarray:
        """Column, row and height of each peak, (n, 68, 3) float32, for `heatmaps`' faces."""
        return peaks(self.heatmaps(faces)).cpu().numpy()

    def heatmaps(self, faces: np.ndarray) -> Any:
        """Mean heat maps, a tensor (n, 68, 64, 64) on the device, of faces, uint8 (n, 256, 256, 3)
        RGB, and their mirrors."""
        import torch
        from face_alignment.utils import flip

        batch = torch.from_numpy(faces).to(self._device).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            both = torch.cat([batch, flip(batch)]).to(**self._layout)
            said = self._network(both)[-1].float()
            plain, mirrored = said.split(len(faces))
            return (plain + flip(mirrored, is_label=True)) / 2


def peaks(heatmaps: Any) -> Any:
    """Where heat maps (n, 68, h, w) peak, as `face_alignment.utils.get_preds_fromhm` says it, and
    how high: a tensor (n, 68, 3) on the same device.

    A peak is a cell's middle, moved a quarter of a cell towards its larger neighbour on each axis;
    cells at the rim are not moved.
    """
    import torch

    rows, columns = heatmaps.shape[-2:]
    flat = heatmaps.flatten(-2)
    height, cell = flat.max(dim=-1)
    x, y = cell % columns, cell // columns
    inside = (x > 0) & (x < columns - 1) & (y > 0) & (y < rows - 1)

    def at(step: int) -> Any:
        near = (cell + step).clamp(0, rows * columns - 1)
        return flat.gather(-1, near.unsqueeze(-1)).squeeze(-1)

    shift = torch.stack([at(1) - at(-1), at(columns) - at(-columns)], dim=-1).sign() * PEAK_SHIFT
    middle = torch.stack([x, y], dim=-1) + 0.5
    return torch.cat([middle + shift * inside.unsqueeze(-1), height.unsqueeze(-1)], dim=-1)


class FanLandmarkDetector:
    """See `utils.LandmarkDetector.interface.LandmarkDetector`; scores are mean heat-map peaks.

    Args:
        network: does what a `FanNetwork` does, wherever it is.
        batch_size: frames that it gets at once.
    """

    name = "fan"
    detect_every = 1
    min_score = 0.1
    calibration = "published"
    follows_faces = False

    def __init__(self, network: Callable[[np.ndarray], np.ndarray], batch_size: int) -> None:
        self.batch_size = batch_size
        self._network = network

    def roi_of_box(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        return box[:4]

    def detect(
        self, frames: Sequence[np.ndarray], rois: Sequence[np.ndarray]
    ) -> list[LandmarkDetection]:
        from face_alignment.utils import crop

        squares = [_centre_and_scale(box) for box in rois]
        faces = [
            crop(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), centre, scale)
            for frame, (centre, scale) in zip(frames, squares, strict=True)
        ]
        found = []
        for said, square in zip(self._network(np.stack(faces)), squares, strict=True):
            landmarks = _in_frame(said[:, :2], *square)
            score = float(np.clip(said[:, 2].mean(), 0, 1))
            found.append(LandmarkDetection(landmarks, score, box_of_landmarks(landmarks)))
        return found


def _in_frame(cells: np.ndarray, centre: np.ndarray, scale: float) -> np.ndarray:
    """Landmarks (68, 2) in frame pixels, whole numbers, from float32 peaks in cells of FAN's heat
    maps."""
    from face_alignment.utils import transform_np

    return np.array([transform_np(cell, centre, scale, 64, True) for cell in cells], float)


def _centre_and_scale(box: np.ndarray) -> tuple[np.ndarray, float]:
    """FAN's crop for a face box (4,), with the constants of `face_alignment.api`."""
    from face_alignment.utils import CENTER_Y_OFFSET, REFERENCE_SCALE

    left, top, right, bottom = box
    centre = np.array([(left + right) / 2, (top + bottom) / 2 - CENTER_Y_OFFSET * (bottom - top)])
    return centre, (right - left + bottom - top) / REFERENCE_SCALE
