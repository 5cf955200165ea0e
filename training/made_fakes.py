"""Kinds of fake that can be made from real videos, frame by frame.

A swap network sees one frame at a time, so the face that it makes misses the frame before: that,
not the texture, is what landmarks show. Every kind here draws how large, how smooth in space and
how lasting in time those misses are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from training.augmentation import smooth_fields
from training.face_compositing import (
    INNER_FACE,
    MOUTH,
    blend,
    match_colour,
    region_mask,
    through_pixels,
    warp_to,
)


@dataclass(frozen=True)
class FaceVideo:
    """A real face cut from its video.

    Attributes:
        name: of the video.
        frames: uint8 (height, width, 3) BGR pictures, all of one size.
        landmarks: (frames, 68, 2) in their pixels, calibrated.
        fps: frames per second.
    """

    name: str
    frames: list[np.ndarray]
    landmarks: np.ndarray
    fps: float

    @property
    def size(self) -> tuple[int, int]:
        height, width = self.frames[0].shape[:2]
        return width, height


def face_width(landmarks: np.ndarray) -> float:
    """Mean distance between the ends of the jaw line, (frames, 68, 2)."""
    return float(np.linalg.norm(landmarks[:, 16] - landmarks[:, 0], axis=-1).mean())


def similarity(shape: np.ndarray, onto: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 2 x 2 matrix and shift of the similarity that brings (68, 2) nearest to another.

    Least squares: Umeyama, PAMI 1991, in the plane.
    """
    a, b = shape - shape.mean(axis=0), onto - onto.mean(axis=0)
    scale = np.square(a).sum()
    cos = (a * b).sum() / scale
    sin = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / scale
    matrix = np.array([[cos, sin], [-sin, cos]])
    return matrix, onto.mean(axis=0) - shape.mean(axis=0) @ matrix


def shapes(landmarks: np.ndarray) -> np.ndarray:
    """Landmarks (frames, 68, 2) without position, size and roll: each brought onto their mean."""
    mean = landmarks.mean(axis=0)
    fits = (similarity(points, mean) for points in landmarks)
    found = [points @ m + s for points, (m, s) in zip(landmarks, fits, strict=True)]
    return (np.array(found) - mean.mean(axis=0)) / face_width(mean[None])


def remembered(noise: np.ndarray, memory: float) -> np.ndarray:
    """White noise (frames, ...) made a first-order autoregression of the same variance."""
    out = noise.copy()
    for now in range(1, len(noise)):
        out[now] = memory * out[now - 1] + np.sqrt(1 - memory**2) * noise[now]
    return out


