"""The files that a user's folders and files stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from .errors import InputError


def list_files(inputs: Iterable[Path], belongs: Callable[[Path], bool], if_none: str) -> list[Path]:
    """Files that are named, and those in named folders that belong; each once, folders sorted.

    Args:
        belongs: whether a folder's file is meant; hidden ones never are.
        if_none: what to tell of a folder without any.

    Raises:
        InputError: an input does not exist, or a folder holds no file that belongs.
    """
    files: list[Path] = []
    for given in inputs:
        if given.is_dir():
            found = sorted(
                path for path in given.iterdir() if belongs(path) and not path.name.startswith(".")
            )
            if not found:
                raise InputError(f"{given}: {if_none}")
            files += found
        elif given.exists():
            files.append(given)
        else:
            raise InputError(f"{given}: no such file or folder")
    return list(dict.fromkeys(files))
