"""Videos of the detected and the calibrated landmarks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from .writer import VideoWriter

RED, GREEN = (0, 0, 255), (0, 255, 0)  # BGR
# Of the faces after the first, in turn.
MORE_COLOURS = ((255, 128, 0), (0, 200, 255), (255, 0, 255), (255, 255, 0), (128, 255, 128))
DOT_SHARE = 1 / 400  # a dot's radius over the frame's larger side
GROUND = (30, 30, 30)  # of names


@dataclass(frozen=True)
class DrawnFace:
    """A face to draw.

    Attributes:
        name: of its landmark file.
        numbers: (frames,) in which it is seen.
        detected, calibrated: (frames, 68, 2) in frame pixels.
    """

    name: str
    numbers: np.ndarray
    detected: np.ndarray
    calibrated: np.ndarray


def draw_landmarks(
    frame: np.ndarray, landmarks: np.ndarray, colour: tuple, radius: int | None = None
) -> np.ndarray:
    """A copy of a frame, uint8 (H, W, 3) BGR, with landmarks (68, 2) as dots of `radius` pixels."""
    drawn = frame.copy()
    radius = radius or max(1, round(max(frame.shape[:2]) * DOT_SHARE))
    for x, y in np.rint(landmarks).astype(int):
        cv2.circle(drawn, (int(x), int(y)), radius, colour, cv2.FILLED, cv2.LINE_AA)
    return drawn


def write_name(frame: np.ndarray, landmarks: np.ndarray, name: str, colour: tuple) -> None:
    """Writes a face's name above its landmarks (68, 2), in place, on a dark ground."""
    x, y = landmarks.min(axis=0)
    size = max(frame.shape[:2]) / 1600
    place = int(max(0, x)), int(max(20 * size, y - 12 * size))
    printable = name.encode("ascii", "replace").decode()
    face, scale, thickness = cv2.FONT_HERSHEY_SIMPLEX, max(0.4, size), max(1, round(1.5 * size))
    (width, height), below = cv2.getTextSize(printable, face, scale, thickness)
    corners = (place[0], place[1] - height), (place[0] + width, place[1] + below)
    cv2.rectangle(frame, *corners, GROUND, cv2.FILLED)
    cv2.putText(frame, printable, place, face, scale, colour, thickness, cv2.LINE_AA)


def draw_faces(
    pictures: Iterable[np.ndarray],
    faces: Sequence[DrawnFace],
    folder: Path,
    name: str,
    fps: float,
    suffix: str = "avi",
) -> None:
    """Writes `<video>_origin.<suffix>` (detections, red) and `<video>_track.<suffix>` (calibrated,
    green).

    Faces after the first have colours of their own; where there are several, each bears its name.

    Args:
        pictures: all of the video, uint8 (H, W, 3) BGR.

    Raises:
        InputError: the folder cannot be written.
    """
    rows = [{int(number): row for row, number in enumerate(face.numbers)} for face in faces]
    with (
        VideoWriter(folder / f"{name}_origin.{suffix}", fps) as origin,
        VideoWriter(folder / f"{name}_track.{suffix}", fps) as track,
    ):
        for number, picture in enumerate(pictures):
            for writer, first, which in (
                (origin, RED, "detected"),
                (track, GREEN, "calibrated"),
            ):
                drawn = picture
                for index, (face, row_of) in enumerate(zip(faces, rows, strict=True)):
                    if number not in row_of:
                        continue
                    colour = first if index == 0 else MORE_COLOURS[(index - 1) % len(MORE_COLOURS)]
                    landmarks = getattr(face, which)[row_of[number]]
                    drawn = draw_landmarks(drawn, landmarks, colour)
                    if len(faces) > 1:
                        write_name(drawn, landmarks, f"{index + 1} {face.name}", colour)
                writer.write(drawn)
