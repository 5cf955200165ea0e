"""The error that a user can mend."""

from __future__ import annotations


class InputError(Exception):
    """Something that the user gave cannot be used.

    Its message is the one line that the user sees: what is wrong, with which file, what to do.
    """
