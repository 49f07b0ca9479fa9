"""Messages to domain values and back. Stateless; what a message cannot say is refused here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Literal, Protocol

from services.annotation.domain import (
    Completion,
    CompletionState,
    Example,
    Given,
    Label,
    Prediction,
    Project,
    Ratios,
    ScoredSpan,
    Snapshot,
    Split,
    SplitPolicy,
    Task,
    TaskStatus,
    completion_name,
    label_name,
    prediction_name,
    project_name,
    snapshot_name,
    task_name,
)
from services.annotation.etags import etag_of
from services.annotation.handlers.catalog import ProjectCounts
from services.annotation.handlers.events import Told
from services.annotation.handlers.predictions import NewPrediction
from services.annotation.spans import RawSpan, encoded_extents
from services.common.errors import invalid_field
from services.common.idempotency import RequestKey
from services.common.offsets import OffsetEncoding
from services.common.times import to_timestamp
from spanloop.annotation.v1 import annotation_service_pb2 as service
from spanloop.annotation.v1 import (
    completion_pb2,
    event_pb2,
    label_pb2,
    prediction_pb2,
    project_pb2,
    snapshot_pb2,
    task_pb2,
)
from spanloop.common.v1 import evaluation_pb2, text_pb2

_ENCODINGS = {
    text_pb2.TEXT_OFFSET_ENCODING_UNSPECIFIED: OffsetEncoding.CODE_POINT,
    text_pb2.TEXT_OFFSET_ENCODING_CODE_POINT: OffsetEncoding.CODE_POINT,
    text_pb2.TEXT_OFFSET_ENCODING_UTF8: OffsetEncoding.UTF8,
    text_pb2.TEXT_OFFSET_ENCODING_UTF16: OffsetEncoding.UTF16,
}
_SPLITS = {
    evaluation_pb2.SPLIT_UNSPECIFIED: Split.UNSPECIFIED,
    evaluation_pb2.SPLIT_TRAIN: Split.TRAIN,
    evaluation_pb2.SPLIT_DEV: Split.DEV,
    evaluation_pb2.SPLIT_TEST: Split.TEST,
}
_SPLITS_BACK = {split: number for number, split in _SPLITS.items()}
_STATUSES = {
    task_pb2.TASK_STATUS_INCOMPLETE: TaskStatus.INCOMPLETE,
    task_pb2.TASK_STATUS_IN_PROGRESS: TaskStatus.IN_PROGRESS,
    task_pb2.TASK_STATUS_SUBMITTED: TaskStatus.SUBMITTED,
}
_STATUSES_BACK = {status: number for number, status in _STATUSES.items()}
_STATES_BACK = {
    CompletionState.DRAFT: completion_pb2.COMPLETION_STATE_DRAFT,
    CompletionState.SUBMITTED: completion_pb2.COMPLETION_STATE_SUBMITTED,
}


class _Repeatable(Protocol):
    """A creating request."""

    request_id: str

    def SerializeToString(self, *, deterministic: bool = ...) -> bytes:  # noqa: N802
        """Return the wire form."""
        ...

    def ClearField(self, field_name: Literal["request_id"]) -> None:  # noqa: N802
        """Forget a field."""
        ...


def request_key(method: str, parent: str, request: _Repeatable) -> RequestKey | None:
    """Return what tells a repeat of a creating request from another one; None without an id."""
    copy = deepcopy(request)
    copy.ClearField("request_id")
    content = copy.SerializeToString(deterministic=True)
    return RequestKey.of(method, parent, request.request_id, content)


def encoding_of(
    value: text_pb2.TextOffsetEncoding, field: str = "offset_encoding"
) -> OffsetEncoding:
    """Read units of offsets."""
    if value not in _ENCODINGS:
        raise invalid_field(field, "is not a known TextOffsetEncoding.")
    return _ENCODINGS[value]


def split_of(value: evaluation_pb2.Split, field: str) -> Split:
    """Read a split."""
    if value not in _SPLITS:
        raise invalid_field(field, "is not a known Split.")
    return _SPLITS[value]


def status_of(value: task_pb2.TaskStatus, field: str) -> TaskStatus:
    """Read a status; unspecified is refused."""
    if value not in _STATUSES:
        raise invalid_field(field, "is not a known TaskStatus.")
    return _STATUSES[value]


def optional_status_of(value: task_pb2.TaskStatus, field: str) -> TaskStatus | None:
    """Read a status; None when it is left open."""
    return None if value == task_pb2.TASK_STATUS_UNSPECIFIED else status_of(value, field)


def raw_spans(spans: Iterable[text_pb2.Span]) -> list[RawSpan]:
    """Read spans as sent."""
    return [RawSpan(start=span.start, end=span.end, label=span.label, id=span.id) for span in spans]


def policy_of(policy: snapshot_pb2.SplitPolicy) -> SplitPolicy | None:
    """Read a split policy; None when it is left open."""
    match policy.WhichOneof("policy"):
        case "ratios":
            ratios = policy.ratios
            return Ratios(train=ratios.train, dev=ratios.dev, test=ratios.test, seed=ratios.seed)
        case "given":
            return Given(seed=policy.given.seed)
        case _:
            return None


def new_prediction(message: prediction_pb2.Prediction) -> NewPrediction:
    """Read a prediction to write."""
    return NewPrediction(
        task=message.task,
        generation=message.generation,
        adapters=dict(message.adapters),
        model_versions=dict(message.model_versions),
        spans=[
            ScoredSpan(start=span.start, end=span.end, label=span.label, score=span.score)
            for span in message.spans
        ],
    )


def project_message(project: Project, counts: ProjectCounts | None = None) -> project_pb2.Project:
    """Return a project, with its counts if given."""
    name = project_name(project.id)
    return project_pb2.Project(
        name=name,
        display_name=project.display_name,
        etag=etag_of(name, project.version),
        create_time=to_timestamp(project.created),
        update_time=to_timestamp(project.updated),
        task_count=counts.tasks if counts else 0,
        submitted_task_count=counts.submitted if counts else 0,
    )


def label_message(label: Label) -> label_pb2.Label:
    """Return a label."""
    name = label_name(label.project, label.id)
    return label_pb2.Label(
        name=name,
        value=label.value,
        description=label.description,
        etag=etag_of(name, label.version),
        create_time=to_timestamp(label.created),
        update_time=to_timestamp(label.updated),
    )


def task_message(task: Task) -> task_pb2.Task:
    """Return a task."""
    name = task_name(task.project, task.id)
    return task_pb2.Task(
        name=name,
        text=task.text,
        external_id=task.external_id,
        split=_SPLITS_BACK[task.split],
        metadata=task.metadata,
        status=_STATUSES_BACK[task.status],
        completion_count=len(task.completions),
        etag=etag_of(name, task.version),
        create_time=to_timestamp(task.created),
        update_time=to_timestamp(task.updated),
    )


def completion_message(
    task: Task, completion: Completion, encoding: OffsetEncoding
) -> completion_pb2.Completion:
    """Return a completion of a task, its offsets counted in `encoding`."""
    name = completion_name(task.project, task.id, completion.id)
    extents = encoded_extents(task.text, completion.spans, encoding)
    return completion_pb2.Completion(
        name=name,
        author=completion.author,
        state=_STATES_BACK[completion.state],
        spans=[
            text_pb2.Span(start=start, end=end, label=span.label, id=span.id)
            for (start, end), span in zip(extents, completion.spans, strict=True)
        ],
        copied_from=completion.copied_from,
        etag=etag_of(name, completion.version),
        create_time=to_timestamp(completion.created),
        update_time=to_timestamp(completion.updated),
        submit_time=(None if completion.submitted is None else to_timestamp(completion.submitted)),
    )


def prediction_message(
    prediction: Prediction, text: str, encoding: OffsetEncoding
) -> prediction_pb2.Prediction:
    """Return a prediction about a text, its offsets counted in `encoding`."""
    extents = encoded_extents(text, prediction.spans, encoding)
    return prediction_pb2.Prediction(
        name=prediction_name(prediction.project, prediction.task, prediction.id),
        task=task_name(prediction.project, prediction.task),
        generation=prediction.generation,
        adapters=prediction.adapters,
        model_versions=prediction.model_versions,
        spans=[
            text_pb2.ScoredSpan(start=start, end=end, label=span.label, score=span.score)
            for (start, end), span in zip(extents, prediction.spans, strict=True)
        ],
        create_time=to_timestamp(prediction.created),
    )


def snapshot_message(snapshot: Snapshot) -> snapshot_pb2.Snapshot:
    """Return a snapshot."""
    match snapshot.policy:
        case Ratios() as ratios:
            policy = snapshot_pb2.SplitPolicy(
                ratios=snapshot_pb2.SplitPolicy.Ratios(
                    train=ratios.train, dev=ratios.dev, test=ratios.test, seed=ratios.seed
                )
            )
        case Given(seed=seed):
            policy = snapshot_pb2.SplitPolicy(given=snapshot_pb2.SplitPolicy.Given(seed=seed))
    return snapshot_pb2.Snapshot(
        name=snapshot_name(snapshot.project, snapshot.id),
        content_hash=snapshot.content_hash,
        split_policy=policy,
        labels=snapshot.labels,
        example_counts=snapshot.example_counts,
        span_counts=snapshot.span_counts,
        create_time=to_timestamp(snapshot.created),
    )


def example_messages(
    project: str, examples: Sequence[Example]
) -> list[snapshot_pb2.SnapshotExample]:
    """Return examples of a snapshot."""
    return [
        snapshot_pb2.SnapshotExample(
            task=task_name(project, one.task),
            completion=completion_name(project, one.task, one.completion),
            text=one.text,
            spans=[
                text_pb2.Span(start=span.start, end=span.end, label=span.label, id=span.id)
                for span in one.spans
            ],
            split=_SPLITS_BACK[one.split],
        )
        for one in examples
    ]


def told_message(told: Told) -> service.WatchEventsResponse:
    """Return an event or a heartbeat."""
    event = told.event
    if event is None:
        return service.WatchEventsResponse(heartbeat=told.token)
    return service.WatchEventsResponse(
        event=event_pb2.Event(
            sequence=event.sequence,
            resume_token=told.token,
            type=f"EVENT_TYPE_{event.type.value}",
            resource=event.resource,
            time=to_timestamp(event.time),
        )
    )
