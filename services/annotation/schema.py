"""The collections of this service and their indexes."""

from __future__ import annotations

from services.common.store.port import Collection, Index

PROJECTS = "projects"
LABELS = "labels"
TASKS = "tasks"
PREDICTIONS = "predictions"
SNAPSHOTS = "snapshots"
CHUNKS = "snapshot_chunks"
STREAMS = "streams"
EVENTS = "events"
JOURNALS = "journals"

# The collections whose documents carry an outbox, in the order in which a relay serves them: what
# is created earlier in the life of a project comes first.
WITH_OUTBOX = (PROJECTS, LABELS, TASKS, PREDICTIONS, SNAPSHOTS)

_OUTBOX = Index(fields=("outbox_pending", "updated"), where={"outbox_pending": True})
_REQUEST = Index(fields=("request_key",), unique=True)
_BY_PROJECT = Index(fields=("project", "ord"))

COLLECTIONS = (
    Collection(name=PROJECTS, indexes=(Index(fields=("ord",)), _REQUEST, _OUTBOX)),
    Collection(
        name=LABELS,
        indexes=(
            _BY_PROJECT,
            Index(fields=("project", "value"), unique=True),
            _REQUEST,
            _OUTBOX,
        ),
    ),
    Collection(
        name=TASKS,
        indexes=(
            _BY_PROJECT,
            Index(fields=("project", "status", "ord")),
            Index(fields=("project", "external_id"), unique=True),
            _REQUEST,
            _OUTBOX,
        ),
    ),
    Collection(
        name=PREDICTIONS,
        indexes=(
            _BY_PROJECT,
            Index(fields=("project", "task", "ord")),
            Index(fields=("project", "generation", "ord")),
            _OUTBOX,
        ),
    ),
    Collection(name=SNAPSHOTS, indexes=(_BY_PROJECT, _REQUEST, _OUTBOX)),
    Collection(name=CHUNKS),
    Collection(name=STREAMS),
    Collection(
        name=EVENTS,
        indexes=(
            Index(fields=("project", "sequence"), unique=True),
            Index(fields=("event_id",), unique=True),
        ),
    ),
    Collection(name=JOURNALS, indexes=(Index(fields=("ord",)),)),
)
