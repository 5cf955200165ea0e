"""FAN (Bulat and Tzimiropoulos, ICCV 2017), 2-D, as the package `face-alignment` carries it.

The package's crop and heat-map functions are called as they are; what differs is that the faces of
several frames, and their mirror images, go through the network in one pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ..errors import InputError
from ..face_boxes import box_of_landmarks
from .interface import Found

BATCH_ON_CPU = 1  # frames; two cores are slower with more (benchmarks/README.md)
BATCH_ON_GPU = 32


class FanLandmarkDetector:
    """See `utils.LandmarkDetector.interface.LandmarkDetector`; scores are mean heat-map peaks.

    Args:
        weights: the file `2DFAN4-11f355bf06.pth.tar`.
        device: `cpu` or `cuda`.
        batch_size: frames in one forward pass; by default what suits the device.
        precision: `fp32`, or `bf16`: faster where the processor has it; heat maps then differ by
            less than 1 % of their deviation (mean; random weights).

    Raises:
        InputError: the weights do not fit.
    """

    name = "fan"
    detect_every = 1
    least_score = 0.1
    calibration = "published"

    def __init__(
        self, weights: Path, device: str, batch_size: int | None = None, precision: str = "fp32"
    ) -> None:
        import torch
        from face_alignment.models import FAN

        self.batch_size = batch_size or (BATCH_ON_CPU if device == "cpu" else BATCH_ON_GPU)
        self._device = device
        self._network = FAN(4)
        try:
            state = torch.load(weights, map_location="cpu", weights_only=True)
            self._network.load_state_dict(state)
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(f"{weights}: not FAN's weights ({reason})") from None
        # Channels last: the same numbers, in the layout that bf16 convolutions are fast in.
        self._layout = {
            "dtype": {"fp32": torch.float32, "bf16": torch.bfloat16}[precision],
            "memory_format": torch.channels_last,
        }
        self._network.to(device, **self._layout).eval()

    def place_of_box(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        return box[:4]

    def detect(self, frames: Sequence[np.ndarray], places: Sequence[np.ndarray]) -> list[Found]:
        from face_alignment.utils import crop, get_preds_fromhm

        squares = [_centre_and_scale(box) for box in places]
        faces = [
            crop(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), centre, scale)
            for frame, (centre, scale) in zip(frames, squares, strict=True)
        ]
        found = []
        for heatmaps, (centre, scale) in zip(self.heatmaps(faces), squares, strict=True):
            _, points, peaks = get_preds_fromhm(heatmaps[None], centre, scale)
            landmarks = np.asarray(points[0], float)
            score = float(np.clip(peaks.mean(), 0, 1))
            found.append(Found(landmarks, score, box_of_landmarks(landmarks)))
        return found

    def heatmaps(self, faces: Sequence[np.ndarray]) -> np.ndarray:
        """Mean heat maps (n, 68, 64, 64) of faces, uint8 (256, 256, 3) RGB, and their mirrors."""
        import torch
        from face_alignment.utils import flip

        stacked = np.stack(faces).transpose(0, 3, 1, 2).astype(np.float32) / 255
        batch = torch.from_numpy(stacked).to(self._device)
        with torch.inference_mode():
            both = torch.cat([batch, flip(batch)]).to(**self._layout)
            said = self._network(both)[-1].float()
            plain, mirrored = said.split(len(faces))
            mean = (plain + flip(mirrored, is_label=True)) / 2
        return mean.cpu().numpy()


def _centre_and_scale(box: np.ndarray) -> tuple[np.ndarray, float]:
    """FAN's crop for a face box (4,), with the constants of `face_alignment.api`."""
    from face_alignment.utils import CENTER_Y_OFFSET, REFERENCE_SCALE

    left, top, right, bottom = box
    centre = np.array([(left + right) / 2, (top + bottom) / 2 - CENTER_Y_OFFSET * (bottom - top)])
    return centre, (right - left + bottom - top) / REFERENCE_SCALE
