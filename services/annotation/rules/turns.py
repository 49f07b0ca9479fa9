"""Threads on which rules are tried: callers share them, and each has one at a time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar
from weakref import WeakValueDictionary

_T = TypeVar("_T")
# Rules compute outside of the interpreter for the most part, and must leave it room to serve.
_THREADS = max(4, os.cpu_count() or 1)


class Turns:
    """Runs what computes on threads of its own, one call of each caller at a time.

    Whoever sends slow work waits for it with what they send next, and others do not.
    """

    def __init__(self, threads: int = _THREADS) -> None:
        """Use up to `threads` threads; they end with this object."""
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="rules")
        self._busy: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def run(self, caller: str, work: Callable[[], _T]) -> _T:
        """Return what `work` returns, when it is the caller's turn.

        A caller who goes away while it runs is busy until it ends: a thread cannot be stopped.
        """
        turn = self._busy.get(caller)
        if turn is None:
            turn = self._busy[caller] = asyncio.Lock()
        await turn.acquire()
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        # Holds the lock as well, which the dictionary does not.
        running.add_done_callback(partial(_released, turn))
        return await asyncio.shield(running)


def _released(turn: asyncio.Lock, _: object) -> None:
    turn.release()
