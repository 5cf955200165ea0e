"""The Ray runtime environment: settings, and the code where workers lack it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..console import OPENCV_QUIET
from ..weights.sets import PROJECT_WEIGHTS

PACKAGE = Path(__file__).resolve().parent.parent
PASSED_ON = ("LRNET_DEBUG", "LRNET_OFFLINE", *OPENCV_QUIET)
LEFT_HERE = shutil.ignore_patterns("__pycache__", "*.pth", "*.dat")


@contextmanager
def worker_environment(ship: bool) -> Iterator[dict[str, Any]]:
    """Ray's `runtime_env` of a worker.

    Args:
        ship: whether this package and the project's weights (5 MB) are copied to the nodes, where
            only its requirements are installed.
    """
    settings = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    if not ship:
        yield {"env_vars": settings}
        return
    with tempfile.TemporaryDirectory(prefix="lrnet-ship-") as folder:
        shutil.copytree(PACKAGE, Path(folder) / PACKAGE.name, ignore=LEFT_HERE)
        if not PROJECT_WEIGHTS.is_relative_to(PACKAGE):
            shutil.copytree(PROJECT_WEIGHTS, Path(folder) / PROJECT_WEIGHTS.name, ignore=LEFT_HERE)
        yield {"env_vars": settings, "working_dir": folder}
