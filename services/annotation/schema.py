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
HISTORY = "history"
MEMBERS = "members"
ACCESS_TOKENS = "access_tokens"
RULE_SETS = "rule_sets"
IMPORTS = "imports"

# The collections whose documents carry an outbox, in the order in which a relay serves them: what
# is created earlier in the life of a project comes first.
WITH_OUTBOX = (PROJECTS, LABELS, MEMBERS, RULE_SETS, TASKS, PREDICTIONS, SNAPSHOTS)

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
            # Deleted tasks are in lists of their own, so `deleted` comes before the order.
            Index(fields=("project", "deleted", "ord")),
            Index(fields=("project", "deleted", "status", "ord")),
            Index(fields=("project", "tags", "ord"), multi="tags"),
            Index(fields=("project", "label_values", "ord"), multi="label_values"),
            Index(fields=("project", "authors", "ord"), multi="authors"),
            Index(fields=("import_id",)),
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
    Collection(name=HISTORY, indexes=(Index(fields=("resource", "version")),)),
    Collection(
        name=MEMBERS,
        indexes=(_BY_PROJECT, Index(fields=("user", "ord")), _OUTBOX),
    ),
    Collection(name=ACCESS_TOKENS, indexes=(Index(fields=("user", "ord")),)),
    Collection(name=RULE_SETS, indexes=(_BY_PROJECT, _OUTBOX)),
    Collection(name=IMPORTS, indexes=(Index(fields=("ord",)),)),
    Collection(name=STREAMS),
    Collection(
        name=EVENTS,
        indexes=(
            Index(fields=("project", "sequence"), unique=True),
            Index(fields=("event_id",), unique=True),
        ),
    ),
    Collection(name=JOURNALS, indexes=(Index(fields=("ord",)), Index(fields=("import_id", "ord")))),
)
