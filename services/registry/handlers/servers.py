"""Which inference servers are there, and the precision of a trunk that fits them."""

from __future__ import annotations

from services.common.clock import Clock
from services.common.errors import Reason, ResourceExhaustedError
from services.common.paging import parse_page
from services.registry.precision import (
    Device,
    InferenceServer,
    PrecisionChoice,
    PrecisionPolicy,
)
from services.registry.server_documents import ServerDocuments

MAX_SERVERS = 1000


class Servers:
    """The inference servers of this registry."""

    def __init__(self, documents: ServerDocuments, policy: PrecisionPolicy, clock: Clock) -> None:
        """Use the given store and settings."""
        self._documents = documents
        self._policy = policy
        self._clock = clock

    async def report(self, id: str, device: Device, lifetime: int) -> InferenceServer:
        """Take down that a server is there, for `lifetime` microseconds.

        Raises:
            ResourceExhaustedError: MAX_SERVERS others are there.
        """
        now = self._clock.now()
        await self._documents.sweep(now)
        others = await self._documents.count(now)
        if others >= MAX_SERVERS and not await self._documents.knows(id):
            raise ResourceExhaustedError(
                Reason.REQUEST_TOO_LARGE,
                f"{MAX_SERVERS} inference servers have reported: wait until those that are gone "
                "have expired.",
                metadata={"max_servers": str(MAX_SERVERS)},
            )
        server = InferenceServer(id=id, device=device, report_time=now, expire_time=now + lifetime)
        await self._documents.put(server)
        return server

    async def remove(self, id: str) -> None:
        """Forget a server; one that is not known is none to forget."""
        await self._documents.remove(id)

    async def page(self, page_size: int, page_token: str) -> tuple[list[InferenceServer], str]:
        """Return a page of the servers that are there, and the token of the next page."""
        scope = "ListServers"
        page = parse_page(page_size, page_token, scope)
        return await self._documents.page(self._clock.now(), page, scope)

    async def choose(self) -> PrecisionChoice:
        """Return the precision that fits the servers that are there."""
        now = self._clock.now()
        counts = {device: await self._documents.count(now, device) for device in Device}
        return self._policy.choose(counts)
