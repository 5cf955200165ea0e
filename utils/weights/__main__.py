"""`python -m utils.weights`: lists all weight sets and detector models, downloads those named."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from ..console import EXIT_DONE, EXIT_FAILED, notice, print_result, printable, run_script
from ..errors import InputError
from .detector_models import DETECTOR_FILES, find_model, obtain_models
from .sets import (
    PROJECT_WEIGHTS,
    Manifest,
    WeightSet,
    find_files,
    obtain_files,
    read_manifest,
)

BUNDLED, ON_DISK, MISSING, DAMAGED = "bundled", "on disk", "missing", "damaged"


def set_state(weights: WeightSet, folder: Path) -> str:
    """`bundled` (part of the project), `on disk`, `missing` or `damaged`."""
    try:
        if find_files(weights.all_files, folder) is None:
            return MISSING
    except InputError:
        return DAMAGED
    return ON_DISK if any(file.url for file in weights.all_files) else BUNDLED


def detector_state(name: str, folder: Path) -> str:
    """`on disk`, `missing` or `damaged`."""
    try:
        found = [find_model(file, folder) for file in DETECTOR_FILES[name]]
    except InputError:
        return DAMAGED
    return ON_DISK if all(found) else MISSING


def states(manifest: Manifest, folder: Path) -> Iterable[tuple[str, str, str]]:
    """Name, state and what it is, for all weight sets and detector models."""
    for name, weights in manifest.sets.items():
        about = f"{weights.format}, {weights.clip_length} frames, {weights.trained_on}"
        yield name, set_state(weights, folder), about
    for name, members in manifest.ensembles.items():
        worst = [set_state(manifest.sets[member], folder) for member in members]
        state = next((one for one in (DAMAGED, MISSING) if one in worst), ON_DISK)
        yield name, state, " + ".join(members)
    for name, files in DETECTOR_FILES.items():
        yield name, detector_state(name, folder), "detector: " + ", ".join(f.name for f in files)


def fetch(name: str, manifest: Manifest, folder: Path) -> None:
    """Downloads what a name stands for. Raises InputError where it can't."""
    if name in DETECTOR_FILES:
        obtain_models(DETECTOR_FILES[name], folder)
        return
    for member in manifest.members(name):
        obtain_files(member.all_files, folder)


def main() -> int:
    parser = argparse.ArgumentParser(prog="lrnet-weights", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="weight sets, detectors, or all")
    parser.add_argument("--model_weights", type=Path, default=PROJECT_WEIGHTS, metavar="DIR")
    given = parser.parse_args()
    manifest = read_manifest(given.model_weights)
    known = [*manifest.sets, *DETECTOR_FILES]
    failed = False
    for name in known if given.names == ["all"] else given.names:
        try:
            fetch(name, manifest, given.model_weights)
        except InputError as error:
            notice(str(error))
            failed = True
    for name, state, about in states(manifest, given.model_weights):
        if not given.names or given.names == ["all"] or name in given.names:
            print_result(f"{printable(name):<20}  {state:<8}  {printable(about)[:90]}")
    return EXIT_FAILED if failed else EXIT_DONE


def run() -> int:
    """What `lrnet-weights` runs."""
    return run_script("weights", main)


if __name__ == "__main__":
    sys.exit(run())
