"""BlazeFace (Bazarevsky et al., 2019), short-range model, with a multi-scale search.

The network reads squares of 128 pixels. It is shown the whole frame first, then squares across it,
then tiles, so that small faces and those at the edge are found too. Two sets of weights serve:
those of the package `face-alignment` (PyTorch) and those in MediaPipe's task file (LiteRT).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from ..extras import needs
from ..face_boxes import overlaps

INPUT_PIXELS = 128
MIN_SCORE = 0.5
MAX_OVERLAP = 0.3  # intersection over union of two faces
# Sides of the tiles, over the frame's shorter side; the next scale follows where no face is
# confirmed, the last one only where none was found at all.
TILE_SCALES = (1.0, 0.5, 0.25)
STEP = 0.5  # of a square's side, between neighbours
MIN_TILE_PIXELS = 96  # pixels; smaller ones show nothing more
CONFIDENT_SCORE = 0.9  # of a first look; a box that scores less is looked at again, closer
CONFIRMED_SCORE = 0.8  # of a closer look; below it the search goes on
CLOSER_SIDE = 2.5  # side of the square of a closer look, over the larger side of the box
# Tiles in which small faces beside others are found: this share of the frame's shorter side, but no
# smaller than where a face of 64 pixels has a fifth of the side.
OTHERS_SCALE, OTHERS_MIN_PIXELS = 0.5, 320
ROTATIONS = (2, 1, 3)  # quarter turns that are tried where no upright face is certain
ROTATED_LEAD = 0.1  # by which a turned face must outscore an upright one

# The anchors of the network's two maps: grid cells per side, anchors per cell.
ANCHOR_MAPS = ((16, 2), (8, 6))


@dataclass(frozen=True)
class Square:
    """A square of a frame: its corner and side in frame pixels; it may reach beyond the frame."""

    left: int
    top: int
    side: int

    def cut(self, frame: np.ndarray) -> np.ndarray:
        """What lies in it, uint8 (128, 128, 3) BGR; black beyond the frame."""
        height, width = frame.shape[:2]
        x0, y0 = max(0, self.left), max(0, self.top)
        x1, y1 = min(width, self.left + self.side), min(height, self.top + self.side)
        scale = INPUT_PIXELS / self.side
        size = max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))
        inside = cv2.resize(frame[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA)
        if size == (INPUT_PIXELS, INPUT_PIXELS):
            return inside
        square = np.zeros((INPUT_PIXELS, INPUT_PIXELS, 3), np.uint8)
        left, top = round((x0 - self.left) * scale), round((y0 - self.top) * scale)
        into = square[top : top + size[1], left : left + size[0]]
        into[:] = inside[: into.shape[0], : into.shape[1]]
        return square


class FaceNetwork(Protocol):
    """A set of BlazeFace weights."""

    def __call__(self, square: np.ndarray) -> np.ndarray:
        """Faces (n, 6) of a picture (128, 128, 3) RGB uint8: left, top, right, bottom in pixels,
        score, and roll in radians, clockwise as seen."""
        ...


def anchor_centres() -> np.ndarray:
    """Where the 896 anchors lie, (896, 2) in shares of the square."""
    centres = []
    for cells, anchors in ANCHOR_MAPS:
        steps = (np.arange(cells) + 0.5) / cells
        grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
        centres.append(np.repeat(grid, anchors, axis=0))
    return np.concatenate(centres)


def roll_of_eyes(right_eye: np.ndarray, left_eye: np.ndarray) -> np.ndarray:
    """How far faces are turned in the picture, radians (n,), from eye centres (n, 2)."""
    across = left_eye - right_eye
    return np.arctan2(across[:, 1], across[:, 0])


class LiteBlazeFace:
    """The weights of MediaPipe's task file."""

    def __init__(self, task: Path) -> None:
        from ..weights.litert import LiteNetwork, read_network

        self._network = LiteNetwork(read_network(task, "face_detector.tflite"))
        self._anchors = anchor_centres()

    def __call__(self, square: np.ndarray) -> np.ndarray:
        values = square.astype(np.float32)[None] / 127.5 - 1
        regressors, logits = self._network(values)
        scores = 1 / (1 + np.exp(-np.clip(logits.ravel(), -50, 50)))
        sure = scores >= MIN_SCORE
        found = regressors[0, sure].astype(float)
        anchors = self._anchors[sure] * INPUT_PIXELS
        centre, half = found[:, :2] + anchors, found[:, 2:4] / 2
        points = found[:, 4:].reshape(-1, 6, 2) + anchors[:, None]
        roll = roll_of_eyes(points[:, 0], points[:, 1])
        return np.column_stack([centre - half, centre + half, scores[sure], roll])


