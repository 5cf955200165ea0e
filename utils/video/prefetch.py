"""An iterator that runs a few items ahead in a thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

from ..errors import InputError

Item = TypeVar("Item")
LEAVING_SECONDS = 2.0  # how long a thread is waited for that is asked to end


class Prefetch(Iterator[Item]):
    """Runs an iterator in a thread, a few items ahead, so that decoding overlaps with the rest.

    Use as a context manager: leaving it early stops the thread.

    Args:
        ahead: how many items may wait.
        timeout: seconds after which an item that does not come is an InputError; None waits for
            ever. The thread is then left to itself, since compiled code cannot be stopped.
        turn: so many items are made in a row while their user waits, and the next ones when all of
            these are used; 0: they are made beside that, `ahead`.
    """

    _END = object()

    def __init__(
        self,
        items: Iterable[Item],
        ahead: int = 4,
        timeout: float | None = None,
        turn: int = 0,
    ) -> None:
        self._items = items
        self._timeout = timeout
        self._turn = turn
        self._made = 0  # items so far
        self._queue: queue.Queue = queue.Queue(maxsize=turn or ahead)
        self._wanted = threading.Event()  # all that was handed over is taken
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._fill, daemon=True)

    def __enter__(self) -> Prefetch[Item]:
        self._thread.start()
        return self

    def __exit__(self, *ending: object) -> None:
        self._stopped.set()
        self._thread.join(None if self._timeout is None else LEAVING_SECONDS)

    def _put(self, message: tuple[object, BaseException | None]) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(message, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def _hand_over(self, items: list[Item]) -> bool:
        """Puts the items, which are forgotten here; in turns, waits until they are used. Whether
        more are wanted."""
        self._wanted.clear()
        put = all(self._put((item, None)) for item in items)
        items.clear()
        while put and self._turn and not self._stopped.is_set():
            if self._wanted.wait(0.1):
                break
        return put

    def _fill(self) -> None:
        ending: BaseException | None = None
        iterator = iter(self._items)
        waiting: list[Item] = []
        try:
            for item in iterator:
                self._made += 1
                waiting.append(item)
                del item  # a picture's memory is used again when nobody holds it
                if len(waiting) >= self._turn and not self._hand_over(waiting):
                    break
        except BaseException as error:
            ending = error
        finally:
            close = getattr(iterator, "close", None)
            if close:
                close()
        for item in waiting:
            self._put((item, None))
        self._put((self._END, ending))

    def _get(self) -> tuple[object, BaseException | None]:
        if self._queue.empty():
            self._wanted.set()
        while True:
            made = self._made
            try:
                return self._queue.get(timeout=self._timeout)
            except queue.Empty:
                if self._made > made:
                    continue
                waited = f"{self._timeout:g} seconds without a new frame"
                raise InputError(f"given up after {waited}; --timeout allows more") from None

    def __next__(self) -> Item:
        item, error = self._get()
        if item is self._END:
            self._put((self._END, None))  # a further `next` ends too
            if error is not None:
                raise error
            raise StopIteration
        return item
