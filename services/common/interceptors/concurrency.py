"""A bound on the calls under way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.common.errors import Reason, ResourceExhaustedError
from services.common.interceptors.chain import Call

_RETRY_AFTER = 0.5


class Concurrency:
    """Refuses calls above the bound at once, instead of letting them queue past their deadlines.

    Watch streams stay open for long and do little: they have a bound of their own, of the same
    size, so that they cannot shut the other calls out. Health is never refused.
    """

    def __init__(self, bound: int) -> None:
        """Allow `bound` calls and `bound` watch streams at once."""
        self._bound = bound
        self._under_way = {"calls": 0, "watches": 0}

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """See `Concern.around`."""
        if call.is_health:
            yield
            return
        kind = "watches" if call.is_watch else "calls"
        if self._under_way[kind] >= self._bound:
            raise ResourceExhaustedError(
                Reason.OVERLOADED,
                "Too many calls are under way: try again a little later.",
                metadata={"limit": str(self._bound)},
                retry_after=_RETRY_AFTER,
            )
        self._under_way[kind] += 1
        try:
            yield
        finally:
            self._under_way[kind] -= 1
