"""A store that a service can start without: it is opened when the database first answers.

A service whose database is away at start comes up, reports NOT_SERVING and answers UNAVAILABLE, as
it does when the database goes away later, instead of dying and being restarted in a loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog

from services.common.store.open import store_from_url
from services.common.store.port import (
    Collection,
    Condition,
    Document,
    DocumentStore,
    DuplicateError,
    Order,
    Scalar,
    Stored,
    StoreUnavailableError,
)

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def opened(url: str, collections: Sequence[Collection]) -> AsyncIterator[DocumentStore]:
    """Yield the store that `url` names, opened if its database answers, and close it at the end.

    Raises:
        ValueError: The URL has an unknown form.
        SchemaError: The database answers, but is not one of this service and version.
    """
    store = LateStore(store_from_url(url), collections)
    try:
        try:
            await store.ping()
        except StoreUnavailableError:
            _log.warning("database away at start; calls are refused until it answers")
        yield store
    finally:
        await store.close()


class LateStore:
    """Opens the store behind it before the first call that succeeds; then only passes calls on."""

    def __init__(self, store: DocumentStore, collections: Sequence[Collection]) -> None:
        """Wrap a store that is not opened yet."""
        self._store = store
        self._collections = collections
        self._is_open = False
        self._opening = asyncio.Lock()

    async def _ready(self) -> DocumentStore:
        if not self._is_open:
            async with self._opening:
                if not self._is_open:
                    await self._store.open(self._collections)
                    self._is_open = True
        return self._store

    async def open(self, collections: Sequence[Collection]) -> None:
        """Open the store now, with these collections."""
        self._collections = collections
        self._is_open = False
        await self._ready()

    async def close(self) -> None:
        """See DocumentStore."""
        await self._store.close()

    async def ping(self) -> None:
        """See DocumentStore."""
        await (await self._ready()).ping()

    async def insert(self, collection: str, id: str, body: Document) -> Stored:
        """See DocumentStore."""
        return await (await self._ready()).insert(collection, id, body)

    async def insert_many(
        self, collection: str, items: Sequence[tuple[str, Document]]
    ) -> list[Stored | DuplicateError]:
        """See DocumentStore."""
        return await (await self._ready()).insert_many(collection, items)

    async def get(self, collection: str, id: str) -> Stored | None:
        """See DocumentStore."""
        return await (await self._ready()).get(collection, id)

    async def get_many(self, collection: str, ids: Sequence[str]) -> dict[str, Stored]:
        """See DocumentStore."""
        return await (await self._ready()).get_many(collection, ids)

    async def replace(
        self, collection: str, id: str, body: Document, *, expected_revision: int
    ) -> Stored:
        """See DocumentStore."""
        store = await self._ready()
        return await store.replace(collection, id, body, expected_revision=expected_revision)

    async def update(
        self,
        collection: str,
        id: str,
        *,
        where: Sequence[Condition] = (),
        set: Mapping[str, Any] | None = None,
        increment: Mapping[str, int] | None = None,
    ) -> Stored | None:
        """See DocumentStore."""
        store = await self._ready()
        return await store.update(collection, id, where=where, set=set, increment=increment)

    async def claim_one(
        self,
        collection: str,
        *,
        where: Sequence[Condition],
        order: Sequence[Order],
        set: Mapping[str, Any],
        increment: Mapping[str, int] | None = None,
    ) -> Stored | None:
        """See DocumentStore."""
        store = await self._ready()
        return await store.claim_one(
            collection, where=where, order=order, set=set, increment=increment
        )

    async def delete(
        self, collection: str, id: str, *, expected_revision: int | None = None
    ) -> bool:
        """See DocumentStore."""
        store = await self._ready()
        return await store.delete(collection, id, expected_revision=expected_revision)

    async def delete_many(self, collection: str, ids: Sequence[str]) -> int:
        """See DocumentStore."""
        return await (await self._ready()).delete_many(collection, ids)

    async def find(
        self,
        collection: str,
        *,
        where: Sequence[Condition] = (),
        order: Sequence[Order] = (),
        limit: int,
        after: Sequence[Scalar] | None = None,
    ) -> list[Stored]:
        """See DocumentStore."""
        store = await self._ready()
        return await store.find(collection, where=where, order=order, limit=limit, after=after)

    async def count(self, collection: str, *, where: Sequence[Condition] = ()) -> int:
        """See DocumentStore."""
        return await (await self._ready()).count(collection, where=where)
