"""What a row of a texture file holds: measures of the fields of a grid on the face, and of the
channels of a landmark network's first layers."""

from __future__ import annotations

GRID = 7  # fields per side
FIELDS = GRID * GRID
# A row of a texture file holds these for each field; NaN where a frame before is missing.
MEASURES = (
    "change",  # log mean square of the difference to the frame before, slightly blurred
    "acceleration",  # the same of the second difference
    "gradient",  # log mean square of the spatial gradient
    "fine",  # log energy of three spatial bands (differences of Gaussians), finest first
    "middle",
    "coarse",
    "unchanged",  # share of pixels that change by less than half a grey level
    "green",  # mean change of the green channel, in grey levels
    "red_minus_green",  # mean change of red less green
    "unexplained",  # log share of the change that is not the field's own motion
)
LAYERS = 32, 64  # channels of the landmark network's first layers
CHANNELS = sum(LAYERS)  # a row holds the log of how much each changes
