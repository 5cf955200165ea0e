"""Annotated videos: landmarks coloured by their clip's score, above a timeline with a cursor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from ..console import notice
from ..errors import InputError
from ..limits import MAX_MEGAPIXELS
from ..locations import local_copy
from ..verdict.results import ClipScore, VideoResult
from ..video.frames import Video
from ..video.visualization import draw_landmarks, write_name
from ..video.writer import VideoWriter
from .colours import MIDDLE_RGB, score_rgb
from .file_names import FileNames
from .per_video import (
    PerVideoWriter,
    RunApart,
    VideoFinder,
    landmarks_by_frame,
    run_here,
    track_of,
)

STRIP_SHARE = 1 / 9  # height of a face's timeline over the picture's
GROUND, BAND, CURSOR = (250, 250, 250), (225, 225, 225), (30, 30, 30)  # BGR


class OverlayWriter(PerVideoWriter):
    """Writes `<video>_scores.<suffix>` of each video that can be found."""

    def __init__(
        self,
        folder: Path,
        suffix: str,
        find_video: VideoFinder,
        run_apart: RunApart = run_here,
    ) -> None:
        super().__init__()
        self._folder = folder
        self._suffix = suffix
        self._find_video = find_video
        self._run_apart = run_apart
        self._names = FileNames()

    def write_video(self, faces: Sequence[VideoResult]) -> None:
        drawn = [face for face in faces if face.clips]
        if not drawn:
            return
        video = self._find_video(drawn[0])
        if video is None:
            name = drawn[0].video or drawn[0].name
            notice(
                f"{name}: its video is not found, so nothing is drawn; name its folder by --videos"
            )
            return
        path = self._folder / f"{self._names.of(drawn[0])}_scores.{self._suffix}"
        try:
            placed = [landmarks_by_frame(track_of(face)) for face in drawn]
            faces = [replace(face, track=None) for face in drawn]
            work = partial(draw_scores, max_megapixels=self._find_video.max_megapixels)
            self._run_apart(work, (video, path, faces, placed))
        except InputError as error:
            notice(f"{video}: cannot be drawn ({error})")


def draw_scores(
    job: tuple[Path, Path, Sequence[VideoResult], Sequence[dict[int, np.ndarray]]],
    max_megapixels: float = MAX_MEGAPIXELS,
) -> None:
    """Draws a video: the video, where it goes, its faces, and each face's landmarks by frame.

    Raises:
        InputError: the video cannot be read, or the other one written.
    """
    video, path, faces, placed = job
    with (
        local_copy(video) as on_disk,
        Video(on_disk, max_megapixels=max_megapixels) as opened,
        VideoWriter(path, opened.fps) as writer,
    ):
        for number, picture in enumerate(opened.pictures()):
            writer.write(_draw(number, opened.frame_count_hint, picture, faces, placed))


def _draw(
    number: int,
    frames: int,
    picture: np.ndarray,
    faces: Sequence[VideoResult],
    placed: Sequence[dict[int, np.ndarray]],
) -> np.ndarray:
    for face, landmarks in zip(faces, placed, strict=True):
        if number not in landmarks:
            continue
        clip = _clip_at(face, number)
        rgb = MIDDLE_RGB if clip is None else score_rgb(clip.score)
        picture = draw_landmarks(picture, landmarks[number], rgb[::-1])
        said = "" if clip is None else f" {clip.score:.2f}"
        write_name(picture, landmarks[number], f"{face.face}{said}", rgb[::-1])
    strips = [_strip(number, frames, picture.shape, face) for face in faces]
    return np.concatenate([picture, *strips])


def _strip(number: int, frames: int, shape: tuple, face: VideoResult) -> np.ndarray:
    """A face's timeline, uint8 (height, width of the picture, 3)."""
    height, width = max(12, 2 * round(shape[0] * STRIP_SHARE / 2)), shape[1]
    strip = np.full((height, width, 3), GROUND, np.uint8)
    last = max(frames, face.clips[-1].end, number + 1)
    if face.band is not None:
        low, high = (round((1 - bound) * (height - 1)) for bound in face.band)
        strip[high : low + 1] = BAND
    for clip in face.clips:
        start, end = (round(at / last * width) for at in (clip.start, clip.end))
        top = round((1 - clip.score) * (height - 2))
        strip[top:, start : max(start + 1, end - 1)] = score_rgb(clip.score)[::-1]
    cv2.line(strip, (x := round(number / last * (width - 1)), 0), (x, height), CURSOR, 2)
    return strip


def _clip_at(face: VideoResult, number: int) -> ClipScore | None:
    return next((clip for clip in face.clips if clip.start <= number < clip.end), None)
