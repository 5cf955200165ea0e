"""What is found out of a landmark file, clip by clip and as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class ClipScore:
    """What the network says of one clip: frames `start` (included) to `end` (not), 1 = fake."""

    start: int
    end: int
    g1: float
    g2: float
    score: float


@dataclass(frozen=True)
class VideoResult:
    """What came of one landmark file; `error` is the reason why there is no label, or None.

    Attributes:
        score: what the label was decided on, by `--score`.
        mean: mean clip probability.
    """

    name: str
    path: Path
    label: str | None = None
    score: float | None = None
    mean: float | None = None
    frames: int = 0
    clips: list[ClipScore] = field(default_factory=list)
    error: str | None = None
