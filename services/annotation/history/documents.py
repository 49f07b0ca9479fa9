"""How earlier states lie in documents: one for each, named by the resource and its version."""

from __future__ import annotations

from dataclasses import dataclass

from services.annotation.domain import EventType
from services.annotation.outbox import PendingEvent, packed, unpacked
from services.common.store.port import Document


@dataclass(frozen=True, kw_only=True)
class Revision:
    """A state that a resource had, and the change that ended it.

    Attributes:
        resource: Name of the resource.
        version: Its own version in this state.
        ended_by: The change that ended it.
        actor: Who made that change.
        time: When.
        state: The state, as it lay in its document.
    """

    resource: str
    version: int
    ended_by: EventType
    actor: str
    time: int
    state: Document


def history_document(project: str, event: PendingEvent) -> Document:
    """Return the document of the state that an event ended; the event must carry one."""
    return {
        "project": project,
        "resource": event.resource,
        "version": event.before_version,
        "ended_by": event.type,
        "actor": event.actor,
        "time": event.time,
        "state": packed(event.before or {}),
    }


def to_revision(body: Document) -> Revision:
    """Read an earlier state."""
    return Revision(
        resource=body["resource"],
        version=body["version"],
        ended_by=EventType(body["ended_by"]),
        actor=body["actor"],
        time=body["time"],
        state=unpacked(body["state"]),
    )
