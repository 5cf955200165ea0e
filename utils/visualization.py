"""Videos of what was detected and what calibration made of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from utils.videos import VideoInfo, VideoWriter

RED, GREEN = (0, 0, 255), (0, 255, 0)  # BGR
DOT_SHARE = 1 / 400  # a dot's radius over the frame's larger side


def draw_landmarks(frame: np.ndarray, landmarks: np.ndarray, colour: tuple) -> np.ndarray:
    """A copy of a frame, uint8 (H, W, 3) BGR, with landmarks (68, 2) as dots."""
    drawn = frame.copy()
    radius = max(1, round(max(frame.shape[:2]) * DOT_SHARE))
    for x, y in np.rint(landmarks).astype(int):
        cv2.circle(drawn, (int(x), int(y)), radius, colour, cv2.FILLED, cv2.LINE_AA)
    return drawn


@contextmanager
def draw_tracks(folder: Path, info: VideoInfo) -> Iterator:
    """Writes `<video>_origin.avi` (detections, red) and `<video>_track.avi` (calibrated, green).

    Yields:
        A function of a frame, its detected and its calibrated landmarks (68, 2) in frame pixels.

    Raises:
        InputError: the folder cannot be written.
    """
    name = info.path.name
    with (
        VideoWriter(folder / f"{name}_origin.avi", info.fps) as origin,
        VideoWriter(folder / f"{name}_track.avi", info.fps) as track,
    ):

        def watch(frame: np.ndarray, detected: np.ndarray, calibrated: np.ndarray) -> None:
            origin.write(draw_landmarks(frame, detected, RED))
            track.write(draw_landmarks(frame, calibrated, GREEN))

        yield watch
