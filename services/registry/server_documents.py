"""Inference servers in the store: one document each, which its next report replaces."""

from __future__ import annotations

from services.common.paging import Page, find_page
from services.common.store.port import (
    Collection,
    Document,
    DocumentStore,
    DuplicateError,
    Eq,
    Gt,
    Index,
    Lt,
    Order,
    RevisionError,
    Stored,
)
from services.registry.precision import Device, InferenceServer

_SERVERS = "inference_servers"
_SWEPT_AT_ONCE = 100

SERVER_COLLECTION = Collection(
    name=_SERVERS,
    indexes=(Index(fields=("expire_time",)), Index(fields=("device", "expire_time"))),
)


class ServerDocuments:
    """The servers that reported. One that stops without a word is gone when its time has passed."""

    def __init__(self, store: DocumentStore) -> None:
        """Use an opened store."""
        self._store = store

    async def put(self, server: InferenceServer) -> None:
        """Store a server's newest report."""
        body = _document(server)
        while await self._store.update(_SERVERS, server.id, set=body) is None:
            try:
                await self._store.insert(_SERVERS, server.id, body)
            except DuplicateError:
                continue  # it came in between
            return

    async def remove(self, id: str) -> None:
        """Forget a server, if it is known."""
        await self._store.delete(_SERVERS, id)

    async def sweep(self, now: int) -> None:
        """Forget servers whose time has passed."""
        found = await self._store.find(
            _SERVERS,
            where=[Lt("expire_time", now + 1)],
            order=[Order(field="expire_time")],
            limit=_SWEPT_AT_ONCE,
        )
        for stored in found:
            try:
                await self._store.delete(_SERVERS, stored.id, expected_revision=stored.revision)
            except RevisionError:
                continue  # it has reported since

    async def count(self, now: int, device: Device | None = None) -> int:
        """Count the servers that are there, or those of them that compute on `device`."""
        where = [Gt("expire_time", now)]
        if device is None:
            return await self._store.count(_SERVERS, where=where)
        return await self._store.count(_SERVERS, where=[Eq("device", device.value), *where])

    async def knows(self, id: str) -> bool:
        """Return whether a server has reported and was not swept."""
        return await self._store.get(_SERVERS, id) is not None

    async def page(self, now: int, page: Page, scope: str) -> tuple[list[InferenceServer], str]:
        """Return a page of the servers that are there, by id, and the token of the next one."""
        found, token = await find_page(
            self._store, _SERVERS, [Gt("expire_time", now)], [], page, scope
        )
        return list(map(_server, found)), token


def _document(server: InferenceServer) -> Document:
    return {
        "device": server.device.value,
        "report_time": server.report_time,
        "expire_time": server.expire_time,
    }


def _server(stored: Stored) -> InferenceServer:
    body = stored.body
    return InferenceServer(
        id=stored.id,
        device=Device(body["device"]),
        report_time=body["report_time"],
        expire_time=body["expire_time"],
    )