class TorchBlazeFace:
    """The weights that `face-alignment` downloads: `blazeface.pth` and `anchors.npy`."""

    def __init__(self, weights: Path, anchors: Path, device: str) -> None:
        with needs("fan", "the BlazeFace of face-alignment"):
            from face_alignment.detection.blazeface.blazeface_detector import BlazeFaceDetector

        self._detector = BlazeFaceDetector(
            device, path_to_detector=str(weights), path_to_anchor=str(anchors)
        )

    def __call__(self, square: np.ndarray) -> np.ndarray:
        boxes = self._detector.detect_from_batch(square.transpose(2, 0, 1)[None])[0]
        boxes = np.asarray(boxes, float).reshape(-1, 5)
        return np.column_stack([boxes, np.zeros(len(boxes))])  # the package drops the eyes


def tiles(height: int, width: int, share: float) -> Iterator[Square]:
    """Squares of `share` of the shorter side that cover a frame, each half over the next."""
    side = max(round(share * min(height, width)), min(MIN_TILE_PIXELS, height, width))

    def starts(length: int) -> list[int]:
        count = 1 + int(np.ceil((length - side) / (STEP * side) - 1e-9))
        return np.rint(np.linspace(0, length - side, max(1, count))).astype(int).tolist()

    for top in starts(height):
        for left in starts(width):
            yield Square(left, top, side)


def merge_overlapping(boxes: np.ndarray) -> np.ndarray:
    """Boxes (n, 6): those over each other become one, their mean weighted by score."""
    if len(boxes) < 2:
        return boxes
    corners = np.column_stack([boxes[:, :2], boxes[:, 2:4] - boxes[:, :2]])
    kept = cv2.dnn.NMSBoxes(corners.tolist(), boxes[:, 4].tolist(), 0.0, MAX_OVERLAP)
    merged = []
    for index in np.array(kept, int).ravel():
        same = boxes[overlaps(boxes[index, :4], boxes[:, :4]) >= MAX_OVERLAP]
        corners = np.average(same[:, :4], axis=0, weights=same[:, 4])
        merged.append([*corners, *boxes[index, 4:]])
    return np.array(merged)


def unrotate_boxes(boxes: np.ndarray, turns: int, height: int, width: int) -> np.ndarray:
    """Boxes (n, 6) found in `np.rot90(frame, turns)`, where they lie in the frame.

    Args:
        height, width: of the frame.
    """
    x0, y0, x1, y1, score, roll = boxes.T
    corners = {
        1: (width - y1, x0, width - y0, x1),
        2: (width - x1, height - y1, width - x0, height - y0),
        3: (y0, height - x1, y1, height - x0),
    }[turns]
    turned = roll + turns * np.pi / 2
    return np.column_stack([*corners, score, (turned + np.pi) % (2 * np.pi) - np.pi])


def _best(boxes: np.ndarray) -> float:
    """The highest score among boxes (n, 6), 0 where there is none."""
    return float(boxes[:, 4].max(initial=0))


