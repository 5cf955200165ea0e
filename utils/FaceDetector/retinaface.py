"""RetinaFace as a face detector: settings, anchors, box decoding, non-maximum suppression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np
import yaml

from ..errors import InputError
from ..extras import needs
from ..face_boxes import overlaps

CONFIG = Path(__file__).resolve().parent / "config" / "args_face_detector.yaml"

MEAN_BGR = (104.0, 117.0, 123.0)
STRIDES = (8, 16, 32)
ANCHOR_PIXELS = ((16, 32), (64, 128), (256, 512))  # a level's two sizes
CENTRE_VARIANCE, SIZE_VARIANCE = 0.1, 0.2
MAX_WIDTH = 640  # wider frames are shrunk, unless `origin_size` is set
CLOSER_MARGIN = 0.4  # of the face's larger side, seen around it on the second look
MAX_CLOSER = 1280  # pixels; a larger cut-out costs more than its face's box is worth
SAME_FACE = 0.5  # overlap of the first and the second look's boxes


@dataclass(frozen=True)
class RetinaFaceSettings:
    """What `config/args_face_detector.yaml` holds; the file says what each means."""

    trained_model: str = "mobilenet0.25_Final.pth"
    network: str = "mobile0.25"
    confidence_threshold: float = 0.5
    nms_threshold: float = 0.4
    cpu: bool = False
    origin_size: bool = False
    refine: bool = True
    batch_size: int = 8


def read_settings(path: Path = CONFIG) -> RetinaFaceSettings:
    """The settings file.

    Raises:
        InputError: it is missing or no YAML, or names something unknown.
    """
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"{path}: cannot be read ({str(error).splitlines()[0]})") from None
    known = {field.name: field.type for field in fields(RetinaFaceSettings)}
    if not isinstance(given, dict) or (unknown := set(given) - set(known)):
        names = ", ".join(sorted(map(str, unknown))) if isinstance(given, dict) else "no settings"
        raise InputError(f"{path}: unknown: {names}; known are {', '.join(known)}")
    settings = RetinaFaceSettings(**given)
    if settings.network not in ("mobile0.25", "resnet50"):
        raise InputError(f"{path}: network is {settings.network!r}; mobile0.25 or resnet50")
    return settings


def anchors(height: int, width: int) -> np.ndarray:
    """The boxes that regressions start from: (anchors, 4) centre x, y, width, height in pixels."""
    levels = []
    for stride, sizes in zip(STRIDES, ANCHOR_PIXELS, strict=True):
        rows, columns = -(-height // stride), -(-width // stride)
        y, x, size = np.meshgrid(np.arange(rows), np.arange(columns), sizes, indexing="ij")
        centres = [(x + 0.5) * stride, (y + 0.5) * stride]
        levels.append(np.stack([*centres, size, size], axis=-1).reshape(-1, 4))
    return np.concatenate(levels).astype(np.float64)


def decode(regressions: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Boxes (n, 4) left, top, right, bottom from what the network says of anchors (n, 4)."""
    centres = starts[:, :2] + CENTRE_VARIANCE * regressions[:, :2] * starts[:, 2:]
    halves = starts[:, 2:] * np.exp(SIZE_VARIANCE * regressions[:, 2:]) / 2
    return np.concatenate([centres - halves, centres + halves], axis=1)


def suppress(boxes: np.ndarray, scores: np.ndarray, settings: RetinaFaceSettings) -> np.ndarray:
    """(faces, 5): boxes and scores of faces, the most confident first, without duplicates."""
    if not len(boxes):
        return np.zeros((0, 5))
    corners_and_sizes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxes(
        corners_and_sizes.tolist(),
        scores.tolist(),
        settings.confidence_threshold,
        settings.nms_threshold,
    )
    order = np.asarray(kept, int).ravel()
    return np.column_stack([boxes[order], scores[order]])


