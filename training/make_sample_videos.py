#!/usr/bin/env python3
"""Animates one public-domain portrait into the two videos of `input/`.

`sample_real.mp4`: head pose, blinks and speech move continuously; every frame is one smooth warp of
the portrait. `sample_fake.mp4`: the same motion, but the inner face is regenerated for every frame,
with a small displacement of its own, and blended in, as face swaps do.

The portrait is NASA's of Eileen Collins, which scikit-image carries as `astronaut()`.
`python -m training.make_sample_videos -h` from the project's folder.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from training.h264 import H264Video
from utils.console import notice, progress, run_script
from utils.FaceDetector import make_face_detector
from utils.landmark_files.formats import ALIGNED, align
from utils.landmark_files.io import LandmarkTrack, read_landmarks, write_landmarks
from utils.LandmarkDetector import make_landmark_detector
from utils.run.extraction_job import ExtractionOptions
from utils.run.video_extraction import VideoExtractor
from utils.shared import MIRRORED_LANDMARKS

SAMPLES = ("sample_real", "sample_fake")
FPS, SECONDS = 30, 10
FRAME_PIXELS = 512
FACE_PIXELS = 235  # between the ends of the jaw line
GRID = 33  # the warp is computed on this many points a side, then enlarged

JAW, NOSE, LIPS = slice(0, 17), slice(27, 36), slice(48, 68)
UPPER_LIDS, LOWER_LIDS = (37, 38, 43, 44), (41, 40, 47, 46)
LOWER_LIPS = (55, 56, 57, 58, 59, 65, 66, 67)
CHIN = (5, 6, 7, 8, 9, 10, 11)


def portrait() -> tuple[np.ndarray, np.ndarray]:
    """The enlarged portrait (512, 512, 3) uint8 BGR and its landmarks (68, 2) in its pixels."""
    from skimage import data

    picture = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)
    landmarks = find_landmarks(picture)
    scale = FACE_PIXELS / np.ptp(landmarks[JAW, 0])
    centre = (landmarks.min(axis=0) + landmarks.max(axis=0)) / 2 - (0, 0.12 * FACE_PIXELS / scale)
    shift = FRAME_PIXELS / 2 - scale * centre
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    enlarged = cv2.warpAffine(
        picture,
        matrix,
        (FRAME_PIXELS, FRAME_PIXELS),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return enlarged, find_landmarks(enlarged)


def find_landmarks(picture: np.ndarray) -> np.ndarray:
    """dlib's landmarks (68, 2) of the largest face of a picture, uint8 (H, W, 3) BGR."""
    boxes = make_face_detector("dlib").detect([picture])[0]
    largest = boxes[(boxes[:, 2] - boxes[:, 0]).argmax(), :4]
    return make_landmark_detector("dlib").detect([picture], [largest])[0].landmarks


@dataclass(frozen=True)
class Motion:
    """What moves, a value a frame: angles in radians, shifts in pixels, the rest from 0 to 1."""

    yaw: np.ndarray
    pitch: np.ndarray
    roll: np.ndarray
    shift: np.ndarray  # (frames, 2)
    lids: np.ndarray  # 1 = down
    mouth: np.ndarray  # 1 = wide open
    smile: np.ndarray  # may be negative: rounded lips

    @staticmethod
    def natural(frames: int, random: np.random.Generator) -> Motion:
        """Smooth head motion, blinks every few seconds, speech in phrases."""
        angle = np.deg2rad(1.0)
        return Motion(
            yaw=11 * angle * wander(frames, random, 0.45),
            pitch=5 * angle * wander(frames, random, 0.5),
            roll=3.5 * angle * wander(frames, random, 0.35),
            shift=6 * np.stack([wander(frames, random, 0.4) for _ in range(2)], axis=1),
            lids=blinks(frames, random),
            mouth=speech(frames, random),
            smile=0.8 * wander(frames, random, 1.2),
        )


def wander(frames: int, random: np.random.Generator, hertz: float) -> np.ndarray:
    """A smooth random curve of about unit size without motion faster than about `hertz`."""
    time = np.arange(frames) / FPS
    rates = hertz * random.uniform(0.25, 1.0, 6)
    phases = random.uniform(0, 2 * np.pi, 6)
    return np.sin(2 * np.pi * rates * time[:, None] + phases).sum(axis=1) / np.sqrt(6)


def blinks(frames: int, random: np.random.Generator) -> np.ndarray:
    """Lids that come down for a quarter of a second every three to five seconds."""
    closed = np.zeros(frames)
    time = np.arange(frames) / FPS
    moment = random.uniform(1, 2)
    while moment < frames / FPS:
        closed = np.maximum(closed, np.exp(-0.5 * ((time - moment) / 0.1) ** 2))
        moment += random.uniform(3, 5)
    return closed


