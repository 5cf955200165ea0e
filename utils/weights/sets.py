"""Weight sets: the manifest, and where the files of a set are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import yaml

from ..console import printable
from ..errors import InputError
from ..shared import ANY_FORMAT, FORMATS, SCORES
from .downloads import ModelFile, fetch_file, verify_file

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED = _PACKAGE / "model_weights"  # where a wheel puts them; a checkout has them beside
PROJECT_WEIGHTS = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent / "model_weights"
OCCLUSION_MODEL = PROJECT_WEIGHTS / "occlusion"  # of `utils.texture.occlusion`
MANIFEST = "manifest.yaml"
STREAMS = ("g1", "g2")  # of landmarks
# What a set may have besides: a stream of texture, and one of the features of a network of g1.
TEXTURE, FEATURES = "g3", "g4"
AUTO, BUNDLED = "auto", "bundled"
# Architectures, of `utils.network.two_stream`; three were published, the last is the project's own.
GRU, GRU_LAST_STEP, GRU_RESIDUAL = "gru", "gru-last-step", "gru-residual"
CONVOLUTIONAL = "convolutional"
LANDMARK_RULE, TEXTURE_RULE = "landmarks", "texture"  # of a set, without g3 and with it
ARCHITECTURES = (GRU, GRU_LAST_STEP, GRU_RESIDUAL, CONVOLUTIONAL)
# What manifests called them until version 1.6.
_EARLIER_NAMES = {"A": GRU, "B": GRU_LAST_STEP, "C": GRU_RESIDUAL, "F": CONVOLUTIONAL}
# What a manifest's whole numbers can be at most.
MAX_VALUES = {"clip_length": 3600, "shortest_clip": 3600, "units": 1024, "networks": 16}


@dataclass(frozen=True)
class DecisionRule:
    """How evidence becomes a score and a label, as it was fitted out of fold.

    Attributes:
        slopes: of the log-odds by g1 and g2 together, of the mean decision value of g4, where the
            set has it, and of that of g3, where the rule reads it; offset: added to their sum.
        bands: seconds of the face from which a band holds, its lower and its upper end: below the
            lower a score is Real, from the upper on Fake. Short tracks need stronger evidence.
        similarity: least similarity of a face's texture to anything learned, or None.
        real_above: scores, and the share of real tracks of unseen sources with as high a score;
            fake_below: scores, and the share of fakes with as low a one.
        real_called_fake: the share of these real tracks that were called Fake, or None.
        strengths: label -> word of strength -> the shares of real tracks and of fakes of unseen
            sources for which the evidence was called so.
    """

    slopes: tuple[float, ...]
    offset: float
    bands: tuple[tuple[float, float, float], ...]
    similarity: float | None = None
    real_above: tuple[tuple[float, float], ...] = ()
    fake_below: tuple[tuple[float, float], ...] = ()
    real_called_fake: float | None = None
    strengths: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)

    def share_of_others(self, score: float, fake: bool) -> float | None:
        """The share of real tracks with as high a score, for a fake, or of fakes with as low a one,
        for a real face, as far as it was measured; None where it is not that small."""
        if fake:
            shares = [share for least, share in self.real_above if score >= least]
        else:
            shares = [share for most, share in self.fake_below if score <= most]
        return min(shares, default=None)

    def score(self, evidence: Sequence[float]) -> float:
        """In [0, 1], from the evidence of the streams."""
        pairs = zip(self.slopes, evidence, strict=True)
        logit = sum(slope * value for slope, value in pairs) + self.offset
        return float(1 / (1 + np.exp(-np.clip(logit, -50, 50))))

    def band(self, seconds: float) -> tuple[float, float]:
        """Where a score does not decide, for a face that is seen so long."""
        held = [one for one in self.bands if one[0] <= seconds] or [self.bands[0]]
        return held[-1][1:]


@dataclass(frozen=True)
class WeightSet:
    """A two-stream network's weights.

    Attributes:
        name: as `--weights` has it, and the set's folder.
        format: the landmark format that it reads, or `any`.
        clip_length: frames; a rest of `shortest_clip` or more is a clip too (by default none is).
        architecture: one of `ARCHITECTURES`; `units` of its layers, or None for its own;
            `networks` of a stream, that answer with the mean of their logits.
        files: of streams g1 and g2.
        score: one of `utils.shared.SCORES`, what its videos are scored by unless the user says
            otherwise.
        frame_rate: frames per second that it knows, from and to.
        unclear: scores from and to which it is wrong too often, of both streams together or, of
            what they call fake, of one; None: it has two labels.
        texture: the file of g3, or None where it has none; features: that of g4;
            feature_network: which of g1's networks has the features that g4 reads, from 0.
        rules: of decision, by what they read (`landmarks`, `texture`); they take the place of
            `unclear`, which then is the band of a long track, for pictures.
        ranges: of what is measured of a face, name -> least and most (None: no bound), outside of
            which its word counts for nothing.
        motion: part of the face -> how slow and how fast it is in real faces, 90 % of the time
            (`utils.rigid_motion.region_speeds`).
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
    texture: ModelFile | None = None
    features: ModelFile | None = None
    feature_network: int = 0
    rules: dict[str, DecisionRule] = field(default_factory=dict)
    ranges: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)
    areas: dict[str, float] = field(default_factory=dict)
    motion: dict[str, tuple[float, float]] = field(default_factory=dict)
    trained_on: str = ""
    measured: str = ""
    licence: str = ""

    @property
    def shortest(self) -> int:
        """Frames of the shortest clip."""
        return self.shortest_clip or self.clip_length

    @property
    def all_files(self) -> list[ModelFile]:
        """Those of every stream that the set has."""
        return [*self.files, *(file for file in (self.texture, self.features) if file)]


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
            content = yaml.load(path.read_text(encoding="utf-8"), _PlainLoader) or {}
            for part in merged:
                entries = content.get(part) or {}
                for name in {AUTO, BUNDLED} & set(
                    entries
                ):  # a copy of our own manifest may name it
                    if path.parent != PROJECT_WEIGHTS and merged[part].get(name) != entries[name]:
                        raise ValueError(f"{BUNDLED} and {AUTO} cannot be redefined")
                merged[part] |= entries
        except (yaml.YAMLError, AttributeError, TypeError, ValueError, RecursionError) as error:
            reason = printable(str(error))[:200]
            raise InputError(f"{path}: not a manifest ({reason})") from None
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        return Manifest(
            {name: _weight_set(name, entry) for name, entry in merged["sets"].items()},
            {name: _members(name, entry, merged) for name, entry in merged["ensembles"].items()},
        )
    except KeyError as error:
        raise InputError(f"{folder / MANIFEST}: an entry lacks {error}") from None
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(f"{folder / MANIFEST}: {error}") from None


