"""Events as part of the write that they tell of.

A write that changes a resource puts its events into the ``outbox`` of the same document, so that
neither can exist without the other. `services.annotation.publisher` gives them their place in the
project's stream afterwards. An event's id is made of the resource, the document's version and the
type: one write has one version, so the id is the same however often publishing is tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.annotation.domain import EventType
from services.common.store.port import Document


@dataclass(frozen=True, kw_only=True)
class PendingEvent:
    """An event that has no place in its project's stream yet."""

    id: str
    type: EventType
    resource: str
    time: int


def event_document(type: EventType, resource: str, version: int, time: int) -> Document:
    """Return the outbox entry of one event of the write that made `version`."""
    return {"id": f"{resource}@{version}:{type}", "type": type, "resource": resource, "time": time}


def outbox_of(body: Document) -> list[PendingEvent]:
    """Read the outbox of a document, in order."""
    return [
        PendingEvent(
            id=entry["id"],
            type=EventType(entry["type"]),
            resource=entry["resource"],
            time=entry["time"],
        )
        for entry in body.get("outbox", ())
    ]


def with_outbox(body: Document, entries: Sequence[Document], *, pending: bool) -> Document:
    """Return the document with an outbox.

    Args:
        body: The resource's document.
        entries: The outbox, made by `event_document`.
        pending: Whether the relay finds the document by itself. A bulk insert says no: its journal
            names the documents, which saves one write for each of them.
    """
    return {**body, "outbox": list(entries), "outbox_pending": pending}
