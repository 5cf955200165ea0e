"""Verified downloads: a file is complete or absent, also with several processes."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ..console import progress
from ..errors import InputError
from ..limits import MAX_DOWNLOAD_BYTES, SLOWEST_DOWNLOAD

OFFLINE = "LRNET_OFFLINE"  # set to anything but 0 to forbid the network
CONNECT_SECONDS, SILENCE_SECONDS, PATIENT_SECONDS = 10, 30, 60
CHUNK_BYTES = 1 << 16


@dataclass(frozen=True)
class ModelFile:
    """A file that a model needs.

    Attributes:
        name: its path below the folder that it belongs in.
        sha256: its checksum in hexadecimal, or the checksum's first digits where its publisher
            tells no more; empty where nothing is known.
        url: where it can be downloaded; empty where it cannot.
        size: in bytes, or None.
        package: an installed distribution that carries the file, or empty.
    """

    name: str
    sha256: str = ""
    url: str = ""
    size: int | None = None
    package: str = ""


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify_file(path: Path, file: ModelFile) -> None:
    """Raises InputError where the file on disk is not the one that `file` describes."""
    if not checksum(path).startswith(file.sha256):
        raise InputError(f"{path}: wrong checksum; delete the file and fetch it again")


def offline() -> bool:
    """Whether the user forbade the network."""
    return os.environ.get(OFFLINE, "0") not in ("", "0")


def fetch_file(file: ModelFile, path: Path) -> Path:
    """Downloads a file to `path`, or does nothing where the right one is there.

    It is written under a name of its own and renamed once its checksum is right, so that a cut
    connection leaves nothing behind and two processes do not meet.

    Raises:
        InputError: no address, network forbidden or unreachable, an error of the server or of the
            disk, a wrong checksum. The message says where the file can be put by hand.
    """
    if path.is_file():
        verify_file(path, file)
        return path
    by_hand = f"; fetch it by hand from {file.url} to {path}" if file.url else f" at {path}"
    if not file.url:
        raise InputError(f"{file.name} is missing{by_hand}")
    _check_address(file)
    if offline():
        raise InputError(f"{file.name} is missing and {OFFLINE} forbids the network{by_hand}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as target:
            _download(file, target)
        if not checksum(partial).startswith(file.sha256):
            raise InputError(f"{file.name}: what {file.url} sent has a wrong checksum{by_hand}")
        partial.chmod(0o644)
        partial.replace(path)
    except OSError as error:  # requests' own errors are OSErrors too
        reason = error.strerror or _reason(error)
        raise InputError(f"{file.name}: download failed ({reason}){by_hand}") from None
    finally:
        partial.unlink(missing_ok=True)
    return path


def _check_address(file: ModelFile) -> None:
    """Raises InputError where a download could not be verified."""
    if not re.fullmatch(r"[0-9a-f]{10,64}", file.sha256):
        raise InputError(f"{file.name}: no checksum is known, so it is not downloaded; place it")
    trusted = file.url.startswith(("https://", "http://127.0.0.1:"))
    if not trusted and len(file.sha256) < 64:
        raise InputError(f"{file.name}: {file.url} is no https address, and its checksum is short")


def _download(file: ModelFile, target) -> None:  # noqa: ANN001 - any binary file
    import requests

    most, began = file.size or MAX_DOWNLOAD_BYTES, time.monotonic()
    received = 0

    with requests.get(
        file.url, stream=True, timeout=(CONNECT_SECONDS, SILENCE_SECONDS)
    ) as response:
        response.raise_for_status()
        with progress((), desc=file.name, total=file.size, unit="B", unit_scale=True) as bar:
            for chunk in response.iter_content(CHUNK_BYTES):
                received += len(chunk)
                if received > most:
                    raise OSError(0, f"more than the {most} bytes that it should have")
                if received < SLOWEST_DOWNLOAD * (time.monotonic() - began - PATIENT_SECONDS):
                    raise OSError(0, f"{received} bytes in {time.monotonic() - began:.0f} s")
                target.write(chunk)
                bar.update(len(chunk))


def _reason(error: OSError) -> str:
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answers {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return "the server does not answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection was cut"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return type(error).__name__
