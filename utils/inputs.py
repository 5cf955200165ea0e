"""Expands the folders, files and lists that a user names into files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from .errors import InputError
from .locations import location, storage_errors

LIST_MARK = "@"  # @list.txt: a file that names inputs, one a line


def read_list(path: Path) -> list[Path]:
    """The inputs that a list names, one per line; blank lines are skipped. Relative ones lie where
    the program runs, as those on its command line do.

    Raises:
        InputError: the list cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text in UTF-8"
        raise InputError(f"{path}: this list of inputs cannot be read ({reason})") from None
    return [location(line.strip()) for line in lines if line.strip()]


def named_inputs(inputs: Iterable[Path]) -> Iterator[Path]:
    """The inputs, lists among them opened. A file whose own name begins with @ is itself."""
    for given in inputs:
        if str(given).startswith(LIST_MARK) and not given.exists():
            yield from read_list(Path(str(given)[len(LIST_MARK) :]))
        else:
            yield given


def list_files(
    inputs: Iterable[Path],
    belongs: Callable[[Path], bool],
    if_none: str,
    recursive: bool = False,
    exists: Callable[[Path], bool] = lambda path: path.exists(),
    notice: Callable[[str], None] = lambda line: None,
    tell_others: bool = True,
) -> list[Path]:
    """Files that are named, and those in named folders that belong; each once, folders sorted.

    Args:
        belongs: whether a folder's file is meant; hidden ones never are.
        if_none: the error for a folder without any.
        recursive: whether the folders below a folder are searched too.
        exists: whether something that is no folder can be read.
        notice: called with one line per folder about links that are not followed and, with
            `tell_others`, how many of its files do not belong.

    Raises:
        InputError: an input does not exist, or a folder holds no file that belongs.
    """
    files: list[Path] = []
    for given in named_inputs(inputs):
        with storage_errors(given, "listed"):
            files += _files_of(given, belongs, if_none, recursive, exists, notice, tell_others)
    return list(dict.fromkeys(files))


def _files_of(
    given: Path,
    belongs: Callable[[Path], bool],
    if_none: str,
    recursive: bool,
    exists: Callable[[Path], bool],
    notice: Callable[[str], None],
    tell_others: bool,
) -> list[Path]:
    if not given.is_dir():
        if exists(given):
            return [given]
        raise InputError(f"{given}: no such file or folder")
    paths = given.rglob("*") if recursive else given.iterdir()
    visible = [path for path in paths if not path.name.startswith(".")]
    files = [path for path in visible if path.is_file()]
    found = sorted(path for path in files if belongs(path))
    if not found:
        raise InputError(f"{given}: {if_none}")
    others = len(files) - len(found)
    if others and tell_others:
        notice(f"{given}: {others} files of other kinds skipped")
    if dangling := sum(path.is_symlink() and not path.exists() for path in visible):
        notice(f"{given}: {dangling} links that lead nowhere skipped")
    if recursive and (linked := sum(path.is_symlink() and path.is_dir() for path in visible)):
        notice(f"{given}: {linked} linked folders not searched; name them to have them searched")
    return found
