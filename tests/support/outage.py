"""A database that goes away and comes back while its service runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.common.store.late import opened
from services.common.store.port import Collection, DocumentStore, StoreUnavailableError


class Outage:
    """While `away`, every call to the database of a service fails as the store's own do."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, service: str, *, away: bool = False
    ) -> None:
        """Stand before the database of what is started from now on."""
        self.away = away
        self.refused = 0

        @asynccontextmanager
        async def hooked(url: str, collections: Sequence[Collection]) -> AsyncIterator[Any]:
            async with opened(url, collections) as store:
                yield _Store(store, self)

        monkeypatch.setattr(f"services.{service}.bootstrap.opened", hooked)


class _Store:
    def __init__(self, store: DocumentStore, outage: Outage) -> None:
        self._store = store
        self._outage = outage

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            if self._outage.away:
                self._outage.refused += 1
                raise StoreUnavailableError("the disk is full")
            return await method(*args, **kwargs)

        return call
