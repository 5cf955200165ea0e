"""Applies what a player applies: rotation, mirroring, pixel aspect, HDR tone mapping."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from ..errors import InputError
from ..limits import MAX_MEGAPIXELS

# Transfer characteristics that exceed 8-bit video (ITU-T H.273, table 3).
PERCEPTUAL_QUANTIZER, HYBRID_LOG_GAMMA = 16, 18
REFERENCE_WHITE = 203.0  # nits that diffuse white has in HDR video (ITU-R BT.2408)
HLG_PEAK = 1000.0  # nits of the nominal display of hybrid log-gamma (ITU-R BT.2100)
KNEE = 0.7  # of white: below it HDR is shown as it is, above it what is brighter is squeezed in
# Linear BT.2020 to BT.709 primaries (ITU-R BT.2087).
TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)


class TimedFrame(NamedTuple):
    """A picture, uint8 (H, W, 3) BGR, and its time in seconds from the first one's."""

    picture: np.ndarray
    time: float


@dataclass(frozen=True)
class Orientation:
    """How a picture is turned for display: rows and columns exchanged first, then mirrored."""

    transpose: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    def apply(self, picture: np.ndarray) -> np.ndarray:
        """A picture (H, W, channels), turned; the same one where there is nothing to turn."""
        if self.transpose:
            picture = cv2.transpose(picture)
        if self.mirror_x and self.mirror_y:
            return cv2.flip(picture, -1)
        if self.mirror_x or self.mirror_y:
            return cv2.flip(picture, 1 if self.mirror_x else 0)
        return picture


def orientation_of(matrix: bytes | None) -> Orientation:
    """The orientation that a display matrix asks for, to the nearest quarter turn.

    Args:
        matrix: nine little-endian int32 (ISO 14496-12, `tkhd`; FFmpeg's layout), by rows: a pixel
            at (x, y) is shown at (m0 x + m3 y, m1 x + m4 y). None for no matrix.
    """
    if matrix is None or len(matrix) < 36:
        return Orientation()
    m = np.frombuffer(matrix[:36], "<i4").astype(float)
    if max(abs(m[1]), abs(m[3])) > max(abs(m[0]), abs(m[4])):
        return Orientation(True, m[3] < 0, m[1] < 0)
    return Orientation(False, m[0] < 0, m[4] < 0)


def check_size(path: Path, width: int, height: int, most: float = MAX_MEGAPIXELS) -> None:
    """Raises InputError where a picture has more than so many million pixels."""
    if width * height > most * 1e6:
        raise InputError(
            f"{path}: frames of {width} x {height}; at most {most:g} million pixels are read "
            "(--max_megapixels allows more)"
        )


def square_pixels(width: int, height: int, aspect: float) -> tuple[int, int]:
    """The size at which pixels are square; the side that is too short grows.

    Args:
        aspect: of one pixel, its width over its height.
    """
    if not 0.1 < aspect < 10:
        return width, height
    return (round(width * aspect), height) if aspect >= 1 else (width, round(height / aspect))


@cache
def _linear_light(transfer: int) -> np.ndarray:
    """A table from 16-bit code values to light, 1 = diffuse white; (65536,) float32."""
    code = np.linspace(0, 1, 65536)
    if transfer == PERCEPTUAL_QUANTIZER:  # SMPTE ST 2084
        m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
        power = code ** (1 / m2)
        nits = 10_000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
    else:  # ITU-R BT.2100, scene light, then the nominal display's gamma of 1.2
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
        nits = HLG_PEAK * scene**1.2
    return (nits / REFERENCE_WHITE).astype(np.float32)


@cache
def _display_code() -> np.ndarray:
    """A table from light in 4096 steps up to white to sRGB code values, uint8."""
    light = np.linspace(0, 1, 4096)
    code = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(255 * code).astype(np.uint8)


def tone_map(picture: np.ndarray, transfer: int) -> np.ndarray:
    """HDR to 8 bits: mid-tones and faces keep their brightness, highlights are squeezed.

    Args:
        picture: uint16 (H, W, 3) RGB, BT.2020.
        transfer: `PERCEPTUAL_QUANTIZER` or `HYBRID_LOG_GAMMA`.

    Returns:
        uint8 (H, W, 3) BGR.
    """
    light = np.clip(_linear_light(transfer)[picture] @ TO_BT709.T, 0, None)
    room = 1 - KNEE
    squeezed = KNEE + room * (1 - np.exp(-np.maximum(light - KNEE, 0) / room))
    shown = np.where(light <= KNEE, light, squeezed)
    return np.ascontiguousarray(_display_code()[(shown * 4095).astype(np.uint16)][..., ::-1])


def over_black(picture: np.ndarray) -> np.ndarray:
    """A picture with alpha, uint8 (H, W, 4) BGRA, laid over black as players do; (H, W, 3)."""
    alpha = picture[..., 3:].astype(np.uint16)
    return ((picture[..., :3] * alpha + 127) // 255).astype(np.uint8)


def side_matrix(frame: Any) -> bytes | None:
    """The display matrix that a PyAV frame carries, or None."""
    from av.sidedata.sidedata import Type

    found = frame.side_data.get(Type.DISPLAYMATRIX)
    return None if found is None else bytes(found)
