"""Checks output paths before the work starts: they must be writable, and must not be inputs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from .errors import InputError
from .limits import MAX_FILE_NAME
from .locations import is_remote


def check_output_file(flag: str, path: Path, inputs: Iterable[Path] = ()) -> None:
    """Raises InputError where a file cannot be written, or would replace one of the inputs."""
    if is_remote(path):
        return
    try:
        if len(os.fsencode(path.name)) > MAX_FILE_NAME:
            raise InputError(f"{flag} {path}: the name is longer than {MAX_FILE_NAME} bytes")
        if path.is_dir():
            raise InputError(f"{flag} {path}: is a folder; name a file in it")
        if path.exists() and not path.is_file():
            raise InputError(f"{flag} {path}: is no plain file; choose another one")
        if any(same_file(path, given) for given in inputs):
            raise InputError(f"{flag} {path}: is an input; choose another file")
    except OSError as error:
        raise InputError(f"{flag} {path}: cannot be written ({error.strerror})") from None


def check_output_folder(flag: str, path: Path) -> None:
    """Raises InputError where something that is no folder stands there."""
    if not is_remote(path) and path.exists() and not path.is_dir():
        raise InputError(f"{flag} {path}: is no folder; choose another one")


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths, also by links, are one file on this machine."""
    if is_remote(one) or is_remote(other) or not one.exists() or not other.exists():
        return False
    return one.samefile(other)
