"""The threads that models work in, so that the event loop never waits for a product of matrices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class EngineThreads:
    """One thread that runs batches, few that tokenise and decode, and some that load.

    Batches have a thread of their own because the device can do one at a time anyway. Loading has
    its own too: a switch must not wait behind a queue of texts. So have the texts of jobs, of which
    there are many at once: a caller who waits must not wait for those.
    """

    def __init__(self) -> None:
        """Start no thread yet; they start when first used."""
        self._batches = ThreadPoolExecutor(1, thread_name_prefix="batch")
        self._texts = ThreadPoolExecutor(2, thread_name_prefix="text")
        self._background = ThreadPoolExecutor(1, thread_name_prefix="job-text")
        self._loading = ThreadPoolExecutor(2, thread_name_prefix="load")

    @property
    def loading(self) -> Executor:
        """Where models are verified and opened."""
        return self._loading

    async def run_batch(self, work: Callable[[], T]) -> T:
        """Run one batch on the device."""
        return await asyncio.get_running_loop().run_in_executor(self._batches, work)

    async def run_text(
        self, work: Callable[[], T], *, small: bool = False, background: bool = False
    ) -> T:
        """Tokenise or decode.

        Args:
            work: What to do.
            small: It takes so little that the caller's thread does it at once.
            background: Nobody waits for it.
        """
        if small:
            return work()
        pool = self._background if background else self._texts
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    def close(self) -> None:
        """Wait for what runs now; drop what has not begun."""
        for pool in (self._batches, self._texts, self._background, self._loading):
            pool.shutdown(wait=True, cancel_futures=True)
