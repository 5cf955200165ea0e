"""The figures of one clip that the kernel machine reads: of its texture, and of its motion.

All are ratios, logarithms or correlations, so that contrast, brightness and size of a face cancel.
"""

from __future__ import annotations

import numpy as np

from ..rigid_motion import remove_rigid_motion
from ..shared import LEFT_EYE, RIGHT_EYE
from .field_measures import FIELDS, MEASURES

# Of a field, over the frames of a clip.
TEXTURE_FIGURES = (
    *("change_over_gradient", "acceleration_over_change", "change_peaks"),
    *("fine_over_middle", "middle_over_coarse"),
    *("fine_flicker", "middle_flicker", "coarse_flicker", "unchanged"),
    *("pulse_over_noise", "noise", "colour_noise"),
)
# Parts of the face whose motion is told apart, by their landmarks.
REGIONS = {
    "jaw": slice(0, 17),
    "brows": slice(17, 27),
    "nose": slice(27, 36),
    "eyes": slice(36, 48),
    "outer_lips": slice(48, 60),
    "inner_lips": slice(60, 68),
}
BAND_EDGES = (0.0, 1.0, 2.5, 5.0, 8.0, 12.6)  # Hz
PULSE_BAND, NOISE_BAND = (0.7, 3.0), (4.0, 12.6)  # Hz, of the skin's colour
PRINCIPAL_COMPONENTS = 12
_TINY = 1e-12
MOTION_FIGURES = 12 * len(REGIONS) + 15 + 20 + 6 + PRINCIPAL_COMPONENTS + 1 + 12


def _band_energies(
    signals: np.ndarray, fps: float, edges: tuple[tuple[float, float], ...]
) -> np.ndarray:
    """Energy of signals (frames, n), their trend removed, in bands of Hz: (bands, n)."""
    frames = len(signals)
    ramp = np.linspace(-1, 1, frames)[:, None]
    centred = signals - signals.mean(axis=0)
    centred = centred - ramp * (ramp * centred).sum(axis=0) / (ramp**2).sum()
    window = np.hanning(frames + 2)[1:-1, None]
    spectrum = np.abs(np.fft.rfft(centred * window, axis=0)) ** 2 / frames
    frequencies = np.fft.rfftfreq(frames, 1 / fps)
    return np.stack(
        [spectrum[(frequencies >= low) & (frequencies < high)].sum(axis=0) for low, high in edges]
    )


def texture_figures(rows: np.ndarray, fps: float) -> np.ndarray:
    """The texture of a clip, float32 (49 x 12,), field by field.

    Args:
        rows: (frames, 49, 9) of a texture file, the clip's; fps: their frames a second.
    """
    values = {name: rows[..., index].astype(np.float32) for index, name in enumerate(MEASURES)}
    change, acceleration = values["change"], values["acceleration"]
    middle, high = np.nanmedian(change, axis=0), np.nanpercentile(change, 90, axis=0)
    flicker = [np.diff(values[band], axis=0).std(axis=0) for band in ("fine", "middle", "coarse")]
    green = np.nancumsum(np.nan_to_num(values["green"]), axis=0)
    pulse, noise = _band_energies(green, fps, (PULSE_BAND, NOISE_BAND))
    colour = np.nancumsum(np.nan_to_num(values["red_minus_green"]), axis=0)
    (colour_noise,) = _band_energies(colour, fps, (NOISE_BAND,))
    figures = [
        middle - np.median(values["gradient"], axis=0),
        np.nanmedian(acceleration - change, axis=0),
        high - middle,
        np.median(values["fine"] - values["middle"], axis=0),
        np.median(values["middle"] - values["coarse"], axis=0),
        *(np.log(one + 1e-3) for one in flicker),
        np.nanmean(values["unchanged"], axis=0),
        np.log((pulse + 1e-4) / (noise + 1e-4)),
        np.log(noise + 1e-4),
        np.log(colour_noise + 1e-4),
    ]
    return np.stack(figures, axis=1).reshape(FIELDS * len(figures)).astype(np.float32)


def _correlations(signals: np.ndarray) -> np.ndarray:
    """Correlation matrix of signals (frames, n); 0 where one does not vary."""
    centred = signals - signals.mean(axis=0)
    scaled = centred / np.sqrt(np.square(centred).sum(axis=0) + _TINY)
    return scaled.T @ scaled


