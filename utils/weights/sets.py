"""Weight sets: what the manifest says of them, and where their files are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from ..errors import InputError
from ..shared import SCORES
from .downloads import ModelFile, fetch_file, verify_file

PROJECT_WEIGHTS = Path(__file__).resolve().parents[2] / "model_weights"
MANIFEST = "manifest.yaml"
STREAMS = ("g1", "g2")
AUTO, BUNDLED, ENSEMBLE = "auto", "bundled", "ensemble"


@dataclass(frozen=True)
class WeightSet:
    """A two-stream network's weights.

    Attributes:
        name: as `--weights` has it, and the set's folder.
        format: the landmark format that it reads.
        clip_length: frames.
        architecture: `A` to `E`, of each stream; `units` of its layers, or None for its own.
        files: of streams g1 and g2.
        score: `vote` or `mean`, what its videos are scored by unless the user says otherwise.
        trained_on, measured, licence: for people.
    """

    name: str
    format: str
    clip_length: int
    architecture: dict[str, str]
    files: tuple[ModelFile, ...]
    units: int | None = None
    score: str = "vote"
    trained_on: str = ""
    measured: str = ""
    licence: str = ""


@dataclass(frozen=True)
class Manifest:
    """All sets by name; `ensembles` name their members, `by_format` a set a landmark format."""

    sets: dict[str, WeightSet]
    ensembles: dict[str, tuple[str, ...]]
    by_format: dict[str, dict[str, str]]

    @property
    def names(self) -> list[str]:
        return [*self.sets, *self.ensembles, *self.by_format]

    def members(self, name: str) -> list[WeightSet]:
        """The sets that answer together under one name of `sets` or `ensembles`."""
        return [self.sets[member] for member in self.ensembles.get(name, (name,))]

    def choices(self, name: str) -> dict[str, list[WeightSet]]:
        """The sets that a name stands for, by the landmark format that they read.

        Raises:
            InputError: no such name.
        """
        if name not in self.names:
            known = ", ".join([AUTO, *self.names])
            raise InputError(f"unknown weight set {name!r}; known are {known}")
        names = self.by_format[name].values() if name in self.by_format else [name]
        choices = [self.members(chosen) for chosen in names]
        return {members[0].format: members for members in choices}


def read_manifest(folder: Path = PROJECT_WEIGHTS) -> Manifest:
    """The project's manifest, and over it that of `folder` where it has one of its own.

    Raises:
        InputError: a manifest is no YAML, or lacks a field.
    """
    merged: dict[str, dict] = {"sets": {}, "ensembles": {}, "by_format": {}}
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
            merged["by_format"],
        )
    except (KeyError, TypeError) as error:
        raise InputError(f"{folder / MANIFEST}: an entry lacks {error}") from None
    except ValueError as error:
        raise InputError(f"{folder / MANIFEST}: {error}") from None


def architectures(described: str | dict[str, str]) -> dict[str, str]:
    """The architecture of each stream, where one letter means both."""
    one_for_both = isinstance(described, str)
    return {stream: described if one_for_both else described[stream] for stream in STREAMS}


def _weight_set(name: str, entry: dict) -> WeightSet:
    described = {key: entry[key] for key in ("format", "clip_length")}
    described["architecture"] = architectures(entry["architecture"])
    if "score" in entry and entry["score"] not in SCORES:
        raise ValueError(f"{name}: score {entry['score']!r}; it can be {' or '.join(SCORES)}")
    optional = ("units", "score", "trained_on", "measured", "licence")
    described |= {key: entry[key] for key in optional if key in entry}
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


def obtain(manifest: Manifest, name: str, folder: Path, say: Callable[[str], None]) -> str:
    """Makes sure that a named set is on disk and returns the name to use.

    `auto` is the published ensemble where it can be had, else the bundled set; `say` is told which.

    Raises:
        InputError: a named set is unknown or cannot be had.
    """
    if name != AUTO:
        for members in manifest.choices(name).values():
            for member in members:
                obtain_files(member, folder)
        return name
    try:
        return obtain(manifest, ENSEMBLE, folder, say)
    except InputError as error:
        say(f"using the bundled weights, since the published ensemble cannot be had: {error}")
        return BUNDLED
