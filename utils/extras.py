"""Optional dependencies: which extra to install when a library is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import InputError


@contextmanager
def needs(extra: str, what: str) -> Iterator[None]:
    """Imports of an extra.

    Args:
        extra: as `pyproject.toml` names it; what: the part that needs it.

    Raises:
        InputError: a library is missing; the line names the extra.
    """
    try:
        yield
    except ImportError as error:
        library = error.name or str(error)
        raise InputError(f"{what} needs {library}: pip install 'lrnet[{extra}]'") from None