def speech(frames: int, random: np.random.Generator) -> np.ndarray:
    """A mouth that opens twice a second or so, in phrases with rests between them."""
    syllables = 0.5 + 0.5 * np.tanh(1.5 * wander(frames, random, 2.0))
    phrases = 1 / (1 + np.exp(-6 * (wander(frames, random, 0.5) + 0.5)))
    return syllables * phrases


class PortraitAnimator:
    """Renders the portrait in any pose, by one thin-plate warp a frame."""

    def __init__(self, picture: np.ndarray, landmarks: np.ndarray) -> None:
        self._picture = picture
        self.landmarks = landmarks
        self._centre = landmarks[NOSE].mean(axis=0)
        self._size = float(np.ptp(landmarks[JAW, 0]))
        self._depth = self._depths()
        ring, side = np.linspace(0, 2 * np.pi, 16, endpoint=False), np.linspace(0, FRAME_PIXELS, 7)
        hair = self._centre + 0.95 * self._size * np.stack([np.cos(ring), np.sin(ring)], axis=1)
        self._hair = hair[hair[:, 1] < self._centre[1] + 0.3 * self._size]
        edge = [(x, y) for x in side for y in side if min(x, y) == 0 or max(x, y) == FRAME_PIXELS]
        self._edge = np.array(edge)
        steps = np.linspace(0, FRAME_PIXELS - 1, GRID)
        self._grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)

    def _depths(self) -> np.ndarray:
        """How far each landmark stands out towards the viewer, in pixels: an ellipsoid."""
        offset = (self.landmarks - self._centre) / (self._size * np.array([0.56, 0.85]))
        depth = 0.45 * self._size * np.sqrt(np.clip(1 - np.square(offset).sum(axis=1), 0, 1))
        depth[NOSE] += self._size * np.array([0.02, 0.06, 0.10, 0.14, 0.05, 0.08, 0.10, 0.08, 0.05])
        return (depth + depth[list(MIRRORED_LANDMARKS)]) / 2

    def _pose(self, points: np.ndarray, depth: np.ndarray, motion: Motion, now: int) -> np.ndarray:
        """Points (n, 2) and their depth turned about a neck behind the face, in perspective."""
        neck = 0.25 * self._size
        x, y = (points - self._centre).T
        z = depth + neck
        cos, sin = np.cos(motion.yaw[now]), np.sin(motion.yaw[now])
        x, z = cos * x + sin * z, cos * z - sin * x
        cos, sin = np.cos(motion.pitch[now]), np.sin(motion.pitch[now])
        y, z = cos * y - sin * z, cos * z + sin * y
        cos, sin = np.cos(motion.roll[now]), np.sin(motion.roll[now])
        x, y = cos * x - sin * y, cos * y + sin * x
        nearer = 1 / (1 - (z - neck) / (8 * self._size))
        return self._centre + nearer[:, None] * np.stack([x, y], axis=1) + motion.shift[now]

    def express(self, motion: Motion, now: int) -> np.ndarray:
        """The landmarks (68, 2) with lids and mouth moved, in the portrait's own pose."""
        points = self.landmarks.copy()
        for upper, lower in zip(UPPER_LIDS, LOWER_LIDS, strict=True):
            points[upper] += 0.5 * motion.lids[now] * (points[lower] - points[upper])
        drop = motion.mouth[now] * self._size
        points[list(LOWER_LIPS), 1] += 0.06 * drop
        points[list(CHIN), 1] += 0.04 * drop
        middle = points[LIPS, 0].mean()
        points[LIPS, 0] += 0.05 * motion.smile[now] * (points[LIPS, 0] - middle)
        return points

    def target(self, motion: Motion, now: int) -> np.ndarray:
        """Where the landmarks (68, 2) are in frame `now`."""
        return self._pose(self.express(motion, now), self._depth, motion, now)

    def render(self, motion: Motion, now: int, added: np.ndarray | None = None) -> np.ndarray:
        """Frame `now`, uint8 (512, 512, 3) BGR, its landmarks displaced by `added` (68, 2)."""
        from scipy.interpolate import RBFInterpolator

        face = self.target(motion, now) + (0 if added is None else added)
        hair = self._pose(self._hair, np.zeros(len(self._hair)), motion, now)
        sources = np.concatenate([self.landmarks, self._hair, self._edge])
        targets = np.concatenate([face, hair, self._edge])
        warp = RBFInterpolator(targets, sources - targets, kernel="thin_plate_spline", smoothing=1)
        coarse = (self._grid + warp(self._grid)).reshape(GRID, GRID, 2).astype(np.float32)
        places = enlarge_map(coarse)
        no_map: Any = None  # OpenCV's types know two maps only
        return cv2.remap(
            self._picture, places, no_map, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )


