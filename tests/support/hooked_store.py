"""A document store around which a test interferes, call by call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from services.common.store.port import DocumentStore

Hook = Callable[[int], Awaitable[None]]


class HookedStore:
    """A store that calls a hook with 0, 1, 2, … before and after each of its calls, in turn."""

    def __init__(self, store: DocumentStore, hook: Hook) -> None:
        self._store = store
        self._hook = hook
        self.points = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            await self._point()
            result = await method(*args, **kwargs)
            await self._point()
            return result

        return call

    async def _point(self) -> None:
        self.points += 1
        await self._hook(self.points - 1)
