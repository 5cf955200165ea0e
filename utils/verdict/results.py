"""Result types: scores of clips, and the result of a face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..landmark_files.header import LandmarkHeader
from ..landmark_files.io import SUFFIX as LANDMARK_SUFFIX
from ..landmark_files.io import LandmarkTrack

FAKE, REAL, UNCLEAR = "Fake", "Real", "Unclear"


@dataclass(frozen=True)
class ClipScore:
    """What the network says of one clip; 1 = fake.

    Attributes:
        start, end: frames of the video, the first and the one after the last.
        time: seconds from the video's first frame.
        g1, g2, g3, g4: what each stream says, None where the set has no such stream or its input
            was not measured; score: their mean.
    """

    start: int
    end: int
    time: float
    g1: float
    g2: float
    score: float
    g3: float | None = None
    g4: float | None = None


@dataclass(frozen=True)
class VideoResult:
    """What came of one landmark file: one face of a video.

    Attributes:
        name, path: of the file; `video`: of the video, from its header; `face`: as `1 of 2`.
        source: the video's file, where it was given.
        label: `Fake`, `Real`, `Unclear`, or None where there is an error.
        score: what the label was decided on, by `--score`; mean: mean clip probability.
        family: the family of fakes with the most evidence, where the set has families.
        reasons: why it is `Unclear`.
        fps: frames per second of what was read; frames: lines of the file.
        still: frames left out since nothing moves in them.
        liveliness: of the face (`utils.rigid_motion.liveliness`), in distances between the eyes;
            None where it is too short to measure.
        streams: that the score rests on.
        band: scores between which this face would be Unclear, where the set has such a band.
        left_out: faces of the video that have no file, and why, from its header.
        fields: (7, 7) how much each field of the face weighs in the third stream, above 0 towards
            fake; where the writers ask for it.
        header: of the file; track: what was read of it, where the writers ask for it.
        strength: of the evidence, `strong`, `moderate` or `weak`; None where it says nothing or was
            not measured. leaning: the label that it speaks for. share_of_others: of real faces with
            as high a score, of fakes with as low a one, in the measurement of the set.
        error: the reason why there is no label, or None.
    """

    name: str
    path: Path
    video: str = ""
    face: str = "1 of 1"
    source: Path | None = None
    label: str | None = None
    score: float | None = None
    mean: float | None = None
    family: str | None = None
    reasons: list[str] = field(default_factory=list)
    fps: float | None = None
    frames: int = 0
    still: int = 0
    liveliness: float | None = None
    streams: list[str] = field(default_factory=list)
    band: tuple[float, float] | None = None
    clips: list[ClipScore] = field(default_factory=list)
    left_out: str = ""
    strength: str | None = None
    leaning: str | None = None
    share_of_others: float | None = None
    error: str | None = None
    fields: np.ndarray | None = field(default=None, repr=False, compare=False)
    header: LandmarkHeader = field(default_factory=LandmarkHeader, repr=False)
    track: LandmarkTrack | None = field(default=None, repr=False, compare=False)


# The share of others with such a score, at most, and the word for evidence of that strength.
STRENGTHS = ((0.01, "strong"), (0.03, "moderate"), (0.2, "weak"))


def strength_of(share_of_others: float | None) -> str | None:
    """The word for evidence, or None where it is no evidence."""
    if share_of_others is None:
        return None
    return next((word for most, word in STRENGTHS if share_of_others <= most), None)


def video_label(faces: Sequence[VideoResult]) -> str | None:
    """A video's label by its faces': Fake if one is, else Unclear if one is, else Real; None where
    no face has one."""
    labels = {face.label for face in faces}
    return next((label for label in (FAKE, UNCLEAR, REAL) if label in labels), None)


def video_key(face: VideoResult) -> tuple[Path, str]:
    """What the faces of one video share: the folder, and the stem of the main face's file."""
    stem = face.path.name.removesuffix(LANDMARK_SUFFIX)
    number, _, count = face.face.partition(" of ")
    main = stem.removesuffix(f".face{number}") if count not in ("", "1") else stem
    return face.path.parent, main
