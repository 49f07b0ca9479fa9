"""How steps use memory, and what to do when it runs out. Free of torch."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeVar

Item = TypeVar("Item")

# Of glibc's malloc.h: how much may lie free before it is given back, and from which size on a
# block is mapped by itself, at most 32 MiB.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_NEVER, _LARGEST = 2**31 - 1, 2**25

_SIGNS = (
    "outofmemory",
    "out of memory",
    "bad_alloc",
    "can't allocate",
    "bad allocation",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of the training framework or the ONNX runtime says that memory ran out."""
    text = f"{type(error).__name__}: {error}".lower()
    return isinstance(error, MemoryError) or any(sign in text for sign in _SIGNS)


def keep_freed_memory() -> None:
    """Keep what is freed for what is needed next, where the C library is glibc.

    Each step needs the same memory again. Given back to the system meanwhile, it would come back
    page by page: a fifth of a step's time.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, _NEVER)
        mallopt(_M_MMAP_THRESHOLD, _LARGEST)


class MemoryGuard:
    """Halves what goes through memory at once, for good, each time that memory runs out.

    The parts of a batch are added up, so the steps are the same as with enough memory, but for
    rounding.
    """

    def __init__(self, on_halved: Callable[[str], None], halvings: int = 0) -> None:
        """Begin with the number of halvings that an earlier part of the run came to.

        Args:
            on_halved: Told in a sentence when a batch is halved.
            halvings: As a checkpoint stored it.
        """
        self.halvings = halvings
        self._on_halved = on_halved

    def parts(self, batch: Sequence[Item]) -> list[list[Item]]:
        """Return the parts of a batch that go through memory one after the other."""
        count = min(2**self.halvings, len(batch))
        borders = [round(index * len(batch) / count) for index in range(count + 1)]
        return [list(batch[a:b]) for a, b in pairwise(borders)]

    def retry(self, batch: Sequence[Item], step: Callable[[list[list[Item]]], float]) -> float:
        """Return what `step` returns for the batch's parts; smaller parts when memory runs out.

        Args:
            batch: What a step learns from.
            step: Must be repeatable until it returns.

        Raises:
            MemoryError: Or the framework's own: memory does not suffice for a single item.
        """
        while True:
            parts = self.parts(batch)
            try:
                return step(parts)
            except Exception as error:
                if not is_out_of_memory(error) or len(parts) >= len(batch):
                    raise
                self.halvings += 1
                self._on_halved(
                    f"Memory ran out: the batch is halved to {len(self.parts(batch)[0])} of "
                    f"{len(batch)} texts at once, and the step is tried again."
                )
