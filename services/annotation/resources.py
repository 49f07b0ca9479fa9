"""Writing documents together with their events: the one way in which this service changes data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.annotation.outbox import NewEvent, event_document, outbox_of, with_outbox
from services.annotation.relay import Bulk, Relay, Written
from services.annotation.schema import JOURNALS
from services.common.call import current_actor
from services.common.clock import Clock
from services.common.errors import AbortedError, Reason, not_found
from services.common.idempotency import RequestKey
from services.common.ids import IdSource
from services.common.store.port import Document, DocumentStore, DuplicateError, Eq
from services.common.store.requests import find_request, insert_once

_MAX_TRIES = 50
# Entries carry the state before their change: more of them could outgrow the document.
_MAX_OUTBOX = 4


@dataclass(frozen=True, kw_only=True)
class NewDocument:
    """A document to insert, with the events that tell of it."""

    id: str
    body: Document
    events: Sequence[NewEvent]


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a change of a document sets, and the events that tell of it."""

    fields: Document
    events: Sequence[NewEvent]


class Resources:
    """Creates and changes resource documents; every write carries its events."""

    def __init__(self, store: DocumentStore, relay: Relay, clock: Clock, ids: IdSource) -> None:
        """Use an open store."""
        self._store = store
        self._relay = relay
        self._clock = clock
        self._ids = ids
        self._last_ord = 0

    def now(self) -> int:
        """Return the time in microseconds."""
        return self._clock.now()

    def new_id(self) -> str:
        """Return an id for a new resource."""
        return self._ids.new()

    async def get(self, collection: str, id: str, name: str) -> Document:
        """Read a document, or raise NotFoundError for the resource `name`."""
        stored = await self._store.get(collection, id)
        if stored is None:
            raise not_found(name)
        return stored.body

    async def create(
        self, collection: str, new: NewDocument, key: RequestKey | None = None
    ) -> Document:
        """Insert a document, or return the one that the same request made before.

        Raises:
            DuplicateError: The id or a unique value is taken, and not by this request.
            InvalidArgumentError: REQUEST_ID_REUSED.
        """
        body = self._prepared(new, pending=True)
        stored, made = await insert_once(self._store, collection, new.id, body, key)
        if made:
            self._relay.hand(Written(collection=collection, id=new.id))
        return stored.body

    async def remove(self, collection: str, id: str, event: NewEvent, project: str) -> None:
        """Remove a document for good and tell of it; nothing happens when it is gone already.

        The event is published first: a crash in between leaves a document that can be removed
        again, and the event is told once (its id is made of the document's version).
        """
        stored = await self._store.get(collection, id)
        if stored is None:
            return
        entry = event_document(event, stored.body["version"] + 1, self.now(), current_actor())
        pending = outbox_of({"outbox": [*stored.body["outbox"], entry]})
        await self._relay.publish_events(project, pending)
        await self._store.delete(collection, id)

    async def settle(self, collection: str, id: str) -> None:
        """Return when the events of what was written to a document are published."""
        await self._relay.publish_now(Written(collection=collection, id=id))

    async def settle_all(self) -> None:
        """Return when the events of everything that this process wrote are published."""
        await self._relay.settle()

    async def made_by(self, collection: str, key: RequestKey) -> Document | None:
        """Return the document that a request made before, or None.

        Raises:
            InvalidArgumentError: REQUEST_ID_REUSED: another request had this id.
        """
        found = await find_request(self._store, collection, key)
        return None if found is None else found.body

    async def create_many(
        self,
        project: str,
        collection: str,
        items: Sequence[NewDocument],
        *,
        import_id: str = "",
    ) -> list[Document | None]:
        """Insert many documents of one project with few writes, and publish their events.

        With an `import_id` the events wait until that import is committed.

        Returns:
            For each item the stored document, or None when its id or a unique value is taken.
        """
        if not items:
            return []
        bodies = [self._prepared(item, pending=False) for item in items]
        journal = f"{project}/{self._ids.new()}"
        await self._store.insert(
            JOURNALS,
            journal,
            {
                "project": project,
                "collection": collection,
                "ids": [item.id for item in items],
                "ord": self.next_ord(),
                "import_id": import_id or None,
            },
        )
        outcomes = await self._store.insert_many(
            collection, [(item.id, body) for item, body in zip(items, bodies, strict=True)]
        )
        stored = [None if isinstance(one, DuplicateError) else one.body for one in outcomes]
        if import_id:
            return stored
        events = [event for body in stored if body is not None for event in outbox_of(body)]
        await self._relay.finish(Bulk(project=project, journal=journal, events=events))
        return stored

    async def change(
        self, collection: str, id: str, name: str, change: Callable[[Document], Change | None]
    ) -> Document:
        """Change a document in one guarded write; the guard is its version.

        Args:
            collection: The collection.
            id: The document.
            name: The resource, for refusals.
            change: From the document as it is to the change, None for no change; it is asked again
                when another change came first, and raises to refuse.

        Returns:
            The document after the change.

        Raises:
            NotFoundError: There is no such document.
            AbortedError: Others kept changing it.
        """
        for _ in range(_MAX_TRIES):
            body = await self.get(collection, id, name)
            if len(body["outbox"]) >= _MAX_OUTBOX:
                await self._relay.publish_now(Written(collection=collection, id=id))
                body = await self.get(collection, id, name)
            wanted = change(body)
            if wanted is None:
                return body
            version = body["version"]
            now = self.now()
            actor = current_actor()
            events = [event_document(event, version + 1, now, actor) for event in wanted.events]
            stored = await self._store.update(
                collection,
                id,
                where=[Eq("version", version)],
                set={
                    **wanted.fields,
                    "version": version + 1,
                    "updated": now,
                    # What was published meanwhile is recognised by its id and not told again.
                    "outbox": [*body["outbox"], *events],
                    "outbox_pending": True,
                },
            )
            if stored is not None:
                self._relay.hand(Written(collection=collection, id=id))
                return stored.body
        raise AbortedError(
            Reason.ETAG_MISMATCH,
            f"{name} is being changed by many callers at once: try again.",
            metadata={"resource": name},
        )

    def _prepared(self, new: NewDocument, *, pending: bool) -> Document:
        version, time, actor = new.body["version"], new.body["created"], current_actor()
        entries = [event_document(one, version, time, actor) for one in new.events]
        body = with_outbox(new.body, entries, pending=pending)
        body["ord"] = self.next_ord()
        return body

    def next_ord(self) -> int:
        """Return a place in the order of creation: the time, made unique in this process."""
        self._last_ord = max(self._last_ord + 1, self._clock.now())
        return self._last_ord
