"""Imports that are stored as a whole or not at all.

There are no transactions across documents, so an atomic import goes through a document of its own
(collection ``imports``). While that says ``STORING``, the import's tasks carry its id, and their
events are not published. Setting it to ``COMMITTED`` is the one write that decides: then the events
are published and the document is removed. When the import fails, its tasks are removed again; when
its process dies, another look at the documents finds that nobody keeps it going any more and does
the same. While it runs, its tasks can be seen by readers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.annotation.relay import Relay
from services.annotation.schema import IMPORTS, JOURNALS, PREDICTIONS, TASKS
from services.common.clock import Clock
from services.common.errors import AbortedError, Reason
from services.common.ids import IdSource
from services.common.logs import get_logger
from services.common.store.port import DocumentStore, Eq, Order, Stored

STORING, COMMITTED, UNDOING = "STORING", "COMMITTED", "UNDOING"
_PAGE = 500

_log = get_logger(__name__)


class Transaction:
    """One atomic import under way."""

    def __init__(self, store: DocumentStore, clock: Clock, id: str) -> None:
        """Stand for the document with this id."""
        self.id = id
        self._store = store
        self._clock = clock

    async def beat(self) -> None:
        """Say that the import goes on.

        Raises:
            AbortedError: It was taken for dead and undone meanwhile.
        """
        await self._set({"beat": self._clock.now()})

    async def commit(self) -> None:
        """Make the import stay.

        Raises:
            AbortedError: It was taken for dead and undone meanwhile.
        """
        await self._set({"state": COMMITTED})

    async def _set(self, fields: dict[str, object]) -> None:
        stored = await self._store.update(
            IMPORTS, self.id, where=[Eq("state", STORING)], set=fields
        )
        if stored is None:
            raise AbortedError(
                Reason.LEASE_LOST,
                "The import took too long between two batches and was undone: repeat it.",
            )


class AtomicImports:
    """Begins atomic imports, and undoes those that did not get to their end."""

    def __init__(
        self,
        store: DocumentStore,
        relay: Relay,
        clock: Clock,
        ids: IdSource,
        *,
        interval: float,
        stale: float,
    ) -> None:
        """Build one per process.

        `interval` seconds lie between two looks for leftovers. An import beats with every batch;
        one that was silent for `stale` seconds has no process any more.
        """
        self._stale = int(stale * 1_000_000)
        self._store = store
        self._relay = relay
        self._clock = clock
        self._ids = ids
        self._interval = interval

    @asynccontextmanager
    async def begin(self, project: str) -> AsyncIterator[Transaction]:
        """Commit what the block stores when it ends well, and undo it when it raises."""
        now = self._clock.now()
        import_id = f"{project}/{self._ids.new()}"
        await self._store.insert(
            IMPORTS, import_id, {"project": project, "state": STORING, "beat": now, "ord": now}
        )
        transaction = Transaction(self._store, self._clock, import_id)
        try:
            yield transaction
            await transaction.commit()
        except BaseException:
            # Also when the caller went away: what is cancelled must not stay half stored.
            await asyncio.shield(self._undo(import_id))
            raise
        await self._publish(import_id)

    async def run(self) -> None:
        """Look for leftovers until cancelled."""
        while True:
            await self.sweep()
            await asyncio.sleep(self._interval)

    async def sweep(self) -> None:
        """Finish what was committed, undo what nobody keeps going."""
        for found in await self._store.find(IMPORTS, order=[Order(field="ord")], limit=_PAGE):
            if found.body["state"] == COMMITTED:
                await self._publish(found.id)
            elif found.body["state"] == UNDOING:
                await self._undo(found.id)
            elif self._clock.now() - int(found.body["beat"]) > self._stale:
                await self._undo_stale(found)

    async def _undo_stale(self, found: Stored) -> None:
        # Whoever was merely slow finds the document gone at its next beat.
        taken = await self._store.update(
            IMPORTS,
            found.id,
            where=[Eq("state", STORING), Eq("beat", found.body["beat"])],
            set={"state": UNDOING},
        )
        if taken is not None:
            _log.warning("atomic_import_undone", project=found.body["project"])
            await self._undo(found.id)

    async def _undo(self, id: str) -> None:
        await self._store.update(IMPORTS, id, set={"state": UNDOING})
        while tasks := await self._store.find(TASKS, where=[Eq("import_id", id)], limit=_PAGE):
            for task in tasks:
                where = [Eq("project", task.body["project"]), Eq("task", task.body["task"])]
                while found := await self._store.find(PREDICTIONS, where=where, limit=_PAGE):
                    await self._store.delete_many(PREDICTIONS, [one.id for one in found])
            await self._store.delete_many(TASKS, [one.id for one in tasks])
        for journal in await self._journals(id):
            await self._store.delete(JOURNALS, journal.id)
        await self._store.delete(IMPORTS, id)

    async def _publish(self, id: str) -> None:
        for journal in await self._journals(id):
            await self._relay.replay(journal)
        await self._store.delete(IMPORTS, id)

    async def _journals(self, id: str) -> list[Stored]:
        return await self._store.find(
            JOURNALS, where=[Eq("import_id", id)], order=[Order(field="ord")], limit=100_000
        )