def _region_figures(points: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Twelve figures of a region's points (frames, n, 2), and its speed (frames - 1,)."""
    signals = points.reshape(len(points), -1)
    bands = tuple(zip(BAND_EDGES[:-1], BAND_EDGES[1:], strict=True))
    energy = np.log(_band_energies(signals, fps, bands).mean(axis=1) + _TINY)
    steps = np.diff(signals, axis=0)
    first, second = np.square(steps).mean(), np.square(np.diff(steps, axis=0)).mean()
    lagged = (steps[1:] * steps[:-1]).mean() / (first + _TINY)
    speed = np.sqrt(np.square(steps).mean(axis=1))
    peaks = np.log((np.percentile(speed, 90) + 1e-6) / (np.median(speed) + 1e-6))
    ratio = np.log((second + _TINY) / (first + _TINY))
    return np.array([*energy, *np.diff(energy), ratio, lagged, peaks]), speed


def _openings(landmarks: np.ndarray) -> np.ndarray:
    """How far both lids and the inner lips are open, (frames, 3), in distances between the eyes."""
    across = landmarks[:, LEFT_EYE].mean(axis=1) - landmarks[:, RIGHT_EYE].mean(axis=1)
    unit = np.median(np.linalg.norm(across, axis=1)) + _TINY
    pairs = (((37, 41), (38, 40)), ((43, 47), (44, 46)), ((61, 67), (62, 66), (63, 65)))
    return np.stack(
        [
            np.mean([np.linalg.norm(landmarks[:, a] - landmarks[:, b], axis=1) for a, b in of], 0)
            for of in pairs
        ],
        axis=1,
    ) / unit


def _opening_figures(landmarks: np.ndarray) -> np.ndarray:
    opened = _openings(landmarks)
    steps = np.diff(opened, axis=0)
    correlations = _correlations(steps)
    deviation = opened.std(axis=0)
    sharpness = np.log((np.abs(np.diff(steps, axis=0)).mean(axis=0) + 1e-6) / (
        np.abs(steps).mean(axis=0) + 1e-6
    ))
    low = (np.median(opened, axis=0) - opened.min(axis=0)) / (np.median(opened, axis=0) + 1e-6)
    return np.concatenate(
        [np.log(deviation + 1e-5), sharpness, low, correlations[[0, 0, 1], [1, 2, 2]]]
    )


def motion_figures(landmarks: np.ndarray, fps: float) -> np.ndarray:
    """The motion of a clip, float32 (`MOTION_FIGURES`,).

    Args:
        landmarks: (frames, 68, 2) in frame pixels; fps: their frames a second.
    """
    own, turns = (one[0] for one in remove_rigid_motion(landmarks[None]))
    found = [_region_figures(own[:, part], fps) for part in REGIONS.values()]
    speeds = np.stack([speed for _, speed in found], axis=1)
    across = landmarks[:, LEFT_EYE].mean(axis=1) - landmarks[:, RIGHT_EYE].mean(axis=1)
    unit = np.median(np.linalg.norm(across, axis=1)) + _TINY
    head = np.concatenate([turns, landmarks.mean(axis=1) / unit], axis=1)
    bands = tuple(zip(BAND_EDGES[:-1], BAND_EDGES[1:], strict=True))
    head_energy = np.log(_band_energies(head, fps, bands) + 1e-10).ravel()
    head_speed = np.sqrt(np.square(np.diff(head, axis=0)).sum(axis=1))
    among = _correlations(np.concatenate([speeds, head_speed[:, None]], axis=1))
    regions = len(REGIONS)
    energies = np.linalg.svd(own.reshape(len(own), -1), compute_uv=False) ** 2
    total = energies.sum() + _TINY
    first = energies[:PRINCIPAL_COMPONENTS]
    rest = max(float(total - first.sum()), 0.0)
    return np.concatenate(
        [
            *(figures for figures, _ in found),
            among[np.triu_indices(regions, 1)],
            head_energy,
            among[regions, :regions],
            np.log(np.append(first, rest) / total + 1e-6),
            _opening_figures(landmarks),
        ]
    ).astype(np.float32)
