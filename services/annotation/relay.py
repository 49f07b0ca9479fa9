"""Carrying outboxes to the streams and the history: right after each write, and the leftovers.

Two kinds of leftovers are found by the relay after a crash: documents with ``outbox_pending``, and
journals. A journal names the documents of one bulk insert and is written before them, removed once
their events are published; so a bulk insert needs no second write per document. A journal whose
documents are not all there (the insert failed or refused some) is kept for a day in case the
insert is merely slow, then dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from services.annotation.history.documents import history_document
from services.annotation.outbox import PendingEvent, outbox_of
from services.annotation.publisher import Streams
from services.annotation.schema import HISTORY, JOURNALS, WITH_OUTBOX
from services.common.clock import Clock
from services.common.logs import get_logger
from services.common.store.port import Document, DocumentStore, Eq, Order, Stored, position
from services.common.watch import Signal

JOURNAL_KEEP_MICROS = 24 * 3_600 * 1_000_000
_PAGE = 200
_RECHECK_SECONDS = 60.0

_log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Written:
    """A document whose outbox was just written."""

    collection: str
    id: str


@dataclass(frozen=True, kw_only=True)
class Bulk:
    """A bulk insert that is done: its journal, and the events of what was stored by it."""

    project: str
    journal: str
    events: Sequence[PendingEvent]


class Relay:
    """Publishes what writers hand to it, in order, and what it finds left over."""

    def __init__(
        self, store: DocumentStore, streams: Streams, signal: Signal, clock: Clock, interval: float
    ) -> None:
        """Build one per process; `interval` seconds lie between two looks for leftovers."""
        self._store = store
        self._streams = streams
        self._signal = signal
        self._clock = clock
        self._interval = interval
        self._queue: deque[Written] = deque()
        self._wake = asyncio.Event()
        # One publishes at a time, so that a process's events are told in the order of its writes.
        self._publishing = asyncio.Lock()
        self._recheck: dict[str, float] = {}

    def hand(self, *items: Written) -> None:
        """Have these published soon; returns at once. Losing them loses no event."""
        self._queue.extend(items)
        self._wake.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        next_sweep = self._clock.monotonic()
        while True:
            if self._clock.monotonic() >= next_sweep:
                await self.sweep()
                next_sweep = self._clock.monotonic() + self._interval
            await self.drain()
            with contextlib.suppress(TimeoutError):
                # Not wait_for: up to Python 3.11 it can swallow a cancellation.
                async with asyncio.timeout(self._interval):
                    await self._wake.wait()

    async def drain(self) -> None:
        """Publish what was handed over, and return when nothing of it is left."""
        self._wake.clear()
        while self._queue:
            async with self._publishing:
                await self._publish_queue()

    async def settle(self) -> None:
        """Return when everything that was handed over before is published."""
        await self.drain()
        async with self._publishing:  # of what another caller took from the queue
            return

    async def publish_now(self, item: Written) -> None:
        """Publish the outbox of a document, and return when it is empty."""
        self._queue.append(item)
        await self.drain()

    async def publish_events(self, project: str, events: Sequence[PendingEvent]) -> None:
        """Publish events that lie in no outbox, behind what was handed over before."""
        async with self._publishing:
            while self._queue:
                await self._publish_queue()
            await self._append(project, events)

    async def finish(self, bulk: Bulk) -> None:
        """Publish the events of a bulk insert at once, which bounds what is under way.

        Should it fail or be cancelled, the journal is found by a later sweep.
        """
        await self.publish_events(bulk.project, bulk.events)
        await self._store.delete(JOURNALS, bulk.journal)

    async def sweep(self) -> None:
        """Publish the leftovers of crashed or failed writers, all of them."""
        for collection in WITH_OUTBOX:
            order = [Order(field="updated")]
            after = None
            while True:
                found = await self._store.find(
                    collection,
                    where=[Eq("outbox_pending", True)],
                    order=order,
                    limit=_PAGE,
                    after=after,
                )
                async with self._publishing:
                    await self._publish_documents(collection, found)
                if len(found) < _PAGE:
                    break
                after = position(found[-1], order)
        await self._sweep_journals()

    async def _sweep_journals(self) -> None:
        order = [Order(field="ord")]
        after = None
        while True:
            found = await self._store.find(JOURNALS, order=order, limit=10, after=after)
            for journal in found:
                # Those of an atomic import are replayed by it, once it is committed.
                due = self._recheck.get(journal.id, 0.0) <= self._clock.monotonic()
                if due and journal.body.get("import_id") is None:
                    await self.replay(journal)
            if len(found) < 10:
                return
            after = position(found[-1], order)

    async def replay(self, journal: Stored) -> None:
        """Publish the documents of a bulk insert that nobody finished (or not yet)."""
        ids: list[str] = journal.body["ids"]
        documents = await self._store.get_many(journal.body["collection"], ids)
        events = [
            event for key in ids if key in documents for event in outbox_of(documents[key].body)
        ]
        async with self._publishing:
            appended = await self._append(journal.body["project"], events)
        if appended:
            _log.info("bulk_events_recovered", project=journal.body["project"], events=appended)
        age = self._clock.now() - int(journal.body["ord"])
        if len(documents) == len(ids) or age > JOURNAL_KEEP_MICROS:
            await self._store.delete(JOURNALS, journal.id)
            self._recheck.pop(journal.id, None)
        else:
            self._recheck[journal.id] = self._clock.monotonic() + _RECHECK_SECONDS

    async def _publish_queue(self) -> None:
        count = min(len(self._queue), _PAGE)
        items = [self._queue.popleft() for _ in range(count)]
        start = 0
        while start < len(items):  # runs of one collection keep the order of the writes
            collection = items[start].collection
            end = start
            while end < len(items) and items[end].collection == collection:
                end += 1
            ids = list(dict.fromkeys(item.id for item in items[start:end]))
            found = await self._store.get_many(collection, ids)
            await self._publish_documents(collection, [found[key] for key in ids if key in found])
            start = end

    async def _publish_documents(self, collection: str, documents: Sequence[Stored]) -> None:
        pending = [one for one in documents if one.body["outbox_pending"]]
        by_project: dict[str, list[Document]] = {}
        for one in pending:
            by_project.setdefault(one.body["project"], []).append(one.body)
        for project, bodies in by_project.items():
            await self._append(project, [event for body in bodies for event in outbox_of(body)])
        for one in pending:
            # A change since then has put its own events in; its writer hands it over again.
            await self._store.update(
                collection,
                one.id,
                where=[Eq("version", one.body["version"])],
                set={"outbox": [], "outbox_pending": False},
            )

    async def _append(self, project: str, events: Sequence[PendingEvent]) -> int:
        if not events:
            return 0
        # The history first: whoever hears of a change can read what was before it. Writing it
        # again changes nothing, as its ids are made of the resource and its version.
        history = [
            (f"{one.resource}@{one.before_version}", history_document(project, one))
            for one in events
            if one.before is not None
        ]
        for start in range(0, len(history), _PAGE):
            await self._store.insert_many(HISTORY, history[start : start + _PAGE])
        appended = await self._streams.publish(project, events)
        if appended:
            self._signal.notify(project)
        return appended
