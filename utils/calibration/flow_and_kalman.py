"""Landmark calibration: Lucas-Kanade flow from the previous frame, merged with the detection.

A detector finds each frame's landmarks independently, so they jitter. Optical flow is smooth but
drifts. LRNet (section 3.2 of the paper) takes the flow where it can be trusted and merges it with
the detection through a Kalman filter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

from ..shared import CROP_CENTRE, LANDMARKS

FLOW_WINDOW = (15, 15)  # pixels
FLOW_LEVELS = 3  # pyramid levels above the base
FLOW_STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 10, 0.03)  # iterations, pixels

ROUND_TRIP_PIXELS = 2.0  # a landmark that comes back further away is not trusted
PROCESS_VARIANCE = 0.3  # what one frame adds to the variance of a tracked landmark

Flow = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def lucas_kanade(
    face: np.ndarray, next_face: np.ndarray, start: np.ndarray, guess: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where points of one picture lie in the next: OpenCV's pyramidal Lucas-Kanade.

    Args:
        face, next_face: uint8 (H, W, 3), of one size.
        start: (n, 2) x, y in pixels of `face`.
        guess: (n, 2), where the search in `next_face` begins.

    Returns:
        Points (n, 2) float64, sub-pixel, and found (n,) bool.
    """
    points, status, _ = cv2.calcOpticalFlowPyrLK(
        face,
        next_face,
        start.astype(np.float32).reshape(-1, 1, 2),
        guess.astype(np.float32).reshape(-1, 1, 2),
        winSize=FLOW_WINDOW,
        maxLevel=FLOW_LEVELS,
        criteria=FLOW_STOP,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return points.reshape(-1, 2).astype(np.float64), status.ravel() == 1


@dataclass
class LandmarkKalman:
    """One scalar Kalman filter a landmark, all landmarks at once.

    The detection's variance is estimated from how far the landmark moved by detection and by flow;
    the published code does the same.
    """

    variance: np.ndarray = field(default_factory=lambda: np.zeros(LANDMARKS))

    def update(
        self,
        calibrated: np.ndarray,
        flowed: np.ndarray,
        detection: np.ndarray,
        next_detection: np.ndarray,
        trusted: np.ndarray,
    ) -> np.ndarray:
        """The next frame's landmarks.

        Args:
            calibrated, detection: (68, 2), this frame's landmarks after and before calibration.
            flowed: (68, 2), where the flow carries `calibrated`.
            next_detection: (68, 2), what the detector found in the next frame.
            trusted: (68,) bool, whose flow came back; the others keep their detection and their
                variance.

        Returns:
            (68, 2) float64, whole pixels: the published code drops the fraction, and its weights
            were trained on that.
        """
        predicted = self.variance + PROCESS_VARIANCE
        by_detection = np.linalg.norm(next_detection - detection, axis=1)
        by_flow = np.linalg.norm(flowed - calibrated, axis=1)
        measured = by_detection / np.where(by_flow == 0, 1.0, by_flow)
        gain = predicted / (predicted + measured)
        merged = np.trunc(flowed + gain[:, None] * (next_detection - flowed))
        self.variance = np.where(trusted, (1 - gain) * predicted, self.variance)
        return np.where(trusted[:, None], merged, next_detection)


class Calibrator:
    """Calibrates a sequence of faces, one `step` a frame; only the last face is kept.

    Attributes:
        trusted_share: share of landmarks so far whose flow came back to where it started.
    """

    def __init__(self, flow: Flow = lucas_kanade) -> None:
        self._flow = flow
        self._kalman = LandmarkKalman()
        self._last: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        self._trusted = 0
        self._tracked = 0

    @property
    def trusted_share(self) -> float:
        return self._trusted / self._tracked if self._tracked else 1.0

    def step(self, face: np.ndarray, detection: np.ndarray) -> np.ndarray:
        """The calibrated landmarks of the next face.

        Args:
            face: uint8 (400, 400, 3), the crop.
            detection: (68, 2) in the crop's whole pixels.

        Returns:
            (68, 2) float64 in the crop's pixels.
        """
        if self._last is None:
            calibrated = detection.astype(np.float64)
        else:
            calibrated = self._track(*self._last, face, detection)
        self._last = face, detection, calibrated
        return calibrated

    def _track(
        self,
        face: np.ndarray,
        detection: np.ndarray,
        calibrated: np.ndarray,
        next_face: np.ndarray,
        next_detection: np.ndarray,
    ) -> np.ndarray:
        flowed, found = self._flow(face, next_face, calibrated, next_detection)
        returned, found_back = self._flow(next_face, face, flowed, calibrated)
        flowed, returned = np.rint(flowed), np.rint(returned)
        round_trip = np.linalg.norm(returned - calibrated, axis=1)
        trusted = found & found_back & (round_trip <= ROUND_TRIP_PIXELS)
        self._trusted += int(trusted.sum())
        self._tracked += len(trusted)
        return self._kalman.update(calibrated, flowed, detection, next_detection, trusted)


def normalize(landmarks: np.ndarray) -> np.ndarray:
    """Landmarks (..., 2) from pixels of the 400-pixel crop to [-1, 1], as files hold them."""
    return (landmarks - CROP_CENTRE) / CROP_CENTRE