def enlarge_map(coarse: np.ndarray) -> np.ndarray:
    """A map (GRID, GRID, 2), whose corners are those of the frame, for every pixel."""
    places = np.linspace(0, GRID - 1, FRAME_PIXELS, dtype=np.float32)
    x, y = np.meshgrid(places, places)
    return cv2.remap(coarse, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


class FaceResynthesis:
    """What a face swap does to a frame: the inner face regenerated at low resolution and blended
    in."""

    SWAP_PIXELS = 160  # resolution of the made face
    JITTER = 0.011  # of the face's width: how far it misses the frame before

    def __init__(self, animator: PortraitAnimator, random: np.random.Generator) -> None:
        self._animator = animator
        self._random = random

    def displacement(self) -> np.ndarray:
        """A displacement (68, 2) in pixels, smooth in space, that knows nothing of other frames."""
        points = self._animator.landmarks
        size = np.ptp(points[JAW, 0])
        bumps = points[self._random.choice(np.arange(17, 68), 6, replace=False)]
        squares = np.square(points[:, None] - bumps).sum(axis=-1)
        weights = np.exp(-squares / (2 * (0.3 * size) ** 2))
        moved = weights @ self._random.standard_normal((len(bumps), 2)) * self.JITTER * size
        moved[JAW] *= 0.3
        return moved

    def render(self, frame: np.ndarray, motion: Motion, now: int) -> np.ndarray:
        """`frame` with a face of its own blended over it."""
        made = self._animator.render(motion, now, self.displacement())
        small = cv2.resize(made, (self.SWAP_PIXELS,) * 2, interpolation=cv2.INTER_AREA)
        made = cv2.resize(small, frame.shape[1::-1], interpolation=cv2.INTER_CUBIC).astype(float)
        made = made * self._random.normal(1, 0.01) + self._random.normal(0, 1, 3)
        mask = self._mask(motion, now)
        return np.clip(mask * made + (1 - mask) * frame, 0, 255).astype(np.uint8)

    def _mask(self, motion: Motion, now: int) -> np.ndarray:
        """1 inside the face, falling softly to 0 outside, (512, 512, 1)."""
        points = self._animator.target(motion, now)
        hull = cv2.convexHull(np.rint(points).astype(np.int32))
        mask = cv2.fillConvexPoly(np.zeros((FRAME_PIXELS, FRAME_PIXELS), np.float32), hull, 1.0)
        return cv2.GaussianBlur(cv2.erode(mask, np.ones((15, 15))), (0, 0), 7)[..., None]


def make_videos(folder: Path, seed: int) -> None:
    """Writes both videos; the same seed makes the same ones."""
    random = np.random.default_rng(seed)
    animator = PortraitAnimator(*portrait())
    motion = Motion.natural(FPS * SECONDS, random)
    swap = FaceResynthesis(animator, random)
    folder.mkdir(parents=True, exist_ok=True)
    real_path, fake_path = (folder / f"{name}.mp4" for name in SAMPLES)
    size = FRAME_PIXELS, FRAME_PIXELS
    with H264Video(real_path, size, FPS) as real, H264Video(fake_path, size, FPS) as fake:
        for now in progress(range(FPS * SECONDS), desc="render", unit="frame"):
            frame = animator.render(motion, now)
            real(grain(frame, random))
            fake(grain(swap.render(frame, motion, now), random))


def grain(frame: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A camera's noise over a frame, uint8 BGR."""
    noisy = frame + random.normal(0, 1.5, frame.shape[:2])[..., None]
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def write_aligned_landmarks(videos: Path, folder: Path) -> None:
    """Extracts the samples' landmarks with dlib and writes them in the old, aligned format."""
    for name in SAMPLES:
        with tempfile.TemporaryDirectory() as extracted:
            options = ExtractionOptions(
                output_path=Path(extracted), face_detector="dlib", landmark_detector="dlib"
            )
            path = Path(extracted) / f"{name}.txt"
            VideoExtractor(options).extract(videos / f"{name}.mp4", path, show_progress=False)
            track = read_landmarks(path)
        aligned = LandmarkTrack(align(track.landmarks), ALIGNED, track.header)
        write_landmarks(folder / f"{name}.txt", aligned)


def main() -> int:
    parser = argparse.ArgumentParser(prog="training.make_sample_videos")
    parser.add_argument("--output", type=Path, default=Path("input"), help="folder to write to")
    parser.add_argument("--landmarks", type=Path, help="folder for their landmarks, aligned")
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    make_videos(given.output, given.seed)
    notice(f"sample_real.mp4 and sample_fake.mp4 are in {given.output}")
    if given.landmarks:
        write_aligned_landmarks(given.output, given.landmarks)
    return 0


if __name__ == "__main__":
    sys.exit(run_script("training.make_sample_videos", main))
