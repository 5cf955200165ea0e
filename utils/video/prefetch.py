"""Prefetching: runs an iterator ahead of its consumer in a thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TypeVar

from ..cores import Cores
from ..errors import InputError

Item = TypeVar("Item")
LEAVING_SECONDS = 2.0  # how long a thread is waited for that is asked to end


class Prefetch(Iterator[Item]):
    """Runs an iterator in a thread, ahead of its user, so that decoding overlaps with the rest.

    It works in bursts: until `ahead` items wait, then not until only a few of them are left; on a
    single core both take turns. Use as a context manager: leaving it early stops the thread.

    Args:
        ahead: how many items may wait.
        timeout: seconds after which an item that does not come is an InputError; None waits for
            ever. The thread is then left to itself, since compiled code cannot be stopped.
        cores: are notified when the thread works.
    """

    def __init__(
        self,
        items: Iterable[Item],
        ahead: int = 4,
        timeout: float | None = None,
        cores: Cores | None = None,
    ) -> None:
        self._items = items
        self._cores = cores or Cores(2)  # whose user takes what is ready while more is decoded
        self._ahead, self._few = ahead, 0 if self._cores.single else ahead // 4
        self._timeout = timeout
        self._ready: deque[Item] = deque()
        self._made = 0  # items so far
        self._changed = threading.Condition()  # guards all that both threads see
        self._wanted = self._ended = self._stopped = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._fill, daemon=True)

    def __enter__(self) -> Prefetch[Item]:
        self._thread.start()
        return self

    def __exit__(self, *ending: object) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join(None if self._timeout is None else LEAVING_SECONDS)

    def _fill(self) -> None:
        iterator = iter(self._items)
        self._cores.decoding = True
        try:
            for item in iterator:
                with self._changed:
                    self._ready.append(item)
                    del item  # a picture's memory is used again once nothing refers to it
                    self._made += 1
                    if not self._cores.single:  # else its user waits for the burst's end
                        self._changed.notify_all()
                    if len(self._ready) >= self._ahead:
                        self._rest()
                    if self._stopped:
                        break
        except BaseException as error:
            self._error = error
        finally:
            close = getattr(iterator, "close", None)
            if close:
                close()
            self._cores.decoding = False
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _rest(self) -> None:
        self._cores.decoding = self._wanted = False
        self._changed.notify_all()
        self._changed.wait_for(lambda: self._stopped or self._wanted)
        self._cores.decoding = True

    def _has_turn(self) -> bool:
        """Whether the user need not wait."""
        at_work = self._cores.single and self._cores.decoding
        return self._ended or (bool(self._ready) and not at_work)

    def __next__(self) -> Item:
        with self._changed:
            if len(self._ready) <= self._few:
                self._wanted = True
                self._changed.notify_all()
            while not self._has_turn():
                made = self._made
                if not self._changed.wait(self._timeout) and self._made == made:
                    waited = f"{self._timeout:g} seconds without a new frame"
                    raise InputError(f"given up after {waited}; --timeout allows more")
            if self._ready:
                return self._ready.popleft()
        if self._error is not None:
            raise self._error
        raise StopIteration