class _PlainLoader(yaml.SafeLoader):
    """YAML without aliases, by which a small file stands for a huge one."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias; write it out")
        return super().compose_node(parent, index)


def architecture_name(name: str) -> str:
    """An architecture's name, from it or from the letter that it had until version 1.6."""
    return _EARLIER_NAMES.get(name, name)


def _whole(entry: dict, key: str) -> int:
    """A whole number of an entry, within what a network of this kind can have."""
    value, most = entry[key], MAX_VALUES[key]
    if not isinstance(value, int) or not 1 <= value <= most:
        raise ValueError(f"{key} {printable(str(value))[:40]!r}; it can be 1 to {most}")
    return value


def _inside(name: str) -> str:
    """A name that leads into no other folder."""
    path = PurePath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not path.parts:
        raise ValueError(f"the name {printable(name)!r} leads out of the folder")
    return name


def _weight_set(name: str, entry: dict) -> WeightSet:
    if not isinstance(name, str):
        raise ValueError(f"{printable(str(name))[:40]!r}: the name of a set is text; quote it")
    described: dict[str, Any] = {key: str(entry[key]) for key in ("format", "architecture")}
    described["architecture"] = architecture_name(described["architecture"])
    for key, known in (("format", (*FORMATS, ANY_FORMAT)), ("architecture", ARCHITECTURES)):
        if described[key] not in known:
            raise ValueError(f"{name}: {key} can be {' or '.join(known)}")
    if "score" in entry and entry["score"] not in SCORES:
        raise ValueError(f"{name}: score {entry['score']!r}; it can be {' or '.join(SCORES)}")
    described["clip_length"] = _whole(entry, "clip_length")
    described |= {key: _whole(entry, key) for key in MAX_VALUES if key in entry}
    optional = ("score", "trained_on", "measured", "licence")
    described |= {key: str(entry[key]) for key in optional if key in entry}
    pairs = ("frame_rate", "unclear")
    described |= {key: tuple(map(float, entry[key])) for key in pairs if key in entry}
    described["areas"] = {str(key): float(area) for key, area in entry.get("areas", {}).items()}
    described["ranges"] = {key: _range(pair) for key, pair in entry.get("ranges", {}).items()}
    motion = {str(part): (float(a), float(b)) for part, (a, b) in entry.get("motion", {}).items()}
    described["motion"] = motion
    files = tuple(_model_file(name, entry["files"][stream]) for stream in STREAMS)
    for key, stream in (("texture", TEXTURE), ("features", FEATURES)):
        if stream in entry["files"]:
            described[key] = _model_file(name, entry["files"][stream])
    if "features" in described:
        described["feature_network"] = _feature_network(entry, described)
    described["rules"] = {
        str(key): _rule(one, 1 + ("features" in described) + (key == TEXTURE_RULE))
        for key, one in entry.get("rules", {}).items()
    }
    return WeightSet(name=str(name), files=files, **described)


