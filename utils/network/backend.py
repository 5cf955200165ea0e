"""Keras, imported quietly and only when a network is needed."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType


@contextlib.contextmanager
def _native_stderr_muted() -> Iterator[None]:
    """Silences compiled code: TensorFlow greets on stderr before it reads its settings."""
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


def import_keras() -> ModuleType:
    """Keras on the backend that `KERAS_BACKEND` names, TensorFlow by default; quietly."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with _native_stderr_muted():
        import keras

    return keras
