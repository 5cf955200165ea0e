"""Clips: the runs of consecutive frames that the network reads at once."""

from __future__ import annotations

import numpy as np


def clip_starts(frames: int, clip_length: int) -> np.ndarray:
    """First frames of the clips that fit: one after another, without overlap, int64.

    A rest shorter than a clip is left out. (The published code also lost the last clip where the
    clips fill the video exactly.)
    """
    return np.arange(0, frames - clip_length + 1, clip_length)


def cut_clips(landmarks: np.ndarray, clip_length: int) -> np.ndarray:
    """What stream g1 reads: (clips, clip_length, 136) float32 from landmarks (frames, 68, 2)."""
    starts = clip_starts(len(landmarks), clip_length)
    values = landmarks.reshape(len(landmarks), -1).astype(np.float32)
    return values[starts[:, None] + np.arange(clip_length)]


def differences(clips: np.ndarray) -> np.ndarray:
    """What stream g2 reads: each frame of a clip less the one before, (clips, frames - 1, 136)."""
    return np.diff(clips, axis=1)
