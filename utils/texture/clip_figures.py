"""Texture features of one clip, the input of the third stream.

All are ratios or logarithms, so that contrast, brightness and size of a face cancel.
"""

from __future__ import annotations

import numpy as np

from .texture_rows import CHANNELS, GRID, LAYERS, MEASURES

CLIP_FRAMES = 48  # of a clip of this stream
MIN_CLIP_FRAMES = 24  # of a segment that is shorter than a clip
COLUMNS = (GRID + 1) // 2  # fields that mirror each other count as one
_FIELDS = GRID * COLUMNS
_LEVELS, _VARIATIONS = 13, 6  # figures of a field
# The kinds of figures in their order, each as groups that belong together: a field's, or a layer's.
FIGURE_KINDS = ((_LEVELS,) * _FIELDS, LAYERS, (_VARIATIONS,) * _FIELDS)
TEXTURE_FIGURES = sum(map(sum, FIGURE_KINDS))
# The field that a figure belongs to, from 0; -1: an activation's, which has none.
FIELD_OF_FIGURE = np.concatenate(
    [
        np.repeat(np.arange(_FIELDS), _LEVELS),
        np.full(CHANNELS, -1),
        np.repeat(np.arange(_FIELDS), _VARIATIONS),
    ]
)
PULSE_BAND, NOISE_BAND = (0.7, 3.0), (4.0, 12.6)  # Hz, of the skin's colour


def texture_clips(frames: int) -> list[tuple[int, int]]:
    """First frame and the one after the last of the clips of a segment.

    All have 48 frames, since a spectrum depends on its length: the last one overlaps the one before
    where the rest is worth it. A segment of 24 to 47 frames is one clip.
    """
    if frames < CLIP_FRAMES:
        return [(0, frames)] if frames >= MIN_CLIP_FRAMES else []
    starts = list(range(0, frames - CLIP_FRAMES + 1, CLIP_FRAMES))
    if frames - starts[-1] - CLIP_FRAMES >= MIN_CLIP_FRAMES:
        starts.append(frames - CLIP_FRAMES)
    return [(start, start + CLIP_FRAMES) for start in starts]


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


def measured_share(rows: np.ndarray) -> float:
    """The share of a clip's frames (frames, 49, 10) in which a change was measured."""
    return float(np.isfinite(rows[:, 0, 0]).mean())


def texture_figures(rows: np.ndarray, activations: np.ndarray, fps: float) -> np.ndarray:
    """The texture of a clip, float32 (`TEXTURE_FIGURES`,): `field_levels`, the mean of each
    activation's change, and `field_variations`.

    Args:
        rows: (frames, 49, 10) of a texture file, the clip's; activations: (frames, 96), the same;
            fps: their frames per second.
    """
    values = {name: rows[..., index].astype(np.float32) for index, name in enumerate(MEASURES)}
    of_layers = np.nanmean(activations.astype(np.float32), axis=0)
    return np.concatenate([field_levels(values, fps), of_layers, field_variations(values)])


def field_levels(values: dict[str, np.ndarray], fps: float) -> np.ndarray:
    """13 figures of 28 fields, float32 (364,): what a clip's frames have in common.

    Args:
        values: (frames, 49) of each measure; fps: frames per second.
    """
    change, acceleration = values["change"], values["acceleration"]
    middle, high = np.nanmedian(change, axis=0), np.nanpercentile(change, 90, axis=0)
    green = np.nancumsum(np.nan_to_num(values["green"]), axis=0)
    pulse, noise = _band_energies(green, fps, (PULSE_BAND, NOISE_BAND))
    colour = np.nancumsum(np.nan_to_num(values["red_minus_green"]), axis=0)
    (colour_noise,) = _band_energies(colour, fps, (NOISE_BAND,))
    figures = [
        middle - np.nanmedian(values["gradient"], axis=0),
        np.nanmedian(acceleration - change, axis=0),
        high - middle,
        np.nanmedian(values["fine"] - values["middle"], axis=0),
        np.nanmedian(values["middle"] - values["coarse"], axis=0),
        *(_log_deviation(np.diff(values[band], axis=0)) for band in ("fine", "middle", "coarse")),
        np.nanmean(values["unchanged"], axis=0),
        np.log((pulse + 1e-4) / (noise + 1e-4)),
        np.log(noise + 1e-4),
        np.log(colour_noise + 1e-4),
        np.nanmedian(values["unexplained"], axis=0),
    ]
    return _mirrored(figures)


def field_variations(values: dict[str, np.ndarray]) -> np.ndarray:
    """6 figures of 28 fields, float32 (168,): how much the measures of a field vary over a clip,
    and how its change goes together with that of the whole face.

    Args:
        values: (frames, 49) of each measure.
    """
    change = values["change"]
    own = np.nan_to_num(change - np.nanmean(change, axis=0))
    whole = own.mean(axis=1, keepdims=True)
    energy = np.square(own).mean(axis=0) * np.square(whole).mean(axis=0)
    figures = [
        _log_deviation(change),
        (own * whole).mean(axis=0) / np.sqrt(energy + 1e-6),
        np.nanpercentile(change, 10, axis=0) - np.nanmedian(change, axis=0),
        *(_log_deviation(values[name]) for name in ("unexplained", "fine", "gradient")),
    ]
    return _mirrored(figures)


def _log_deviation(values: np.ndarray) -> np.ndarray:
    """The logarithm of the deviation over time, of values (frames, n)."""
    return np.log(np.nanstd(values, axis=0) + 1e-3)


def _mirrored(figures: list[np.ndarray]) -> np.ndarray:
    """Figures of 49 fields (49,) as those of 28, float32, one field's after another's: fields that
    mirror each other are averaged, so that a mirrored face has the same figures."""
    grid = np.stack(figures, axis=1).reshape(GRID, GRID, len(figures))
    mirrored = (grid + grid[:, ::-1]) / 2
    return mirrored[:, :COLUMNS].ravel().astype(np.float32)
