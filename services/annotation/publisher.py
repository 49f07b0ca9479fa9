"""Giving events their place in a project's stream: once each, without gaps, whatever crashes.

The head document of a project (collection ``streams``) is the one place where sequences are given
out. Publishing compares-and-swaps it to ``{last, placing}``, where ``placing`` are the events that
have just got the sequences up to ``last``; only then are they written to ``events``. Who reads or
publishes next first makes sure that what the head placed is really in ``events`` (writing it again
changes nothing: the id is ``<project>/<sequence>``), so a crash in between neither loses nor
doubles anything.
Because everything up to ``last`` is there before the head moves, an event that was published
before is recognised by its id, and the swap fails when another publisher moved the head meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from services.annotation.documents import to_event
from services.annotation.domain import Event, EventType
from services.annotation.outbox import PendingEvent
from services.annotation.schema import EVENTS, STREAMS
from services.common.store.port import (
    Document,
    DocumentStore,
    DuplicateError,
    Eq,
    Gt,
    In,
    Order,
    RevisionError,
    Stored,
)

# Bounds the head document: about 300 bytes per event.
_BATCH = 1_000
_MAX_KNOWN_HEADS = 10_000
# What nobody audits: what models said can be had again.
_FORGOTTEN = frozenset({EventType.PREDICTION_WRITTEN.value})


class Streams:
    """The event streams of all projects."""

    def __init__(self, store: DocumentStore) -> None:
        """Use an open store."""
        self._store = store
        # By project: the revision of the head whose events are known to be in `events`.
        self._placed: dict[str, int] = {}

    async def last(self, project: str) -> int:
        """Return the last sequence given out, 0 when there is none; all up to it can be read."""
        head = await self._settled_head(project)
        return 0 if head is None else int(head.body["last"])

    async def first(self, project: str) -> int:
        """Return the first sequence that the stream still has; what was before is forgotten."""
        head = await self._settled_head(project)
        return 1 if head is None else int(head.body.get("first", 1))

    async def forget(self, project: str, before: int) -> int:
        """Forget the stream up to `before` microseconds; return its first sequence then.

        Of what is forgotten only written predictions are removed: everything else stays for the
        audit.
        """
        while True:
            head = await self._settled_head(project)
            if head is None:
                return 1
            first = int(head.body.get("first", 1))
            found = await self._store.find(
                EVENTS,
                where=[Eq("project", project), Gt("sequence", first - 1)],
                order=[Order(field="sequence")],
                limit=_BATCH,
            )
            old = list(takewhile(lambda stored: int(stored.body["time"]) < before, found))
            if not old:
                return first
            # The head first: a token is refused before its events are gone, never after.
            after = int(old[-1].body["sequence"]) + 1
            body = {**head.body, "first": after}
            try:
                moved = await self._store.replace(
                    STREAMS, project, body, expected_revision=head.revision
                )
            except RevisionError:
                continue
            self._placed[project] = moved.revision
            gone = [one.id for one in old if one.body["type"] in _FORGOTTEN]
            await self._store.delete_many(EVENTS, gone)

    async def read(self, project: str, *, after: int, limit: int) -> list[Event]:
        """Return the next events behind sequence `after`, in order and without gaps."""
        last = await self.last(project)
        if after >= last:
            return []
        found = await self._store.find(
            EVENTS,
            where=[Eq("project", project), Gt("sequence", after)],
            order=[Order(field="sequence")],
            limit=min(limit, last - after),
        )
        return [to_event(stored.body) for stored in found]

    async def publish(self, project: str, events: Sequence[PendingEvent]) -> int:
        """Append events, in order, that are not in the stream yet.

        Returns:
            How many were appended by this call.
        """
        return sum(
            [
                await self._publish_batch(project, events[start : start + _BATCH])
                for start in range(0, len(events), _BATCH)
            ]
        )

    async def _publish_batch(self, project: str, events: Sequence[PendingEvent]) -> int:
        while True:
            head = await self._settled_head(project)
            if head is None:
                try:
                    body: Document = {"project": project, "last": 0, "placing": []}
                    head = await self._store.insert(STREAMS, project, body)
                except DuplicateError:
                    continue
            known = await self._known([event.id for event in events])
            last = int(head.body["last"])
            fresh = {event.id: event for event in events if event.id not in known}
            if not fresh:
                return 0
            placing = [
                {
                    "project": project,
                    "sequence": last + place,
                    "event_id": event.id,
                    "type": event.type,
                    "resource": event.resource,
                    "time": event.time,
                    "actor": event.actor,
                    "version": event.version,
                }
                for place, event in enumerate(fresh.values(), start=1)
            ]
            body = {**head.body, "last": last + len(placing), "placing": placing}
            try:
                head = await self._store.replace(
                    STREAMS, project, body, expected_revision=head.revision
                )
            except RevisionError:
                continue
            await self._place(head)
            return len(placing)

    async def _known(self, ids: Sequence[str]) -> set[str]:
        found = await self._store.find(EVENTS, where=[In("event_id", list(ids))], limit=len(ids))
        return {stored.body["event_id"] for stored in found}

    async def _settled_head(self, project: str) -> Stored | None:
        """Read the head and make sure that the events which it placed are there."""
        head = await self._store.get(STREAMS, project)
        if head is not None and self._placed.get(project) != head.revision:
            await self._place(head)
        return head

    async def _place(self, head: Stored) -> None:
        placing = head.body["placing"]
        await self._store.insert_many(
            EVENTS, [(f"{head.id}/{body['sequence']:012d}", body) for body in placing]
        )
        if len(self._placed) >= _MAX_KNOWN_HEADS:
            self._placed.clear()
        self._placed[head.id] = head.revision
