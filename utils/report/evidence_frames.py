"""Pictures of clips: a few frames of the face with its landmarks, moving, for the report."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..locations import local_copy
from ..verdict.results import ClipScore
from ..video.frames import Video
from ..video.visualization import draw_landmarks
from .colours import score_rgb

MOST_SUSPICIOUS, LEAST_SUSPICIOUS = 3, 1  # clips that are shown
FRAMES, SECONDS_APART = 8, 0.12  # of a clip's picture
SIDE, DOT_RADIUS = 240, 2  # pixels
ROOM = 1.5  # side of what is shown over the larger side of the landmarks' box


@dataclass(frozen=True)
class ClipPicture:
    """A clip as two `data:` addresses: WebP that moves, and a still where motion is unwanted."""

    clip: ClipScore
    moving: str
    still: str


def select_clips(clips: Sequence[ClipScore]) -> list[ClipScore]:
    """The most suspicious clips, then the calmest; none twice."""
    ranked = sorted(clips, key=lambda clip: -clip.score)
    return [*ranked[:MOST_SUSPICIOUS], *ranked[MOST_SUSPICIOUS:][-LEAST_SUSPICIOUS:]]


def _frame_numbers(clip: ClipScore, fps: float, known: Mapping[int, np.ndarray]) -> list[int]:
    step = max(1, round(SECONDS_APART * fps))
    middle = (clip.start + clip.end) // 2
    first = max(clip.start, middle - step * FRAMES // 2)
    numbers = range(first, min(clip.end, first + step * FRAMES), step)
    return [number for number in numbers if number in known]


def _cut(picture: np.ndarray, landmarks: np.ndarray, middle: np.ndarray, side: float, rgb: tuple):  # noqa: ANN202
    """The face with its landmarks, uint8 RGB (240, 240, 3)."""
    scale = SIDE / side
    corner = middle - side / 2
    matrix = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    face = cv2.warpAffine(picture, matrix, (SIDE, SIDE), flags=cv2.INTER_AREA)
    drawn = draw_landmarks(face, (landmarks - corner) * scale, rgb[::-1], DOT_RADIUS)
    return cv2.cvtColor(drawn, cv2.COLOR_BGR2RGB)


def _encode(pictures: Sequence[np.ndarray]) -> str:
    from PIL import Image

    images = [Image.fromarray(picture) for picture in pictures]
    buffer = io.BytesIO()
    moving = {"append_images": images[1:], "duration": round(1000 * SECONDS_APART), "loop": 0}
    more = {"save_all": True, **moving} if len(images) > 1 else {}
    images[0].save(buffer, "WEBP", quality=60, **more)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def clip_pictures(
    job: tuple[Path, Sequence[ClipScore], Mapping[int, np.ndarray], float],
) -> list[ClipPicture]:
    """Pictures of clips, in one pass through the video; those whose landmarks are known.

    Args:
        job: the video, clips, landmarks (68, 2) in pixels by number of the video's frame, and its
            frames a second.

    Raises:
        InputError: the video cannot be read.
    """
    video, clips, landmarks, fps = job
    numbers = [_frame_numbers(clip, fps, landmarks) for clip in clips]
    wanted = {number for of_clip in numbers for number in of_clip}
    if not wanted:
        return []
    pictures: dict[int, np.ndarray] = {}
    places: dict[int, tuple] = {}
    for clip, of_clip in zip(clips, numbers, strict=True):
        points = np.array([landmarks[number] for number in of_clip])
        low, high = points.min(axis=(0, 1)), points.max(axis=(0, 1))
        sizes = (points.max(axis=1) - points.min(axis=1)).max(axis=1)
        side = max(1.0, ROOM * float(sizes.mean())) if len(points) else 1.0
        for number in of_clip:
            places[number] = ((low + high) / 2, side, score_rgb(clip.score))
    with local_copy(video) as on_disk, Video(on_disk) as opened:
        for number, picture in enumerate(opened.pictures()):
            if number in wanted:
                pictures[number] = _cut(picture, landmarks[number], *places[number])
            if number >= max(wanted):
                break
    shown = []
    for clip, of_clip in zip(clips, numbers, strict=True):
        faces = [pictures[number] for number in of_clip if number in pictures]
        if faces:
            still = _encode(faces[len(faces) // 2 :][:1])
            shown.append(ClipPicture(clip, _encode(faces), still))
    return shown
