"""Text files that appear under their name when they are complete, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import InputError


class WholeFile:
    """A text file, UTF-8, written under a temporary name in its folder, then renamed. A context
    manager; what is raised within leaves no file behind.

    Args:
        errors: what becomes of characters that are no Unicode, as of `open`.

    Raises:
        InputError: it cannot be written, or the disk is full.
    """

    def __init__(self, path: Path, errors: str = "strict") -> None:
        self._path = path
        self._partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._partial.open("w", encoding="utf-8", errors=errors, newline="")
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
                self._partial.replace(self._path)
        except OSError as error:
            raise self._refusal(error) from None
        finally:
            self._partial.unlink(missing_ok=True)

    def __enter__(self) -> WholeFile:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.close(failed=error is not None)
        if isinstance(error, OSError):
            raise self._refusal(error) from None
