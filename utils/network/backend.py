"""Imports Keras quietly, and only when a network needs it."""

from __future__ import annotations

import logging
import os
from types import ModuleType

from ..console import native_stderr_muted
from ..extras import needs


def import_keras() -> ModuleType:
    """Keras on the backend that `KERAS_BACKEND` names, TensorFlow by default; quietly."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with native_stderr_muted(), needs("published", "a published weight set"):
        import keras

    return keras
