"""Console output of the scripts: notices, errors and progress on stderr; exit statuses."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from .errors import InputError
from .limits import MAX_MEGAPIXELS

# What OpenCV and FFmpeg say of a damaged video; our own line says it. Read when cv2 is imported.
OPENCV_QUIET = {"OPENCV_LOG_LEVEL": "SILENT", "OPENCV_FFMPEG_LOGLEVEL": "-8"}

# NumPy's threads wait in a loop for each other; its products here are too small to gain by them.
ONE_BLAS_THREAD = "OPENBLAS_NUM_THREADS", "1"

_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

LOG_SECONDS, LISTENER_SECONDS = 30.0, 0.5  # between two words on progress, to a log or a program
EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED, EXIT_TERMINATED = 0, 1, 2, 130, 143


class Terminated(BaseException):
    """SIGTERM came: what is open is closed, what is unfinished removed."""


def printable(text: str) -> str:
    """A text, such as a file's name, as one line that steers no terminal and fits any encoding of
    Unicode: white space becomes a blank; controls, halves of characters and what turns the
    direction of writing become question marks."""
    return "".join(
        "?" if unicodedata.category(char) in ("Cc", "Cs") or char in _TURNS else char
        for char in " ".join(text.split())
    )


# Whether notices and bars are drawn: a script's are, a program's that calls `detect` are logged.
_speaks: ContextVar[bool] = ContextVar("speaks", default=False)
# Told of progress in place of a terminal or a log: a tqdm bar with `desc`, `unit`, `n`, `total`.
_listener: ContextVar[Callable[[Any], None] | None] = ContextVar("listener", default=None)


def speaks() -> bool:
    """Whether this process is a script's."""
    return _speaks.get()


def speak() -> None:
    """From now on notices are printed and progress is drawn: this process is a script's."""
    _speaks.set(True)


def listen(told: Callable[[Any], None]) -> None:
    """From now on `told` is given each bar, twice a second, and none is drawn."""
    _listener.set(told)


def notice(message: str) -> None:
    """One line for people: on stderr in a script, without breaking a progress bar; in any case to
    the logger `lrnet`."""
    from tqdm import tqdm

    line = printable(message)
    logging.getLogger("lrnet").info(line)
    if _speaks.get():
        tqdm.write(line, file=sys.stderr)


def print_result(line: str) -> None:
    """Prints one line of results on stdout without breaking a progress bar."""
    from tqdm import tqdm

    tqdm.write(line, file=sys.stdout)


def progress(items: Iterable, **options: Any) -> Any:
    """A tqdm bar on stderr; in a log, a line every half minute. `LRNET_PROGRESS=0` hides both.
    Where a listener is set, it is called instead."""
    from tqdm import tqdm

    if "desc" in options:
        options["desc"] = printable(options["desc"])
    listener = _listener.get()
    hidden = not _speaks.get() or os.environ.get("LRNET_PROGRESS") == "0"
    kind: Any = tqdm
    if listener is not None:
        kind, hidden = _told_bar(tqdm, LISTENER_SECONDS, listener), False
    elif not sys.stderr.isatty():
        kind = _told_bar(tqdm, LOG_SECONDS, _write_line)
    return kind(items, file=sys.stderr, disable=hidden, dynamic_ncols=True, **options)


def _write_line(bar: Any) -> None:
    bar.fp.write(f"{bar}\n".lstrip())
    bar.fp.flush()


def _told_bar(tqdm: Any, seconds: float, tell: Callable[[Any], None]) -> Any:
    """A tqdm bar that is reported now and then instead of being redrawn."""

    class ToldBar(tqdm):  # type: ignore[misc]
        def __init__(self, *given: Any, **options: Any) -> None:
            self.told = time.monotonic()
            super().__init__(*given, mininterval=seconds, **options)

        def display(self, *_: Any, **__: Any) -> None:
            now = time.monotonic()  # a notice between two lines redraws other bars, not this one
            if self.n and now - self.told >= seconds:
                self.told = now
                tell(self)

        def clear(self, *_: Any, **__: Any) -> None:
            """There is nothing to wipe."""

        def close(self) -> None:
            self.disable = True  # what is done is told by results, not by a bar

    return ToldBar


