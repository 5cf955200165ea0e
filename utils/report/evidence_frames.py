"""Pictures for a report, gathered in one pass over the video: moving clips, the weight of each
field of the face, a thumbnail, and the preview."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from ..limits import MAX_MEGAPIXELS
from ..locations import local_copy
from ..rigid_motion import template_transform
from ..texture.face_patch import PATCH_CENTRE, PATCH_SIDE
from ..verdict.results import ClipScore
from ..video.frames import Video
from ..video.visualization import draw_landmarks
from .colours import FAKE_RGB, REAL_RGB, score_rgb
from .preview import Preview, PreviewWriter

MOST_SUSPICIOUS, LEAST_SUSPICIOUS = 3, 1  # clips that are shown
FRAMES, SECONDS_APART = 8, 0.12  # of a clip's picture
SIDE, DOT_RADIUS = 240, 2  # pixels
THUMBNAIL_SIDE = 56
ROOM = 1.5  # side of what is shown over the larger side of the landmarks' box
TINT = 0.6  # of the field that weighs most


@dataclass(frozen=True)
class ClipPicture:
    """A clip as two `data:` addresses: WebP that moves, and a still where motion is unwanted."""

    clip: ClipScore
    moving: str
    still: str


@dataclass(frozen=True)
class FaceJob:
    """A face to show.

    Attributes:
        clips: to show; landmarks: (68, 2) in pixels by number of the video's frame.
        fields: (7, 7) weights of the face's fields, or None where they are not known.
    """

    clips: Sequence[ClipScore]
    landmarks: Mapping[int, np.ndarray]
    fields: np.ndarray | None = None


@dataclass(frozen=True)
class FaceEvidence:
    """A face as its page shows it; `data:` addresses, empty where there is nothing to show."""

    pictures: list[ClipPicture] = field(default_factory=list)
    fields: str = ""
    thumbnail: str = ""


@dataclass(frozen=True)
class VideoEvidence:
    """What was seen of a video: of each face, and as a whole."""

    faces: list[FaceEvidence]
    preview: Preview | None


def select_clips(clips: Sequence[ClipScore]) -> list[ClipScore]:
    """The most suspicious clips, then the calmest; none twice."""
    ranked = sorted(clips, key=lambda clip: -clip.score)
    return [*ranked[:MOST_SUSPICIOUS], *ranked[MOST_SUSPICIOUS:][-LEAST_SUSPICIOUS:]]


def gather_evidence(
    job: tuple[Path, Sequence[FaceJob], float, Path | None], max_megapixels: float = MAX_MEGAPIXELS
) -> VideoEvidence:
    """Reads a video once.

    Args:
        job: the video, its faces, its frames per second, and where its preview goes, if it gets
            one.

    Raises:
        InputError: the video cannot be read.
    """
    video, faces, fps, path = job
    shown = [_ShownFace(face, fps) for face in faces]
    wanted = {number for face in shown for number in face.wanted}
    last = max(wanted, default=-1)
    with (
        local_copy(video) as on_disk,
        Video(on_disk, max_megapixels=max_megapixels) as opened,
    ):
        if path is None:
            _read(opened, shown, wanted, last, None)
            return VideoEvidence([face.evidence() for face in shown], None)
        preview = PreviewWriter(path, fps, [face.landmarks for face in faces])
        with preview:
            _read(opened, shown, wanted, last, preview)
        return VideoEvidence([face.evidence() for face in shown], preview.preview())


def _read(
    video: Video,
    faces: Sequence[_ShownFace],
    wanted: set[int],
    last: int,
    preview: PreviewWriter | None,
) -> None:
    for number, frame in enumerate(video.frames()):
        if number in wanted:
            for face in faces:
                face.look(number, frame.picture)
        if preview is not None:
            preview.add(number, frame)
        if number >= last and (preview is None or preview.full):
            break


class _ShownFace:
    """A face whose pictures are cut out as its frames come."""

    def __init__(self, face: FaceJob, fps: float) -> None:
        self._face = face
        self._numbers = [_frame_numbers(clip, fps, face.landmarks) for clip in face.clips]
        self._places: dict[int, tuple] = {}
        self._pictures: dict[int, np.ndarray] = {}
        self._fields = self._thumbnail = ""
        middles = [numbers[len(numbers) // 2] for numbers in self._numbers if numbers]
        self._middle = middles[0] if middles else next(iter(face.landmarks), -1)
        for clip, numbers in zip(face.clips, self._numbers, strict=True):
            self._places |= dict.fromkeys(numbers, (*_square(numbers, face), score_rgb(clip.score)))
        self.wanted = {*self._places, self._middle}

    def look(self, number: int, picture: np.ndarray) -> None:
        landmarks = self._face.landmarks
        if number in self._places:
            middle, side, rgb = self._places[number]
            cut = _cut(picture, middle, side, SIDE)
            drawn = draw_landmarks(
                cut, (landmarks[number] - middle + side / 2) * SIDE / side, rgb[::-1], DOT_RADIUS
            )
            self._pictures[number] = cv2.cvtColor(drawn, cv2.COLOR_BGR2RGB)
        if number == self._middle and number in landmarks:
            middle, side = _square([number], self._face)
            thumbnail = _cut(picture, middle, side, THUMBNAIL_SIDE)
            self._thumbnail = _encode([cv2.cvtColor(thumbnail, cv2.COLOR_BGR2RGB)])
            if self._face.fields is not None:
                drawn = _draw_fields(picture, landmarks[number], self._face.fields)
                self._fields = _encode([drawn])

    def evidence(self) -> FaceEvidence:
        shown = []
        for clip, numbers in zip(self._face.clips, self._numbers, strict=True):
            faces = [self._pictures[number] for number in numbers if number in self._pictures]
            if faces:
                still = _encode(faces[len(faces) // 2 :][:1])
                shown.append(ClipPicture(clip, _encode(faces), still))
        return FaceEvidence(shown, self._fields, self._thumbnail)


def _frame_numbers(clip: ClipScore, fps: float, known: Mapping[int, np.ndarray]) -> list[int]:
    step = max(1, round(SECONDS_APART * fps))
    middle = (clip.start + clip.end) // 2
    first = max(clip.start, middle - step * FRAMES // 2)
    numbers = range(first, min(clip.end, first + step * FRAMES), step)
    return [number for number in numbers if number in known]


def _square(numbers: Sequence[int], face: FaceJob) -> tuple[np.ndarray, float]:
    """Middle and side of what is shown of a face in some frames."""
    if not numbers:
        return np.zeros(2), 1.0
    points = np.array([face.landmarks[number] for number in numbers])
    low, high = points.min(axis=(0, 1)), points.max(axis=(0, 1))
    sizes = (points.max(axis=1) - points.min(axis=1)).max(axis=1)
    return (low + high) / 2, max(1.0, ROOM * float(sizes.mean()))


def _cut(picture: np.ndarray, middle: np.ndarray, side: float, pixels: int) -> np.ndarray:
    """A square of a picture, uint8 BGR (pixels, pixels, 3)."""
    scale = pixels / side
    corner = middle - side / 2
    matrix = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    return cv2.warpAffine(picture, matrix, (pixels, pixels), flags=cv2.INTER_AREA)


def _draw_fields(picture: np.ndarray, landmarks: np.ndarray, fields: np.ndarray) -> np.ndarray:
    """The aligned face, its fields tinted by their weight, uint8 RGB (240, 240, 3)."""
    a, b = template_transform(landmarks)
    step = a * PATCH_SIDE / SIDE
    corner = b + a * PATCH_CENTRE - step * (SIDE / 2) * (1 + 1j)
    into_frame = np.array(
        [[step.real, -step.imag, corner.real], [step.imag, step.real, corner.imag]]
    )
    face = cv2.warpAffine(
        picture, into_frame, (SIDE, SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    face = cv2.cvtColor(face, cv2.COLOR_BGR2RGB).astype(np.float32)
    share = fields / max(float(np.abs(fields).max()), 1e-9)
    wide = cv2.resize(share.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    strength = TINT * np.abs(wide)[..., None]
    colours = np.where(wide[..., None] > 0, FAKE_RGB, REAL_RGB)
    return np.rint(face * (1 - strength) + strength * colours).astype(np.uint8)


def _encode(pictures: Sequence[np.ndarray]) -> str:
    from PIL import Image

    images = [Image.fromarray(picture) for picture in pictures]
    buffer = io.BytesIO()
    moving = {"append_images": images[1:], "duration": round(1000 * SECONDS_APART), "loop": 0}
    more = {"save_all": True, **moving} if len(images) > 1 else {}
    images[0].save(buffer, "WEBP", quality=60, **more)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
