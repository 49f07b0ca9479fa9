"""Forgetting old events, so that streams do not grow for ever."""

from __future__ import annotations

import asyncio

from services.annotation.publisher import Streams
from services.annotation.schema import STREAMS
from services.common.clock import Clock
from services.common.store.port import DocumentStore, Scalar

_DAY_MICROS = 24 * 3_600 * 1_000_000
_INTERVAL_SECONDS = 3_600.0
_PAGE = 100


class Retention:
    """Forgets events that are older than the setting, stream by stream."""

    def __init__(self, store: DocumentStore, streams: Streams, clock: Clock, days: float) -> None:
        """Keep events for so many days."""
        self._store = store
        self._streams = streams
        self._clock = clock
        self._micros = int(days * _DAY_MICROS)

    async def run(self) -> None:
        """Forget once an hour until cancelled."""
        while True:
            await self.sweep()
            await asyncio.sleep(_INTERVAL_SECONDS)

    async def sweep(self) -> None:
        """Forget what is too old now."""
        before = self._clock.now() - self._micros
        after: list[Scalar] | None = None
        while True:
            found = await self._store.find(STREAMS, limit=_PAGE, after=after)
            for stream in found:
                await self._streams.forget(stream.body["project"], before)
            if len(found) < _PAGE:
                return
            after = [found[-1].id]
