"""Weight sets: what the manifest says of them, and where their files are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from ..errors import InputError
from ..shared import SCORES
from .downloads import ModelFile, fetch_file, verify_file

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED = _PACKAGE / "model_weights"  # where a wheel puts them; a checkout has them beside
PROJECT_WEIGHTS = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent / "model_weights"
MANIFEST = "manifest.yaml"
STREAMS = ("g1", "g2")
AUTO, BUNDLED = "auto", "bundled"


@dataclass(frozen=True)
class WeightSet:
    """A two-stream network's weights.

    Attributes:
        name: as `--weights` has it, and the set's folder.
        format: the landmark format that it reads, or `any`.
        clip_length: frames; a rest of `shortest_clip` or more is a clip too (by default none is).
        architecture: `A`, `B`, `C` or `F`; `units` of its layers, or None for its own;
            `networks` of a stream, that answer with the mean of their logits.
        files: of streams g1 and g2.
        score: one of `utils.shared.SCORES`, what its videos are scored by unless the user says
            otherwise.
        frame_rate: frames a second that it knows, from and to.
        unclear: scores from and to which it is wrong too often, or None: then it has two labels.
        ranges: of what is measured of a face, name -> least and most (None: no bound), outside of
            which its word counts for nothing.
        trained_on, measured, licence: for people; `areas`: kind of fake -> area under the ROC
            curve, measured against real videos.
    """

    name: str
    format: str
    clip_length: int
    architecture: str
    files: tuple[ModelFile, ...]
    shortest_clip: int | None = None
    units: int | None = None
    networks: int = 1
    score: str = "vote"
    frame_rate: tuple[float, float] = (0.0, 1000.0)
    unclear: tuple[float, float] | None = None
    ranges: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)
    areas: dict[str, float] = field(default_factory=dict)
    trained_on: str = ""
    measured: str = ""
    licence: str = ""


@dataclass(frozen=True)
class Manifest:
    """All sets by name; `ensembles` name their members."""

    sets: dict[str, WeightSet]
    ensembles: dict[str, tuple[str, ...]]

    @property
    def names(self) -> list[str]:
        return [*self.sets, *self.ensembles]

    def members(self, name: str) -> list[WeightSet]:
        """The sets that answer together under one name; `auto` is the project's own set.

        Raises:
            InputError: no such name.
        """
        name = BUNDLED if name == AUTO else name
        if name not in self.names:
            known = ", ".join([AUTO, *self.names])
            raise InputError(f"unknown weight set {name!r}; known are {known}")
        return [self.sets[member] for member in self.ensembles.get(name, (name,))]


def read_manifest(folder: Path = PROJECT_WEIGHTS) -> Manifest:
    """The project's manifest, and over it that of `folder` where it has one of its own.

    Raises:
        InputError: a manifest is no YAML, or lacks a field.
    """
    merged: dict[str, dict] = {"sets": {}, "ensembles": {}}
    for path in dict.fromkeys([PROJECT_WEIGHTS / MANIFEST, folder / MANIFEST]):
        if not path.is_file():
            continue
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
            for part in merged:
                merged[part] |= content.get(part) or {}
        except (yaml.YAMLError, AttributeError, TypeError) as error:
            raise InputError(f"{path}: not a manifest ({error})") from None
    try:
        return Manifest(
            {name: _weight_set(name, entry) for name, entry in merged["sets"].items()},
            {name: tuple(entry["members"]) for name, entry in merged["ensembles"].items()},
        )
    except (KeyError, TypeError) as error:
        raise InputError(f"{folder / MANIFEST}: an entry lacks {error}") from None
    except ValueError as error:
        raise InputError(f"{folder / MANIFEST}: {error}") from None


def _weight_set(name: str, entry: dict) -> WeightSet:
    described = {key: entry[key] for key in ("format", "clip_length", "architecture")}
    if "score" in entry and entry["score"] not in SCORES:
        raise ValueError(f"{name}: score {entry['score']!r}; it can be {' or '.join(SCORES)}")
    optional = ("shortest_clip", "units", "networks", "score", "trained_on", "measured", "licence")
    described |= {key: entry[key] for key in optional if key in entry}
    pairs = ("frame_rate", "unclear")
    described |= {key: tuple(map(float, entry[key])) for key in pairs if key in entry}
    described["areas"] = {str(key): float(area) for key, area in entry.get("areas", {}).items()}
    described["ranges"] = {key: tuple(pair) for key, pair in entry.get("ranges", {}).items()}
    files = tuple(
        ModelFile(
            name=f"{name}/{entry['files'][stream]['name']}",
            size=entry["files"][stream].get("size"),
            sha256=entry["files"][stream].get("sha256", ""),
            url=entry["files"][stream].get("url", ""),
        )
        for stream in STREAMS
    )
    return WeightSet(name=name, files=files, **described)


def find_files(weights: WeightSet, folder: Path) -> list[Path] | None:
    """The set's files in `folder` or in the project's own, verified; None where one is missing.

    Raises:
        InputError: a file's checksum is wrong.
    """
    for place in dict.fromkeys([folder, PROJECT_WEIGHTS]):
        paths = [place / file.name for file in weights.files]
        if all(path.is_file() for path in paths):
            for path, file in zip(paths, weights.files, strict=True):
                verify_file(path, file)
            return paths
    return None


def obtain_files(weights: WeightSet, folder: Path) -> list[Path]:
    """The set's files, downloaded into `folder` where they are not on disk.

    Raises:
        InputError: a file can neither be found nor downloaded, or its checksum is wrong.
    """
    return find_files(weights, folder) or [
        fetch_file(file, folder / file.name) for file in weights.files
    ]
