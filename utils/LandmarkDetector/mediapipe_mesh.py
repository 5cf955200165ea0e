"""MediaPipe's face mesh (Kartynnik et al., 2019): 478 points, reduced to the 68 landmarks.

The network reads a square of 256 pixels in which the face is upright. Where it is, the mesh of the
frame before gives: the middle of its box, turned until the outer corners of the eyes lie level.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np

from ..cores import Cores
from ..errors import InputError
from ..warping import warp_square
from .interface import LandmarkDetection

INPUT_PIXELS = 256
POINTS = 478
# What the first layers give before the picture becomes 32 and then 16 pixels wide: tensors of
# float32 (1, 64, 64, 32) and (1, 32, 32, 64), numbered as in the published network.
ACTIVATIONS = (313, 345)
SQUARE_SCALE = 1.5  # side of the square over the larger side of the face
MAX_MESH_MOVEMENT = 0.04  # the same; more is no face
STEADY_MESH = 0.008  # mean movement of a refitted mesh over its size; less is the right way up
MAX_THREADS = 4  # of the network, which is small; MediaPipe's own limit
RIGHT_CORNER, LEFT_CORNER = 33, 263  # outer corners of the eyes
# The mesh's points in the order of iBUG 300-W.
JAW = (127, 234, 93, 132, 58, 172, 136, 150, 152, 379, 365, 397, 288, 361, 323, 454, 356)
BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
NOSE = (168, 6, 195, 4, 98, 97, 2, 326, 327)
EYES = (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
OUTER_LIPS = (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181)
INNER_LIPS = (78, 82, 13, 312, 308, 317, 14, 87)
IBUG_68 = np.array(JAW + BROWS + NOSE + EYES + OUTER_LIPS + INNER_LIPS)


def roi_of_mesh(mesh: np.ndarray) -> np.ndarray:
    """Where the face of a mesh (478, 2) lies: centre x, y, side in pixels, roll in radians."""
    eyes = mesh[LEFT_CORNER] - mesh[RIGHT_CORNER]
    roll = np.arctan2(eyes[1], eyes[0])
    cos, sin = np.cos(roll), np.sin(roll)
    x, y = mesh.T.copy()  # extremes of contiguous numbers are found ten times as fast
    along, down = cos * x + sin * y, cos * y - sin * x  # in axes along and across the eyes
    left, right, top, bottom = along.min(), along.max(), down.min(), down.max()
    across, under = (left + right) / 2, (top + bottom) / 2
    centre = cos * across - sin * under, sin * across + cos * under
    return np.array([*centre, SQUARE_SCALE * max(right - left, bottom - top), roll])


def roi_transform(roi: np.ndarray) -> np.ndarray:
    """The affine map (2, 3) from the network's square of 256 pixels into the frame."""
    x, y, side, roll = roi
    scale = side / INPUT_PIXELS
    cos, sin = scale * np.cos(roll), scale * np.sin(roll)
    half = INPUT_PIXELS / 2
    return np.array([[cos, -sin, x - half * (cos - sin)], [sin, cos, y - half * (sin + cos)]])


