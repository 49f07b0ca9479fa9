"""Events as part of the write that they tell of.

A write that changes a resource puts its events into the ``outbox`` of the same document, so that
neither can exist without the other; the state before the change goes with them, for the history.
`services.annotation.publisher` gives them their place in the project's stream afterwards. The id of
an event is made of the resource, the document's version and the type: one write has one version, so
the id is the same however often publishing is tried.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from services.annotation.domain import EventType
from services.common.store.port import Document

_LARGE = 64 * 1024
_PACKED = "zlib"


@dataclass(frozen=True, kw_only=True)
class NewEvent:
    """An event of the write under way.

    Attributes:
        type: What happens.
        resource: Name of the resource that is changed.
        before: The resource's state before the change, for its history; None: nothing to keep.
        before_version: The resource's own version in that state.
        version: The resource's own version after the change, where neither `before_version` nor
            the document's version says it.
    """

    type: EventType
    resource: str
    before: Document | None = None
    before_version: int = 0
    version: int | None = None


@dataclass(frozen=True, kw_only=True)
class PendingEvent:
    """An event that has no place in its project's stream yet.

    `version` is the resource's own after the write; `before` is as in `NewEvent`.
    """

    id: str
    type: EventType
    resource: str
    time: int
    actor: str
    version: int
    before: Document | None
    before_version: int


def event_document(event: NewEvent, version: int, time: int, actor: str) -> Document:
    """Return the outbox entry of one event of the write that made `version` of the document."""
    own = event.version
    if own is None:
        own = version if event.before is None else event.before_version + 1
    entry: Document = {
        "id": f"{event.resource}@{version}:{event.type}",
        "type": event.type,
        "resource": event.resource,
        "time": time,
        "actor": actor,
        "version": own,
    }
    if event.before is not None:
        entry["before"] = packed(event.before)
        entry["before_version"] = event.before_version
    return entry


def outbox_of(body: Document) -> list[PendingEvent]:
    """Read the outbox of a document, in order."""
    return [
        PendingEvent(
            id=entry["id"],
            type=EventType(entry["type"]),
            resource=entry["resource"],
            time=entry["time"],
            actor=entry.get("actor", ""),
            version=entry.get("version", 0),
            before=unpacked(entry["before"]) if "before" in entry else None,
            before_version=entry.get("before_version", 0),
        )
        for entry in body.get("outbox", ())
    ]


def packed(state: Document) -> Document:
    """Return a state as it is, or compressed when it is large.

    An outbox shares its document, which must not outgrow the database's bound; spans compress well.
    """
    text = json.dumps(state, ensure_ascii=False).encode()
    if len(text) < _LARGE:
        return state
    return {_PACKED: base64.b64encode(zlib.compress(text)).decode()}


def unpacked(stored: Document) -> Document:
    """Return a state that `packed` stored."""
    if stored.keys() != {_PACKED}:
        return stored
    state: Document = json.loads(zlib.decompress(base64.b64decode(stored[_PACKED])))
    return state


def with_outbox(body: Document, entries: Sequence[Document], *, pending: bool) -> Document:
    """Return the document with an outbox.

    Args:
        body: The resource's document.
        entries: The outbox, made by `event_document`.
        pending: Whether the relay finds the document by itself. A bulk insert says no: its journal
            names the documents, which saves one write for each of them.
    """
    return {**body, "outbox": list(entries), "outbox_pending": pending}
