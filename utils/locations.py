"""Paths on this machine, or remote addresses through fsspec (`s3://bucket/video.mp4`).

A place at an address is a `upath.UPath`, which has `pathlib`'s methods; what must be on disk is
fetched to a folder of its own and goes when it was used.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from .errors import InputError
from .processes import temporary_folder

STREAMED = ("rtsp", "rtmp", "rtmps", "srt", "udp", "rtp", "mms")
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://")


def location(text: str) -> Path:
    """The place that a user names: a path, or an address where it begins with a protocol.

    Raises:
        InputError: nothing is known of the address's protocol, or its library is not installed.
    """
    match = _ADDRESS.match(text)
    if match is None or match[1] == "file":
        return Path(text[match.end() :] if match else text)
    if match[1] in STREAMED:
        raise InputError(f"{text}: a live stream; record it to a file and give that")
    try:
        from upath import UPath

        place = UPath(text)
        assert place.fs is not None  # made now: that imports the protocol's library
    except ValueError as error:
        raise InputError(f"{text}: cannot be reached ({error})") from None
    except ImportError as error:
        needed = "; pip install -r requirements-ray.txt"
        raise InputError(f"{text}: cannot be reached ({error}){needed}") from None
    return cast(Path, place)  # it has the methods of pathlib


def user_cache() -> Path | None:
    """The folder of this user's caches; None where the user has no home."""
    return expanded(os.environ.get("XDG_CACHE_HOME", "~/.cache"))


def expanded(text: str) -> Path | None:
    """A path whose ~ is the user's home; None where that is not known."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return None


def is_remote(place: Path) -> bool:
    """Whether it is an address, not a path on this machine."""
    return not isinstance(place, Path)


def _storage(place: Any) -> Any:
    """The fsspec file system of an address."""
    return place.fs


def _key(place: Any) -> str:
    """An address without its protocol, as its file system names it."""
    return place.path


@contextmanager
def storage_errors(place: Path, task: str) -> Iterator[None]:
    """Turns what storage at an address raises into one line; on disk nothing changes.

    Raises:
        InputError: the address cannot be reached, read or written.
    """
    try:
        yield
    except (InputError, GeneratorExit):
        raise
    except Exception as error:  # each storage has exceptions of its own
        if not is_remote(place):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{place}: cannot be {task} ({reason})") from None


@contextmanager
def local_copy(place: Path) -> Iterator[Path]:
    """A file on disk, under its own name: itself, or a copy of what lies at an address.

    Raises:
        InputError: it cannot be fetched.
    """
    if not is_remote(place):
        yield place
        return
    with temporary_folder() as folder:
        copy = Path(folder) / place.name
        with storage_errors(place, "read"):
            _storage(place).get_file(_key(place), str(copy))
        yield copy


def upload(files: Iterable[Path], folder: Path) -> None:
    """Copies files to an address, one after the other, each to a temporary key and then moved.

    Raises:
        InputError: they cannot be written.
    """
    with storage_errors(folder, "written"):
        for file in files:
            partial = folder / f".lrnet-{uuid.uuid4().hex}.partial"
            try:
                _storage(folder).put_file(str(file), _key(partial))
                _storage(folder).mv(_key(partial), _key(folder / file.name))
            except BaseException:
                if _storage(folder).exists(_key(partial)):
                    _storage(folder).rm_file(_key(partial))
                raise


def list_names(folder: Path) -> set[str]:
    """The names in a folder at an address, listed once; none where it does not exist.

    Raises:
        InputError: it cannot be listed.
    """
    with storage_errors(folder, "listed"):
        try:
            keys = _storage(folder).ls(_key(folder), detail=False)
        except FileNotFoundError:
            return set()
    return {key.rstrip("/").rpartition("/")[2] for key in keys}
