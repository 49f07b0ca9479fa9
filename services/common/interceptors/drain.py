"""Knows the calls under way and can end them when the server stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.common.errors import Reason, UnavailableError
from services.common.interceptors.chain import Call


class Drain:
    """Lets a stopping server end its calls with UNAVAILABLE/DRAINING."""

    def __init__(self) -> None:
        """Start without calls."""
        self._tasks: dict[Call, asyncio.Task[object]] = {}
        self._ended: set[Call] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed_to_watches = False

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """See `Concern.around`."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a call runs outside of any task")
        if self._closed_to_watches and call.is_watch:
            raise _draining()
        self._tasks[call] = task
        self._idle.clear()
        try:
            yield
        except asyncio.CancelledError:
            if call not in self._ended:
                raise
            # The cancellation was ours, and this is where it ends.
            task.uncancel()
            raise _draining() from None
        finally:
            self._tasks.pop(call, None)
            self._ended.discard(call)
            if not self._tasks:
                self._idle.set()

    def end_watches(self) -> None:
        """End the streams that would never end by themselves, and refuse new ones."""
        self._closed_to_watches = True
        self._end([call for call in self._tasks if call.is_watch])

    def end_all(self) -> None:
        """End every call."""
        self._end(list(self._tasks))

    async def wait_idle(self, timeout: float) -> bool:
        """Wait until no call is under way; False when some still are after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def _end(self, calls: list[Call]) -> None:
        for call in calls:
            if call not in self._ended:
                self._ended.add(call)
                self._tasks[call].cancel()


def _draining() -> UnavailableError:
    return UnavailableError(
        Reason.DRAINING, "The server is shutting down: try again elsewhere.", retry_after=1.0
    )
