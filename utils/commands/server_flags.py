"""The flags of the local page: `--serve` and related options."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from ..console import EXIT_DONE
from ..errors import InputError
from ..limits import MAX_UPLOAD_BYTES

DEFAULT_ADDRESS = "127.0.0.1:8000"


def serve_as_flag(arguments: list[str]) -> list[str]:
    """`lrnet serve` is `--serve`, unless a file has that name."""
    if arguments[:1] == ["serve"] and not Path("serve").exists():
        return ["--serve", *arguments[1:]]
    return arguments


def add_server_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("a local page to drop videos on").add_argument
    add(
        "--serve",
        nargs="?",
        const=DEFAULT_ADDRESS,
        metavar="HOST:PORT",
        help="answer there instead of classifying files (default: 127.0.0.1:8000). Another host "
        "than this machine asks for a token: LRNET_TOKEN, or one that is made and printed",
    )
    add(
        "--serve_path",
        type=Path,
        metavar="DIR",
        help="where its jobs and reports are kept (default: a folder of the user's cache)",
    )
    add("--keep_hours", type=float, default=24, metavar="H", help="how long they are (default: 24)")
    add(
        "--max_upload",
        type=int,
        default=MAX_UPLOAD_BYTES >> 20,
        metavar="MIB",
        help=f"largest file that may be sent (default: {MAX_UPLOAD_BYTES >> 20})",
    )


def run_server(given: argparse.Namespace) -> int:
    from ..locations import user_cache
    from ..serve.app import ServeOptions, serve
    from ..weights.sets import PROJECT_WEIGHTS

    if given.landmarks_path or given.score or given.threshold is not None:
        raise InputError("--serve takes no inputs, no --score and no --threshold")
    host, colon, port = given.serve.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise InputError(f"--serve {given.serve}: name it as HOST:PORT, such as {DEFAULT_ADDRESS}")
    folder = given.serve_path or (user_cache() or Path(tempfile.gettempdir())) / "lrnet" / "serve"
    serve(
        ServeOptions(
            host.strip("[]") or "127.0.0.1",
            int(port),
            folder.resolve(),
            given.weights,
            (given.model_weights or PROJECT_WEIGHTS).resolve(),
            given.workers,
            given.max_upload << 20,
            given.keep_hours,
            os.environ.get("LRNET_TOKEN", ""),
        )
    )
    return EXIT_DONE
