"""`InputError`, which users can fix, and the library exceptions that become one."""

from __future__ import annotations

import zipfile
import zlib

# What reading a zip, such as an .npz, raises that is damaged or malicious.
ZIP_ERRORS = (
    *(OSError, ValueError, KeyError, EOFError, TypeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),
)


class InputError(Exception):
    """Something that the user gave cannot be used.

    Its message is the one line that the user sees: what is wrong, with which file, what to do.
    """
