"""Trunks and adapters as documents: written once, named by their digest, gone when unused.

A document remembers when it was used last, on purpose only roughly: whoever is about to refer to it
says so first (`use_*`), and what was used within the grace period is never removed. As a removal
names the revision that it saw, it loses against every use that comes in between.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.common.paging import Page, find_page
from services.common.store.port import (
    Collection,
    Document,
    DocumentStore,
    DuplicateError,
    Eq,
    Index,
    Order,
    RevisionError,
    Scalar,
    Stored,
)
from services.registry import documents
from services.registry.domain import Adapter, Trunk, hex_of

_TRUNKS = "trunks"
_ADAPTERS = "adapters"
_BATCH = 500

ARTIFACT_COLLECTIONS = (
    Collection(
        name=_TRUNKS,
        indexes=(Index(fields=("create_time",)), Index(fields=("source", "create_time"))),
    ),
    Collection(name=_ADAPTERS, indexes=(Index(fields=("create_time",)),)),
)

_NEWEST = (Order(field="create_time", descending=True),)

T = TypeVar("T", Trunk, Adapter)


@dataclass(frozen=True, kw_only=True)
class Kept(Generic[T]):
    """A document as it was found.

    Attributes:
        value: The trunk or adapter.
        used: When it was last used, microseconds UTC.
        revision: The document's.
    """

    value: T
    used: int
    revision: int


class ArtifactDocuments:
    """Trunks and adapters."""

    def __init__(self, store: DocumentStore) -> None:
        """Use an opened store."""
        self._store = store

    async def add_trunk(self, trunk: Trunk) -> Trunk:
        """Store a trunk; the one stored before, if there is one, is returned instead."""
        stored = await self._add(_TRUNKS, hex_of(trunk.digest), documents.trunk_document(trunk))
        return documents.trunk_of(stored)

    async def trunk(self, digest: str) -> Trunk | None:
        """Read a trunk."""
        stored = await self._store.get(_TRUNKS, hex_of(digest))
        return None if stored is None else documents.trunk_of(stored)

    async def use_trunk(self, digest: str, now: int, fresh: int) -> Trunk | None:
        """Read a trunk that is about to be referred to; see `use_adapters`."""
        found = await self._use(_TRUNKS, [digest], now, fresh)
        return documents.trunk_of(found[0]) if found else None

    async def trunks(self, source: str, page: Page, scope: str) -> tuple[list[Trunk], str]:
        """Return a page of trunks, newest first, and the token of the next page."""
        where = [Eq("source", source)] if source else []
        found, token = await find_page(self._store, _TRUNKS, where, _NEWEST, page, scope)
        return [documents.trunk_of(stored) for stored in found], token

    async def add_adapter(self, adapter: Adapter) -> Adapter:
        """Store an adapter; the one stored before, if there is one, is returned instead."""
        stored = await self._add(
            _ADAPTERS, hex_of(adapter.digest), documents.adapter_document(adapter)
        )
        return documents.adapter_of(stored)

    async def adapters(self, digests: Iterable[str]) -> dict[str, Adapter]:
        """Read adapters; those that are not registered are left out."""
        found = await self._store.get_many(_ADAPTERS, [hex_of(digest) for digest in digests])
        adapters = [documents.adapter_of(stored) for stored in found.values()]
        return {adapter.digest: adapter for adapter in adapters}

    async def use_adapters(
        self, digests: Iterable[str], now: int, fresh: int
    ) -> dict[str, Adapter]:
        """Read adapters that are about to be referred to: they stay for a grace period from now.

        Args:
            digests: Which; those that are not registered, or being removed, are left out.
            now: Microseconds UTC.
            fresh: One that was used after this time needs no write: it stays long enough.
        """
        found = await self._use(_ADAPTERS, digests, now, fresh)
        return {one.digest: one for one in map(documents.adapter_of, found)}

    async def all_trunks(self) -> list[Kept[Trunk]]:
        """Return all trunks."""
        return [
            Kept(value=documents.trunk_of(stored), used=_used(stored), revision=stored.revision)
            for stored in await self._scan(_TRUNKS)
        ]

    async def all_adapters(self) -> list[Kept[Adapter]]:
        """Return all adapters."""
        return [
            Kept(value=documents.adapter_of(stored), used=_used(stored), revision=stored.revision)
            for stored in await self._scan(_ADAPTERS)
        ]

    async def remove_trunk(self, kept: Kept[Trunk]) -> bool:
        """Remove a trunk; False when it was used since it was read."""
        return await self._remove(_TRUNKS, kept.value.digest, kept.revision)

    async def remove_adapter(self, kept: Kept[Adapter]) -> bool:
        """Remove an adapter; False when it was used since it was read."""
        return await self._remove(_ADAPTERS, kept.value.digest, kept.revision)

    async def _add(self, collection: str, id: str, body: Document) -> Stored:
        while True:
            try:
                return await self._store.insert(collection, id, body)
            except DuplicateError:
                stored = await self._store.get(collection, id)
                if stored is not None:  # else it was removed in between
                    return stored

    async def _use(
        self, collection: str, digests: Iterable[str], now: int, fresh: int
    ) -> list[Stored]:
        found = await self._store.get_many(collection, [hex_of(digest) for digest in digests])
        used: list[Stored | None] = []
        for stored in found.values():
            if _used(stored) > fresh:
                used.append(stored)
            else:
                used.append(await self._store.update(collection, stored.id, set={"used_time": now}))
        return [stored for stored in used if stored is not None]

    async def _scan(self, collection: str) -> list[Stored]:
        found: list[Stored] = []
        position: list[Scalar] | None = None
        while True:
            batch = await self._store.find(collection, limit=_BATCH, after=position)
            found += batch
            if len(batch) < _BATCH:
                return found
            position = [batch[-1].id]

    async def _remove(self, collection: str, digest: str, revision: int) -> bool:
        try:
            # Whether it was there to remove, or another run removed it, is the same.
            await self._store.delete(collection, hex_of(digest), expected_revision=revision)
        except RevisionError:
            return False
        return True


def _used(stored: Stored) -> int:
    """Return when a document was used; those of earlier releases were when they were made."""
    return int(stored.body.get("used_time") or stored.body["create_time"])
