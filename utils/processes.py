"""Identifies the process that made a file, so that leftovers of killed processes can be removed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path

_FOLDER = re.compile(r"lrnet-fetched-([0-9a-f]{8})-(\d+)-\w+")


@cache
def machine() -> str:
    """Eight digits for this machine since it started, and this container: where process numbers
    hold."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
        parts.append(os.readlink("/proc/self/ns/pid"))  # noqa: PTH115 - it is no path
    return hashlib.sha256(" ".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:8]


def runs(process: int) -> bool:
    """Whether a process of this machine is alive."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's
        pass
    return True


def is_abandoned(made_on: str, made_by: str) -> bool:
    """Whether what a process left, by its machine and number, is of one that ended here."""
    return made_on == machine() and not runs(int(made_by))


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for what is fetched, which goes with the process; what killed ones left goes with
    the first."""
    _remove_abandoned(Path(tempfile.gettempdir()))
    return tempfile.TemporaryDirectory(prefix=f"lrnet-fetched-{machine()}-{os.getpid()}-")


@cache
def _remove_abandoned(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            match = _FOLDER.fullmatch(path.name)
            if match and is_abandoned(match[1], match[2]):
                shutil.rmtree(path, ignore_errors=True)
