"""Prefetching with a progress bar."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from ..console import progress
from ..cores import Cores
from ..video.frames import Video
from ..video.prefetch import Prefetch

TURN_SECONDS = 1e-4  # that a thread may hold Python's lock while another waits
AHEAD_PIXELS = 10_000_000  # that are decoded ahead, of pictures; but
MIN_AHEAD, MAX_AHEAD = 4, 32  # pictures
Item = TypeVar("Item")


@contextmanager
def short_switch_interval() -> Iterator[None]:
    """Lets the thread that decodes and the one that looks at pictures take turns sooner.

    Each works a few milliseconds per frame, mostly in compiled code; when it comes back, Python
    lets it wait for the other's turn to end, by default 5 milliseconds.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(TURN_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


class ProgressPrefetch:
    """Pictures made in a thread, ahead of their use, with a progress bar."""

    def __init__(self, video: Video, timeout: float, show_progress: bool) -> None:
        self._name = video.path.name
        self._timeout = timeout or None
        self._show_progress = show_progress
        ahead = AHEAD_PIXELS // (video.width * video.height)
        self._ahead = min(max(ahead, MIN_AHEAD), MAX_AHEAD)

    @contextmanager
    def __call__(
        self, items: Iterable[Item], task: str, total: int, cores: Cores | None = None
    ) -> Iterator[Iterable[Item]]:
        with Prefetch(items, self._ahead, self._timeout, cores) as prefetched:
            if not self._show_progress:
                yield prefetched
                return
            name = f"{self._name} {task}"
            bar = progress(prefetched, desc=name, unit="frame", total=total or None, leave=False)
            with bar:
                yield bar
