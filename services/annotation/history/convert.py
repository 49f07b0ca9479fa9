"""Messages of history and audit."""

from __future__ import annotations

from services.annotation.convert.basic import split_value
from services.annotation.convert.contents import completion_message
from services.annotation.domain import Split, Task, task_name
from services.annotation.history.documents import Revision
from services.annotation.history.handler import CompletionRevision
from services.common.offsets import OffsetEncoding
from services.common.times import to_timestamp
from spanloop.annotation.v1 import history_service_pb2 as pb
from spanloop.annotation.v1 import task_pb2


def completion_revision_message(found: CompletionRevision, encoding: OffsetEncoding) -> pb.Revision:
    """Return an earlier state of a completion, its offsets counted in `encoding`."""
    message = _revision(found.revision)
    message.completion.CopyFrom(completion_message(found.task, found.completion, encoding))
    return message


def task_revision_message(task: Task, revision: Revision) -> pb.Revision:
    """Return an earlier state of a task: of what can be changed about it."""
    message = _revision(revision)
    state = revision.state
    message.task.CopyFrom(
        task_pb2.Task(
            name=task_name(task.project, task.id),
            tags=state["tags"],
            group=state["group"],
            split=split_value(Split(state["split"])),
            metadata=dict(state["metadata"]),
        )
    )
    return message


def _revision(revision: Revision) -> pb.Revision:
    return pb.Revision(
        version=revision.version,
        ended_by=f"EVENT_TYPE_{revision.ended_by.value}",
        actor=revision.actor,
        end_time=to_timestamp(revision.time),
    )
