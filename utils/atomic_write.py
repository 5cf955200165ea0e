"""Atomic file writing: a file appears under its name only when it is complete."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import tempfile
from pathlib import Path

from .errors import InputError
from .locations import is_remote, upload
from .processes import is_abandoned, machine

_PARTIAL = re.compile(r"\.lrnet-[0-9a-f]{16}-([0-9a-f]{8})-(\d+)\.partial")


def partial_path(path: Path) -> Path:
    """Where this process writes a file before it gives it its name: beside it, hidden, by a name
    that cannot be guessed, and no longer than the shortest limit of names; the suffix stays, since
    encoders go by it."""
    name = f".lrnet-{secrets.token_hex(8)}-{machine()}-{os.getpid()}.partial"
    return path.with_name(name + (path.suffix if len(path.suffix) <= 8 else ""))


def remove_stale_partials(folder: Path) -> None:
    """Removes what processes of this machine left unfinished in a folder when they were killed."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            match = _PARTIAL.match(path.name)
            if match and is_abandoned(match[1], match[2]):
                path.unlink(missing_ok=True)


class AtomicFile:
    """A text file, UTF-8, written under a temporary name in its folder, then renamed; for an
    address, on disk, then delivered. A context manager; what is raised within leaves no file.

    Args:
        errors: what becomes of characters that are no Unicode, as of `open`.

    Raises:
        InputError: it cannot be written, or the disk is full.
    """

    def __init__(self, path: Path, errors: str = "strict") -> None:
        self._path = path
        self._here = path
        if is_remote(path):
            self._here = Path(tempfile.mkdtemp(prefix="lrnet-")) / path.name
        self._partial = partial_path(self._here)
        try:
            self._here.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._partial.open("x", encoding="utf-8", errors=errors, newline="")
        except OSError as error:
            raise self._refusal(error) from None

    def _refusal(self, error: OSError) -> InputError:
        return InputError(f"{self._path}: cannot be written ({error.strerror})")

    def write(self, text: str) -> None:
        try:
            self._file.write(text)
        except OSError as error:
            raise self._refusal(error) from None

    def close(self, failed: bool = False) -> None:
        """Gives the file its name; where it failed, removes it."""
        try:
            self._file.close()
            if not failed:
                self._partial.replace(self._here)
            if not failed and self._here != self._path:
                upload([self._here], self._path.parent)
        except OSError as error:
            raise self._refusal(error) from None
        finally:
            self._partial.unlink(missing_ok=True)
            if self._here != self._path:
                shutil.rmtree(self._here.parent, ignore_errors=True)

    def __enter__(self) -> AtomicFile:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.close(failed=error is not None)
        if isinstance(error, OSError):
            raise self._refusal(error) from None