def _feature_network(entry: dict, described: dict[str, Any]) -> int:
    number = entry.get("feature_network", 0)
    known = described.get("networks", 1) if described["architecture"] == CONVOLUTIONAL else 0
    if not isinstance(number, int) or not 0 <= number < known:
        raise ValueError(f"feature_network {printable(str(number))[:40]!r}; g1 has {known} such")
    return number


def _members(name: str, entry: dict, merged: dict) -> tuple[str, ...]:
    members = entry["members"]
    if not isinstance(name, str) or not isinstance(members, list) or not members:
        raise ValueError(f"ensemble {printable(str(name))[:40]!r}: it needs a name and members")
    if unknown := [one for one in members if one not in merged["sets"]]:
        raise ValueError(f"{name}: no set is called {printable(str(unknown[0]))[:40]!r}")
    return tuple(members)


def _model_file(name: str, entry: dict) -> ModelFile:
    return ModelFile(
        name=f"{_inside(str(name))}/{_inside(str(entry['name']))}",
        size=entry.get("size"),
        sha256=str(entry.get("sha256", "")),
        url=str(entry.get("url", "")),
    )


def _rule(entry: dict, streams: int) -> DecisionRule:
    """A rule that weighs what so many say: g1 and g2 together, and others."""
    bands = tuple((float(start), float(low), float(high)) for start, low, high in entry["bands"])
    slopes = tuple(map(float, entry["slopes"]))
    if not bands or len(slopes) != streams or any(not 0 <= a <= b <= 1 for _, a, b in bands):
        raise ValueError(f"this rule has {streams} slopes, and bands within 0 and 1")
    least, called_fake = (
        None if entry.get(key) is None else float(entry[key])
        for key in ("similarity", "real_called_fake")
    )
    real_above, fake_below = (
        tuple((float(score), float(share)) for score, share in entry.get(key, ()))
        for key in ("real_above", "fake_below")
    )
    strengths = {
        str(label): {str(word): (float(real), float(fake)) for word, (real, fake) in words.items()}
        for label, words in entry.get("strengths", {}).items()
    }
    return DecisionRule(
        *(slopes, float(entry["offset"]), bands, least, real_above, fake_below),
        called_fake,
        strengths,
    )


def _range(pair: Any) -> tuple[float | None, float | None]:
    least, most = (None if bound is None else float(bound) for bound in pair)
    return least, most


def find_files(files: Sequence[ModelFile], folder: Path) -> list[Path] | None:
    """Files of a set in `folder` or in the project's own, verified; None where one is missing.

    Raises:
        InputError: a file's checksum is wrong, or it is a link out of its folder.
    """
    for place in dict.fromkeys([folder, PROJECT_WEIGHTS]):
        paths = [place / file.name for file in files]
        if all(path.is_file() for path in paths):
            for path in paths:
                if not path.resolve().is_relative_to(place.resolve()):
                    raise InputError(f"{path}: a link that leads out of {place}")
            for path, file in zip(paths, files, strict=True):
                verify_file(path, file)
            return paths
    return None


def obtain_files(files: Sequence[ModelFile], folder: Path) -> list[Path]:
    """Files of a set, downloaded into `folder` where they are not on disk.

    Raises:
        InputError: a file can neither be found nor downloaded, or its checksum is wrong.
    """
    return find_files(files, folder) or [_fetch(file, folder) for file in files]


def _fetch(file: ModelFile, folder: Path) -> Path:
    """Downloads a file into a folder, never through a link that leads out of it."""
    path = folder / file.name
    if path.is_symlink() or not path.parent.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{path}: a link that leads out of {folder}")
    return fetch_file(file, path)