class RetinaFaceDetector:
    """See `utils.FaceDetector.interface.FaceDetector`; scores are probabilities.

    Args:
        weights: a state dictionary of the network that `settings` names.
        device: `cpu` or `cuda`; the settings' `cpu` overrules it.

    Raises:
        InputError: the weights do not fit, or torchvision is needed and does not work.
    """

    name = "retinaface"
    searches_near = False

    def __init__(self, weights: Path, settings: RetinaFaceSettings, device: str) -> None:
        self._settings = settings
        self._device = "cpu" if settings.cpu else device
        self._network = _load(weights, settings.network).to(self._device)

    def detect(
        self,
        frames: Sequence[np.ndarray],
        near: np.ndarray | None = None,
        small_faces: bool = False,
    ) -> list[np.ndarray]:
        size = self._settings.batch_size
        found: list[np.ndarray] = []
        for first in range(0, len(frames), size):
            found += self._detect_batch(frames[first : first + size])
        return found

    def _detect_batch(self, frames: Sequence[np.ndarray]) -> list[np.ndarray]:
        height, width = frames[0].shape[:2]
        if self._settings.origin_size or width <= MAX_WIDTH:
            return self._search(np.stack(frames))
        size = MAX_WIDTH, round(height * MAX_WIDTH / width)
        shrunk = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames]
        enlarge = np.array([width / size[0], height / size[1]] * 2 + [1])
        found = [faces * enlarge for faces in self._search(np.stack(shrunk))]
        if not self._settings.refine:
            return found
        return [
            np.array([self._look_closer(frame, face) for face in faces]).reshape(-1, 5)
            for frame, faces in zip(frames, found, strict=True)
        ]

    def _look_closer(self, frame: np.ndarray, face: np.ndarray) -> np.ndarray:
        """A face (5,) that was found in a shrunk frame, measured again in the frame itself.

        The cut-out begins at a multiple of the coarsest stride, so that the anchors lie as they
        would in the whole frame and the answer is the whole frame's.
        """
        margin = CLOSER_MARGIN * (face[2:4] - face[:2]).max()
        grid = STRIDES[-1]
        left, top = (np.maximum(face[:2] - margin, 0) // grid * grid).astype(int)
        right, bottom = (-(-(face[2:4] + margin) // grid) * grid).astype(int)
        nearby = frame[top:bottom, left:right]
        if max(nearby.shape) > MAX_CLOSER:
            return face
        faces = self._search(nearby[None])[0] + (left, top, left, top, 0)
        shared = overlaps(face[:4], faces[:, :4])
        return faces[shared.argmax()] if len(faces) and shared.max() > SAME_FACE else face

    def _search(self, frames: np.ndarray) -> list[np.ndarray]:
        """Faces (n, 5) of each of a batch of frames (frames, H, W, 3), in these frames' pixels."""
        import torch

        pictures = frames.astype(np.float32) - np.array(MEAN_BGR, np.float32)
        batch = torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))
        with torch.inference_mode():
            regressions, scores = (
                said.double().cpu().numpy() for said in self._network(batch.to(self._device))
            )
        starts = anchors(*frames.shape[1:3])
        found = []
        for of_boxes, of_scores in zip(regressions, scores, strict=True):
            sure = of_scores >= self._settings.confidence_threshold
            boxes = decode(of_boxes[sure], starts[sure])
            found.append(suppress(boxes, of_scores[sure], self._settings))
        return found


def _load(path: Path, network: str):  # noqa: ANN202 - a torch module
    with needs("retinaface", "the face detector retinaface"):
        import torch

    try:
        from .retinaface_network import VARIANTS, RetinaFaceNetwork

        model = RetinaFaceNetwork(VARIANTS[network])
    except (ImportError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"the ResNet-50 of RetinaFace needs a torchvision that matches torch "
            f"{torch.__version__} ({reason}); install it, or set network to mobile0.25 in {CONFIG}"
        ) from None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        state = state.get("state_dict", state)
        model.load_state_dict({name.removeprefix("module."): of for name, of in state.items()})
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: not RetinaFace weights of {network} ({reason})") from None
    return model.eval()
