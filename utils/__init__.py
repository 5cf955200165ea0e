"""The library shared by `extract_landmarks.py` and `classify.py`; installed as `lrnet`.

`from utils import detect` in the checkout, `from lrnet import detect` where it is installed;
`detect("clip.mp4").videos[0].label` is the first face's label.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import detect

from .shared import VERSION as __version__

__all__ = ["__version__", "detect"]


def __getattr__(name: str) -> Any:
    """`detect`, imported with its libraries when it is first asked for."""
    if name != "detect":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .api import detect

    return detect
