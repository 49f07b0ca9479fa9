"""Wake-ups of watch streams when something changed in this process."""

from __future__ import annotations

import asyncio
import contextlib

_MAX_KEYS = 100_000


class Signal:
    """Version counters by key that can be waited for.

    A watcher remembers the version that it saw *before* reading the state, so a change between
    reading and waiting is never lost. Changes made by other processes are not seen: watchers also
    poll. Now and then a watcher is woken for nothing.
    """

    def __init__(self) -> None:
        """Start with every key at version 0."""
        self._count = 0
        self._floor = 0
        self._versions: dict[str, int] = {}
        self._waiters: dict[str, set[asyncio.Future[None]]] = {}

    def version(self, key: str) -> int:
        """Return the version of `key`: 0 before the first change, growing with each."""
        return self._versions.get(key, self._floor)

    def notify(self, key: str) -> None:
        """Say that `key` changed. Call it on the event loop, after the write."""
        self._count += 1
        if len(self._versions) >= _MAX_KEYS and key not in self._versions:
            # Forget all keys: they count as changed now, which costs their watchers one look.
            self._versions.clear()
            self._floor = self._count
        self._versions[key] = self._count
        for waiter in self._waiters.pop(key, ()):
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, key: str, seen: int, timeout: float) -> int:
        """Wait until the version of `key` is not `seen`, at most `timeout` seconds.

        Returns:
            The version now; `seen` when nothing changed in time.
        """
        if self.version(key) != seen or timeout <= 0:
            return self.version(key)
        waiter = asyncio.get_running_loop().create_future()
        waiters = self._waiters.setdefault(key, set())
        waiters.add(waiter)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await waiter
        finally:
            waiters.discard(waiter)
            if not waiters and self._waiters.get(key) is waiters:
                del self._waiters[key]
        return self.version(key)