class MediaPipeMesh:
    """See `utils.LandmarkDetector.interface.LandmarkDetector`; scores are the mesh's presence.

    Args:
        task: the file `face_landmarker.task`.
        cores: the network runs on those that are free when it reads a picture.

    Raises:
        InputError: the file is no such file.
    """

    name = "mediapipe"
    batch_size = 1
    detect_every = 12  # frames, about half a second; only to find others
    min_score = 0.5
    calibration = "none"
    follows_faces = True

    def __init__(self, task: Path, cores: Cores) -> None:
        from ..weights.litert import LiteNetwork, read_network, with_outputs

        content = read_network(task, "face_landmarks_detector.tflite")
        try:
            content = with_outputs(content, ACTIVATIONS)
        except ValueError as error:
            raise InputError(f"{task}: {error}; fetch it again") from None
        self._cores = cores
        self._network_on = cache(partial(LiteNetwork, content))  # by the number of its threads
        self._face = np.empty((INPUT_PIXELS, INPUT_PIXELS, 3), np.uint8)  # used again each frame

    def roi_of_box(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray | None:
        """The square of the mesh that is found in the box, upright or in another quarter turn.

        The network accepts an upside-down face, with a presence of up to 1.0. But of a face that is
        the right way up it finds the same mesh again when its square is fitted again: points move
        by 0.001 to 0.008 of its size there, in the three other turns by 0.010 or more (18 videos,
        four sizes). The turn that is nearest to upright is asked first. A puppet's or a pattern's
        mesh moves by 0.06 and more: no face is there.
        """
        roll = box[5] if len(box) > 5 else 0.0
        left, top, right, bottom = box[:4]
        side = SQUARE_SCALE * max(right - left, bottom - top)
        centre = (left + right) / 2, (top + bottom) / 2
        turns = sorted(range(4), key=lambda turn: -np.cos(roll + turn * np.pi / 2))
        steadiest, best = MAX_MESH_MOVEMENT, None
        for turn in turns:
            roi = np.array([*centre, side, roll + turn * np.pi / 2])
            movement, fitted = self._refit(frame, roi)
            if movement < steadiest:
                steadiest, best = movement, fitted
            if movement <= STEADY_MESH:
                break
        return best

    def _refit(self, frame: np.ndarray, roi: np.ndarray) -> tuple[float, np.ndarray]:
        """How far the mesh moves when its square is fitted again, over its size, and that square;
        infinite where no face is present."""
        mesh, _ = self.mesh(frame, roi)  # of a box that may be off: presence says little yet
        mesh, presence = self.mesh(frame, roi_of_mesh(mesh))
        if presence < self.min_score:
            return np.inf, roi
        again, presence = self.mesh(frame, roi_of_mesh(mesh))
        if presence < self.min_score:
            return np.inf, roi
        movement = np.linalg.norm(again - mesh, axis=1).mean() / np.ptp(mesh, axis=0).max()
        return float(movement), roi_of_mesh(again)

    def detect(
        self, frames: Sequence[np.ndarray], rois: Sequence[np.ndarray]
    ) -> list[LandmarkDetection]:
        found = []
        for frame, roi in zip(frames, rois, strict=True):
            mesh, presence, activations = self._read(frame, roi)
            middles = tuple(_middle(one[0]) for one in activations)
            found.append(LandmarkDetection(mesh[IBUG_68], presence, roi_of_mesh(mesh), middles))
        return found

    def mesh(self, frame: np.ndarray, roi: np.ndarray) -> tuple[np.ndarray, float]:
        """All points (478, 2) in frame pixels, and the network's confidence that a face is
        there."""
        mesh, presence, _ = self._read(frame, roi)
        return mesh, presence

    def _read(
        self, frame: np.ndarray, roi: np.ndarray
    ) -> tuple[np.ndarray, float, list[np.ndarray]]:
        """See `mesh`; and `ACTIVATIONS`."""
        into_frame = roi_transform(roi)
        square = warp_square(frame, into_frame, INPUT_PIXELS)
        network = self._network_on(min(MAX_THREADS, self._cores.free))
        rgb = cv2.cvtColor(square, cv2.COLOR_BGRA2RGB, dst=self._face)
        np.multiply(rgb, np.float32(1 / 255), out=network.input[0])
        points, presence, _, *activations = network.run()
        in_square = points.reshape(POINTS, 3)[:, :2].astype(float)
        mesh = in_square @ into_frame[:, :2].T + into_frame[:, 2]
        probability = float(1 / (1 + np.exp(-np.clip(presence.ravel()[0], -50, 50))))
        return mesh, probability, activations


def _middle(values: np.ndarray) -> np.ndarray:
    """The middle half of (rows, columns, channels) either way: eyes, nose and mouth."""
    quarter = len(values) // 4
    return values[quarter:-quarter, quarter:-quarter]