def misses(landmarks: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """How far each frame's made face is off, (frames, 68, 2) pixels: similarity and deformation."""
    frames, width = len(landmarks), face_width(landmarks)
    memory = random.uniform(0, 0.6) * (random.random() < 0.7)
    noise = random.standard_normal((frames, 4)) * np.array([1, 1, 0.8, 0.8])
    size = np.exp(random.uniform(np.log(0.001), np.log(0.008)))
    move = size * remembered(noise, memory)
    centred = landmarks - landmarks[:, 27:36].mean(axis=1, keepdims=True)
    turned = np.stack([-centred[..., 1], centred[..., 0]], axis=-1)
    rigid = width * move[:, None, :2] + 2 * (move[:, 2, None, None] * centred)
    rigid += 2 * move[:, 3, None, None] * turned
    bend = np.exp(random.uniform(np.log(0.001), np.log(0.008)))
    reach = random.uniform(0.15, 0.5) * width
    fields = smooth_fields(landmarks[:1], random, frames, reach)[0]
    return rigid + bend * width * remembered(fields, memory)


def proportions(landmarks: np.ndarray, random: np.random.Generator, share: float) -> np.ndarray:
    """Another person's proportions: one smooth displacement (68, 2) in pixels."""
    width = face_width(landmarks)
    return share * width * smooth_fields(landmarks[:1], random, 1, 0.35 * width)[0, 0]


@dataclass(frozen=True)
class Composite:
    """How a made face is put into the frames; drawn once a video."""

    region: np.ndarray  # landmarks whose hull is replaced
    softness: float
    resolution: float  # of the made face, as a share of the frame's
    seamless: bool
    flicker: float  # deviation of its brightness, from frame to frame

    @staticmethod
    def drawn(region: np.ndarray, width: float, random: np.random.Generator) -> Composite:
        return Composite(
            region=region,
            softness=random.uniform(0.04, 0.15),
            resolution=random.uniform(56, 200) / width,
            seamless=random.random() < 0.4,
            flicker=random.uniform(0, 0.015),
        )

    def over(
        self,
        frame: np.ndarray,
        landmarks: np.ndarray,
        texture: tuple[np.ndarray, np.ndarray],
        made_landmarks: np.ndarray,
        random: np.random.Generator,
    ) -> np.ndarray:
        """The frame with a texture's face, warped to `made_landmarks`, in the region."""
        made = warp_to(*texture, made_landmarks, frame.shape[1::-1])
        made = through_pixels(made, self.resolution)
        mask = region_mask(landmarks[self.region], frame.shape, self.softness)
        made = match_colour(made, frame, mask)
        bright = made * (1 + self.flicker * random.standard_normal())
        return blend(frame, np.clip(bright, 0, 255).astype(np.uint8), mask, self.seamless)


Maker = Callable[[FaceVideo, FaceVideo, np.random.Generator], Iterator[np.ndarray]]


def self_swap(video: FaceVideo, _: FaceVideo, random: np.random.Generator) -> Iterator[np.ndarray]:
    """A swap onto oneself: the inner face of the frame itself, with other proportions, misplaced.

    Self-blended images (Shiohara and Yamasaki, CVPR 2022), as a video.
    """
    composite = Composite.drawn(INNER_FACE, face_width(video.landmarks), random)
    other = proportions(video.landmarks, random, 0.02)
    missed = misses(video.landmarks, random)
    for frame, points, miss in zip(video.frames, video.landmarks, missed, strict=True):
        yield composite.over(frame, points, (frame, points), points + other + miss, random)


def face_swap(
    video: FaceVideo, donor: FaceVideo, random: np.random.Generator
) -> Iterator[np.ndarray]:
    """The donor's face: of each of its frames the one whose pose and expression are nearest."""
    composite = Composite.drawn(INNER_FACE, face_width(video.landmarks), random)
    missed = misses(video.landmarks, random)
    ours, theirs = shapes(video.landmarks), shapes(donor.landmarks)
    theirs_moving, ours_moving = theirs - theirs.mean(axis=0), ours - ours.mean(axis=0)
    own_look = random.uniform(0, 0.7) * (theirs.mean(axis=0) - ours.mean(axis=0))
    for now, (frame, points) in enumerate(zip(video.frames, video.landmarks, strict=True)):
        nearest = int(np.square(theirs_moving - ours_moving[now]).sum(axis=(1, 2)).argmin())
        matrix, _ = similarity(ours[now], points)
        made = points + own_look @ matrix + missed[now]
        texture = donor.frames[nearest], donor.landmarks[nearest]
        yield composite.over(frame, points, texture, made, random)


def reenactment(
    video: FaceVideo, driver: FaceVideo, random: np.random.Generator
) -> Iterator[np.ndarray]:
    """Another's expressions on one's own face and head, as Face2Face makes them."""
    composite = Composite.drawn(INNER_FACE, face_width(video.landmarks), random)
    theirs = shapes(driver.landmarks)
    moving = theirs - np.median(theirs, axis=0)
    ours = shapes(video.landmarks)
    still = np.median(ours, axis=0)
    missed = misses(video.landmarks, random) * random.uniform(0, 0.7)
    for now, (frame, points) in enumerate(zip(video.frames, video.landmarks, strict=True)):
        matrix, shift = similarity(ours[now], points)
        wanted = (still + moving[there_and_back(now, len(moving))]) @ matrix + shift
        wanted[:17] = points[:17]
        yield composite.over(frame, points, (frame, points), wanted + missed[now], random)


def lip_sync(
    video: FaceVideo, speaker: FaceVideo, random: np.random.Generator
) -> Iterator[np.ndarray]:
    """Another moment's mouth, or another person's, at low resolution, as Wav2Lip makes it."""
    source = video if random.random() < 0.5 else speaker
    start = int(random.integers(len(source.frames) // 4, 1 + 3 * len(source.frames) // 4))
    composite = Composite.drawn(MOUTH, 2 * face_width(video.landmarks), random)
    missed = misses(video.landmarks, random) * random.uniform(0, 1)
    ours, theirs = shapes(video.landmarks), shapes(source.landmarks)
    for now, (frame, points) in enumerate(zip(video.frames, video.landmarks, strict=True)):
        then = there_and_back(start + now, len(theirs))
        matrix, shift = similarity(ours[now], points)
        moving = theirs[then] - theirs.mean(axis=0)
        wanted = points.copy()
        mouth = slice(48, 68)
        wanted[mouth] = (ours.mean(axis=0) + moving)[mouth] @ matrix + shift
        wanted[5:12] += 0.5 * (moving - ours[now] + ours.mean(axis=0))[5:12] @ matrix
        texture = source.frames[then], source.landmarks[then]
        yield composite.over(frame, points, texture, wanted + missed[now], random)


def there_and_back(frame: int, frames: int) -> int:
    """Where `frame` falls in a video that is played forwards and backwards in turn."""
    turn = frame % (2 * frames)
    return turn if turn < frames else 2 * frames - 1 - turn


KINDS: dict[str, Maker] = {
    "self-swap": self_swap,
    "face-swap": face_swap,
    "reenactment": reenactment,
    "lip-sync": lip_sync,
}
