"""The change of a task's document that goes with a change of its completions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from services.annotation.documents import completion_document, derived_fields, to_task
from services.annotation.domain import Completion, EventType, Task, completion_name
from services.annotation.outbox import NewEvent
from services.annotation.resources import Change
from services.annotation.spans import check_task_size
from services.common.idempotency import RequestKey
from services.common.store.port import Document


def event_of(task: Task, before: Completion, event: EventType) -> NewEvent:
    """Return the event of a change of a completion, with the state that it ends."""
    return NewEvent(
        type=event,
        resource=completion_name(task.project, task.id, before.id),
        before=completion_document(before),
        before_version=before.version,
    )


def changed_task(
    body: Document,
    completions: tuple[Completion, ...],
    events: Sequence[NewEvent],
    made_by: Mapping[str, RequestKey] | None = None,
) -> Change:
    """Return the change of a task's document to these completions.

    Args:
        body: The document as it is.
        completions: All completions of the task after the change.
        events: What tells of it.
        made_by: By id of a new completion: the request that makes it.

    Raises:
        InvalidArgumentError: REQUEST_TOO_LARGE.
    """
    task = replace(to_task(body), completions=completions)
    check_task_size(task.text, completions)
    kept = {one["id"]: one for one in body["completions"]}
    documents = [completion_document(one) for one in completions]
    for one in documents:
        # Keys of the requests that made them stay with the completions.
        earlier = kept.get(one["id"], {})
        for field in ("request_key", "request_fingerprint"):
            if field in earlier:
                one[field] = earlier[field]
        key = (made_by or {}).get(one["id"])
        if key is not None:
            one["request_key"] = key.key
            one["request_fingerprint"] = key.fingerprint
    return Change(fields={"completions": documents, **derived_fields(task)}, events=events)
