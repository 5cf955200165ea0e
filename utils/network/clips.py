"""Clips: the runs of frames that the network reads at once, and the values it reads of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..rigid_motion import remove_rigid_motion
from ..shared import LANDMARKS, STILL_THRESHOLD
from ..weights.sets import CONVOLUTIONAL

FAST = 45.0  # frames per second from which a track is subsampled
STILL_SECONDS = 1.0  # a still range of this length or more is left out
MOVING_AVERAGE_FRAMES = 15  # window of the high-pass filter of g1, in frames


def clip_starts(frames: int, clip_length: int) -> np.ndarray:
    """First frames of the clips that fit: one after another, without overlap, int64.

    A rest shorter than a clip is left out. (The published code also lost the last clip where the
    clips fill the video exactly.)
    """
    return np.arange(0, frames - clip_length + 1, clip_length)


def clip_bounds(frames: int, clip_length: int, shortest: int) -> list[tuple[int, int]]:
    """First frame and the one after the last of each clip; a rest of `shortest` or more is one."""
    bounds = [(int(start), int(start) + clip_length) for start in clip_starts(frames, clip_length)]
    rest = bounds[-1][1] if bounds else 0
    return [*bounds, (rest, frames)] if frames - rest >= shortest else bounds


def cut_clips(landmarks: np.ndarray, clip_length: int, shortest: int) -> list[np.ndarray]:
    """The clips that `clip_bounds` makes of landmarks (frames, 68, 2): each (its frames, 136)
    float32."""
    values = landmarks.reshape(len(landmarks), -1).astype(np.float32)
    return [values[start:end] for start, end in clip_bounds(len(values), clip_length, shortest)]


def predict_by_length(
    predict: Callable[[np.ndarray], np.ndarray], clips: Sequence[np.ndarray]
) -> np.ndarray:
    """Predictions for clips of any lengths, a row (clips, ...) each; one batch a length.

    Args:
        predict: takes clips of one length, (n, frames, 136).
        clips: each (its frames, 136).
    """
    lengths = np.array([len(clip) for clip in clips])
    rows: dict[int, np.ndarray] = {}
    for length in np.unique(lengths):
        chosen = np.flatnonzero(lengths == length)
        rows_of_length = predict(np.stack([clips[index] for index in chosen.tolist()]))
        rows.update(zip(chosen.tolist(), rows_of_length, strict=True))
    return np.stack([rows[index] for index in range(len(clips))])


def mean_over_frames(values: np.ndarray, frames: Sequence[int] | np.ndarray) -> np.ndarray:
    """The mean of values (clips, ...) of clips, each weighted by its number of frames."""
    return np.average(values, axis=0, weights=frames)


def frame_stride(fps: float, known: tuple[float, float]) -> int:
    """Every how many-th frame of a track is read, so that its rate comes near the known ones.

    Args:
        fps: of the track; known: frames per second that the network knows, from and to.
    """
    if fps < FAST or not np.isfinite(fps):
        return 1
    middle = np.sqrt(max(known[0], 1) * known[1])
    if middle >= fps:
        return 1
    steps = np.arange(1, max(2, round(fps / middle) + 2))
    return int(steps[np.abs(np.log(fps / steps / middle)).argmin()])


def moving_ranges(landmarks: np.ndarray, fps: float) -> list[tuple[int, int]]:
    """Where something moves in a face: first frame and the one after the last of each part.

    Args:
        landmarks: (frames, 68, 2) of one segment.
    """
    frames = len(landmarks)
    window = max(3, round(STILL_SECONDS * fps))
    if frames < window:
        return [(0, frames)]
    own = remove_rigid_motion(landmarks[None])[0][0].reshape(frames, -1).astype(np.float64)
    sums = np.concatenate([np.zeros((1, own.shape[1])), own.cumsum(axis=0)])
    squares = np.concatenate([np.zeros((1, own.shape[1])), np.square(own).cumsum(axis=0)])
    mean = (sums[window:] - sums[:-window]) / window
    variance = (squares[window:] - squares[:-window]) / window - np.square(mean)
    moves = np.sqrt(2 * np.maximum(variance, 0).mean(axis=1)) >= STILL_THRESHOLD  # by window
    moving = np.zeros(frames, bool)
    for start in np.flatnonzero(moves):
        moving[start : start + window] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[0], moving.astype(int), [0]])))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def differences(clips: np.ndarray) -> np.ndarray:
    """Each frame of a clip less the one before, (clips, frames - 1, 136)."""
    return np.diff(clips, axis=1)


def subtract_moving_average(clips: np.ndarray) -> np.ndarray:
    """Values (clips, frames, 136) minus their centred moving average: a high-pass filter."""
    frames = clips.shape[1]
    sums = np.concatenate([np.zeros_like(clips[:, :1]), clips], axis=1).cumsum(axis=1)
    index, half = np.arange(frames), MOVING_AVERAGE_FRAMES // 2
    low, high = np.maximum(index - half, 0), np.minimum(index + half + 1, frames)
    return clips - (sums[:, high] - sums[:, low]) / (high - low)[None, :, None]


def stream_values(architecture: str, stream: str, clips: np.ndarray) -> np.ndarray:
    """What a stream reads of clips (clips, frames, 136).

    Published architectures read landmarks (g1) and their differences (g2) as they are in the file;
    the convolutional one reads the face's own motion, the head's taken off: less its slow course
    (g1), its differences (g2).
    """
    if architecture == CONVOLUTIONAL:
        points = clips.reshape(*clips.shape[:2], LANDMARKS, 2)
        own = remove_rigid_motion(points)[0].reshape(clips.shape)
        return subtract_moving_average(own) if stream == "g1" else differences(own)
    return clips if stream == "g1" else differences(clips)
