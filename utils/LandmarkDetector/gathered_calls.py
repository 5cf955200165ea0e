"""One network for many threads: what they ask at the same time is answered in one pass."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]


class _Request:
    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self.answer: np.ndarray | Exception | None = None


class GatheredCalls:
    """Called like one of its functions, from any number of threads.

    While the functions are at work, calls wait; the first function that is free takes as many of
    them as it serves at once, the oldest first. Nothing waits for a fuller batch.

    Args:
        functions: from values (n, ...) to answers (n, ...), all alike; one a GPU, say.
        largest: n that a function gets at most, unless one call alone has more.
    """

    def __init__(self, functions: Sequence[Function], largest: int) -> None:
        self._free = deque(functions)
        self._largest = largest
        self._waiting: deque[_Request] = deque()
        self._changed = threading.Condition()

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Raises what the function raised for the batch that the values were in."""
        request = _Request(values)
        with self._changed:
            self._waiting.append(request)
        while True:
            with self._changed:
                while request.answer is None and not (self._free and self._waiting):
                    self._changed.wait()
                if request.answer is not None:
                    break
                function, batch = self._free.popleft(), self._take()
            self._answer(function, batch)
        if isinstance(request.answer, Exception):
            raise request.answer
        return request.answer

    def _take(self) -> list[_Request]:
        batch = [self._waiting.popleft()]
        size = len(batch[0].values)
        while self._waiting and size + len(self._waiting[0].values) <= self._largest:
            batch.append(self._waiting.popleft())
            size += len(batch[-1].values)
        return batch

    def _answer(self, function: Function, batch: Sequence[_Request]) -> None:
        sizes = [len(request.values) for request in batch]
        answers: Sequence[np.ndarray | Exception]
        try:
            together = function(np.concatenate([request.values for request in batch]))
            answers = np.split(together, np.cumsum(sizes)[:-1])
        except Exception as error:
            answers = [error] * len(batch)
        with self._changed:
            for request, answer in zip(batch, answers, strict=True):
                request.answer = answer
            self._free.append(function)
            self._changed.notify_all()
