"""Head pose from landmarks."""

from __future__ import annotations

import cv2
import numpy as np

from ..shared import LEFT_EYE, RIGHT_EYE

# Tip of the nose, chin, outer corners of the eyes, corners of the mouth: their numbers among the
# 68, and a generic head's, in millimetres as the camera sees it (x right, y down, z away).
POINTS = (30, 8, 36, 45, 48, 54)
HEAD = np.array(
    [(0, 0, 0), (0, 66, 13), (-45, -34, 27), (45, -34, 27), (-30, 30, 25), (30, 30, 25)], float
)
MAX_FRAMES = 60  # of a track that are looked at


def head_poses(landmarks: np.ndarray, width: int, height: int) -> np.ndarray:
    """Yaw, pitch and roll of faces in degrees, by perspective from six points of a generic head.

    Args:
        landmarks: (frames, 68, 2) in frame pixels.
        width, height: of the frame.

    Returns:
        (at most 60 frames, 3) float64; 0 is a face that looks into the camera, upright. Positive
        yaw looks to the picture's right, positive pitch down, positive roll leans clockwise.
    """
    focal = float(max(width, height))
    camera = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    chosen = np.linspace(0, len(landmarks) - 1, min(len(landmarks), MAX_FRAMES)).astype(int)
    poses = []
    for frame in landmarks[chosen]:
        turn = upright_quarter_turns(frame[None])
        points = rotate_landmarks(frame, turn, width, height)[list(POINTS)]
        ok, rotation, _ = cv2.solvePnP(HEAD, points, camera, None, flags=cv2.SOLVEPNP_SQPNP)
        if not ok:
            continue
        matrix = cv2.Rodrigues(rotation)[0]
        yaw = np.arctan2(-matrix[0, 2], np.hypot(matrix[1, 2], matrix[2, 2]))
        pitch = np.arctan2(matrix[1, 2], matrix[2, 2])
        roll = np.arctan2(matrix[1, 0], matrix[0, 0])
        poses.append(np.degrees([yaw, pitch, roll + turn * np.pi / 2]))
    return np.array(poses).reshape(-1, 3)


def upright_quarter_turns(landmarks: np.ndarray) -> int:
    """By how many quarter turns, clockwise as seen, faces (frames, 68, 2) are turned: 0 to 3."""
    across = landmarks[:, LEFT_EYE].mean(axis=1) - landmarks[:, RIGHT_EYE].mean(axis=1)
    lengths = np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    mean = (across / lengths).mean(axis=0)
    return int(np.rint(np.arctan2(mean[1], mean[0]) / (np.pi / 2))) % 4


def rotate_landmarks(landmarks: np.ndarray, turns: int, width: float, height: float) -> np.ndarray:
    """Landmarks (..., 2) of a frame that is turned counter-clockwise by quarter turns.

    A face that `upright_quarter_turns` finds turned by so many stands upright then.
    """
    x, y = landmarks[..., 0], landmarks[..., 1]
    turned = {0: (x, y), 1: (y, width - x), 2: (width - x, height - y), 3: (height - y, x)}
    return np.stack(turned[turns % 4], axis=-1)
