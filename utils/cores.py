"""The CPU cores of one video, shared by the decoder and the networks that read its frames."""

from __future__ import annotations


class Cores:
    """How many threads one video may run at the same time, and whether its decoder works now.

    A network on all cores and a decoder that takes one of them from it hold up each other by more
    than either takes. So the decoder works in bursts, and the network asks before each picture how
    many cores are free; on a single core it waits for the burst's end.

    Args:
        threads: one a core.
        gpu: pictures are looked at on a GPU, by another process perhaps, so beside the decoder.

    Attributes:
        single: the decoder and what is done with its pictures have one core between them.
        of_decoder: threads that the decoder gets; one core is left to what is done with its
            pictures.
        decoding: whether the decoder works; `utils.video.prefetch.Prefetch` says so.
    """

    def __init__(self, threads: int = 1, gpu: bool = False) -> None:
        self._threads = threads
        self.single = threads == 1 and not gpu
        self.of_decoder = max(1, threads - 1)
        self.decoding = False

    @property
    def free(self) -> int:
        """Cores that the decoder does not use now, at least one."""
        return max(1, self._threads - (self.of_decoder if self.decoding else 0))
