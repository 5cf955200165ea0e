"""Videos of what was detected and what calibration made of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from .frames import VideoInfo
from .writer import VideoWriter

RED, GREEN = (0, 0, 255), (0, 255, 0)  # BGR
DOT_SHARE = 1 / 400  # a dot's radius over the frame's larger side


def draw_landmarks(frame: np.ndarray, landmarks: np.ndarray, colour: tuple) -> np.ndarray:
    """A copy of a frame, uint8 (H, W, 3) BGR, with landmarks (68, 2) as dots."""
    drawn = frame.copy()
    radius = max(1, round(max(frame.shape[:2]) * DOT_SHARE))
    for x, y in np.rint(landmarks).astype(int):
        cv2.circle(drawn, (int(x), int(y)), radius, colour, cv2.FILLED, cv2.LINE_AA)
    return drawn


def draw_tracks(
    frames: Iterable[np.ndarray],
    detected: np.ndarray,
    calibrated: np.ndarray,
    folder: Path,
    info: VideoInfo,
) -> None:
    """Writes `<video>_origin.avi` (detections, red) and `<video>_track.avi` (calibrated, green).

    Args:
        frames: uint8 (H, W, 3) BGR, from the first that shows the face.
        detected, calibrated: (frames, 68, 2) in frame pixels.

    Raises:
        InputError: the folder cannot be written.
    """
    name = info.path.name
    with (
        VideoWriter(folder / f"{name}_origin.avi", info.fps) as origin,
        VideoWriter(folder / f"{name}_track.avi", info.fps) as track,
    ):
        for frame, found, moved in zip(frames, detected, calibrated, strict=False):
            origin.write(draw_landmarks(frame, found, RED))
            track.write(draw_landmarks(frame, moved, GREEN))