class BlazeFaceDetector:
    """See `utils.FaceDetector.interface.FaceDetector`; scores are probabilities; rolls are
    reported."""

    name = "blazeface"
    searches_near = False

    def __init__(self, network: FaceNetwork) -> None:
        self._network = network

    def detect(
        self,
        frames: Sequence[np.ndarray],
        near: np.ndarray | None = None,
        small_faces: bool = False,
    ) -> list[np.ndarray]:
        return [self._search(frame, small_faces) for frame in frames]

    def _search(self, frame: np.ndarray, small_faces: bool) -> np.ndarray:
        """Closer looks come before turns, and no weak hit ends the search.

        The network scores an upright face of 100 pixels in a frame 1280 wide 0.86 and the same
        face upside down 0.93: its score says little about the turn.
        """
        height, width = frame.shape[:2]
        found = self._confirm(frame, self._detect_in(frame, [self._whole(frame)]))
        if small_faces:
            scale = min(1.0, max(OTHERS_SCALE, OTHERS_MIN_PIXELS / min(height, width)))
            found = self._add(frame, found, tiles(height, width, scale), CONFIRMED_SCORE)
        for scale in TILE_SCALES:
            last = scale == TILE_SCALES[-1]
            if _best(found) >= CONFIRMED_SCORE or (last and len(found)):
                break
            if scale < 1 or height != width:
                found = self._add(frame, found, tiles(height, width, scale))
        if _best(found) >= CONFIDENT_SCORE:
            return found
        rotated = self._detect_rotated(frame)
        return rotated if _best(rotated) > _best(found) + ROTATED_LEAD else found

    def _add(
        self,
        frame: np.ndarray,
        found: np.ndarray,
        squares: Iterable[Square],
        min_score: float = MIN_SCORE,
    ) -> np.ndarray:
        """The faces found so far and those in more squares, without duplicates."""
        more = self._confirm(frame, self._detect_in(frame, squares))
        return merge_overlapping(np.concatenate([found, more[more[:, 4] >= min_score]]))

    def _confirm(self, frame: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Boxes (n, 6), the weak ones as a closer look sees them where it sees a face at all."""
        confirmed = []
        for box in boxes:
            if box[4] < CONFIDENT_SCORE:
                side = round(CLOSER_SIDE * (box[2:4] - box[:2]).max())
                left, top = np.rint((box[:2] + box[2:4] - side) / 2).astype(int).tolist()
                closer = self._detect_in(frame, [Square(left, top, side)])
                shared = overlaps(box[:4], closer[:, :4])
                if len(closer) and shared.max() >= MAX_OVERLAP:
                    box = closer[shared.argmax()]
            confirmed.append(box)
        return merge_overlapping(np.array(confirmed).reshape(-1, 6))

    def _whole(self, frame: np.ndarray) -> Square:
        height, width = frame.shape[:2]
        side = max(height, width)
        return Square((width - side) // 2, (height - side) // 2, side)

    def _detect_rotated(self, frame: np.ndarray) -> np.ndarray:
        """Faces that lie on their side or upside down, from the turn with the most confident
        one."""
        height, width = frame.shape[:2]
        best = np.zeros((0, 6))
        for turns in ROTATIONS:
            turned = np.ascontiguousarray(np.rot90(frame, turns))
            found = self._detect_in(turned, [self._whole(turned)])
            if _best(found) > _best(best):
                best = unrotate_boxes(found, turns, height, width)
        return best

    def _detect_in(self, frame: np.ndarray, squares: Iterable[Square]) -> np.ndarray:
        boxes = []
        for square in squares:
            found = self._network(cv2.cvtColor(square.cut(frame), cv2.COLOR_BGR2RGB))
            scale = square.side / INPUT_PIXELS
            corner = [square.left, square.top] * 2
            boxes.append(np.column_stack([found[:, :4] * scale + corner, found[:, 4:]]))
        return merge_overlapping(np.concatenate(boxes))