@contextlib.contextmanager
def native_stderr_muted() -> Iterator[None]:
    """Silences compiled code: TensorFlow and LiteRT print to stderr regardless of their
    settings."""
    if os.environ.get("LRNET_DEBUG"):
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


class HelpFormatter(argparse.HelpFormatter):
    """Adds the default to help texts that lack it, as a user would type it."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text, default = action.help or "", action.default
        told = "default" in text or "(" in text
        if told or default in (None, argparse.SUPPRESS, False, True) or not action.option_strings:
            return text
        values = default if isinstance(default, list) else [default]
        return f"{text} (default: {' '.join(map(str, values))})"


def add_common_flags(parser: argparse.ArgumentParser) -> None:
    """`--version`, and what prints a shell's completion."""
    from .shared import VERSION

    parser.add_argument("--version", action="version", version=f"lrnet {VERSION}")
    add_completion(parser)


def positive_number(text: str) -> float:
    """The value of a flag that must be more than 0. Raises ArgumentTypeError where it is not."""
    number = float(text)
    if not 0 < number < 1e4:
        raise argparse.ArgumentTypeError(f"{text}: must be more than 0")
    return number


def add_max_megapixels(parser: argparse.ArgumentParser) -> None:
    """The limit on a frame's size, of both scripts that read videos."""
    parser.add_argument(
        "--max_megapixels",
        type=positive_number,
        default=MAX_MEGAPIXELS,
        metavar="M",
        help="refuse videos whose frames have more than M million pixels (default: %(default)g)",
    )


def add_completion(parser: argparse.ArgumentParser) -> None:
    """Lets a command print what makes a shell complete its flags."""
    import shtab

    shtab.add_argument_to(
        parser, "--print_completion", help="print the completion script of a shell"
    )


@contextlib.contextmanager
def _termination_raised() -> Iterator[None]:
    """SIGTERM raises `Terminated`, in the main thread; elsewhere signals are not ours to handle."""

    asked = False

    def end(*_: object) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except BaseException as error:
        if asked:  # compiled code (Ray's) makes other exceptions of what it is ended by
            raise Terminated from None
        if isinstance(error, SystemError) and isinstance(error.__cause__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def run_script(name: str, main: Callable[[], int]) -> int:
    """Runs `main` and turns what ends it early into one line and an exit status.

    A defect of the program itself is one line too, with the traceback under `LRNET_DEBUG=1`.
    """
    speak()
    os.environ.setdefault(*ONE_BLAS_THREAD)
    for stream in ("stdout", "stderr"):  # None where the shell closed it
        if getattr(sys, stream) is None:
            setattr(sys, stream, Path(os.devnull).open("w"))  # noqa: SIM115 - kept to the end
    if not os.environ.get("LRNET_DEBUG"):
        for setting, value in OPENCV_QUIET.items():
            os.environ.setdefault(setting, value)
    try:
        with _termination_raised():
            return main()
    except InputError as error:
        notice(f"{name}: {error}")
        return EXIT_USAGE
    except KeyboardInterrupt:
        notice(f"{name}: interrupted; what was finished is kept, run again to go on")
        return EXIT_INTERRUPTED
    except Terminated:
        notice(f"{name}: terminated; what was finished is kept, run again to go on")
        return EXIT_TERMINATED
    except BrokenPipeError:  # the reader of stdout went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except Exception as error:
        if os.environ.get("LRNET_DEBUG"):
            raise
        notice(f"{name}: unexpected {type(error).__name__}: {error} (LRNET_DEBUG=1 shows where)")
        return EXIT_FAILED
