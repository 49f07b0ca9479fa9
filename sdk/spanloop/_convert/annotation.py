"""Messages of the annotation service."""

from __future__ import annotations

from collections.abc import Iterable

from spanloop._convert import basic
from spanloop._types import annotation as types
from spanloop.annotation.v1 import (
    annotation_service_pb2,
    completion_pb2,
    event_pb2,
    label_pb2,
    prediction_pb2,
    project_pb2,
    snapshot_pb2,
    task_pb2,
)


def project(message: project_pb2.Project) -> types.Project:
    """Return a project."""
    return types.Project(
        name=message.name,
        display_name=message.display_name,
        etag=message.etag,
        create_time=basic.time_from(message.create_time, message.HasField("create_time")),
        update_time=basic.time_from(message.update_time, message.HasField("update_time")),
        task_count=message.task_count,
        submitted_task_count=message.submitted_task_count,
    )


def label(message: label_pb2.Label) -> types.Label:
    """Return a label."""
    return types.Label(
        name=message.name,
        value=message.value,
        description=message.description,
        etag=message.etag,
        create_time=basic.time_from(message.create_time, message.HasField("create_time")),
        update_time=basic.time_from(message.update_time, message.HasField("update_time")),
    )


def task(message: task_pb2.Task) -> types.Task:
    """Return a task."""
    return types.Task(
        name=message.name,
        text=message.text,
        external_id=message.external_id,
        split=basic.split_from(message.split),
        metadata=dict(message.metadata),
        status=basic.enum_from(
            types.TaskStatus, task_pb2.TaskStatus, "TASK_STATUS_", message.status
        ),
        completion_count=message.completion_count,
        etag=message.etag,
        create_time=basic.time_from(message.create_time, message.HasField("create_time")),
        update_time=basic.time_from(message.update_time, message.HasField("update_time")),
    )


def completion(message: completion_pb2.Completion) -> types.Completion:
    """Return a completion."""
    return types.Completion(
        name=message.name,
        author=message.author,
        state=basic.enum_from(
            types.CompletionState,
            completion_pb2.CompletionState,
            "COMPLETION_STATE_",
            message.state,
        ),
        spans=basic.spans_from(message.spans),
        copied_from=message.copied_from,
        etag=message.etag,
        create_time=basic.time_from(message.create_time, message.HasField("create_time")),
        update_time=basic.time_from(message.update_time, message.HasField("update_time")),
        submit_time=basic.time_from(message.submit_time, message.HasField("submit_time")),
    )


def prediction(message: prediction_pb2.Prediction) -> types.Prediction:
    """Return a prediction."""
    return types.Prediction(
        name=message.name,
        task=message.task,
        generation=message.generation,
        adapters=dict(message.adapters),
        model_versions=dict(message.model_versions),
        spans=basic.scored_from(message.spans),
        create_time=basic.time_from(message.create_time, message.HasField("create_time")),
    )


def prediction_to(value: types.Prediction) -> prediction_pb2.Prediction:
    """Return a prediction as a message to write."""
    return prediction_pb2.Prediction(
        task=value.task,
        generation=value.generation,
        adapters=value.adapters,
        model_versions=value.model_versions,
        spans=basic.scored_to(value.spans),
    )


def snapshot(message: snapshot_pb2.Snapshot) -> types.Snapshot:
    """Return a snapshot."""
    return types.Snapshot(
        name=message.name,
        content_hash=message.content_hash,
        split_policy=_policy(message.split_policy),
        labels=tuple(message.labels),
        example_counts=dict(message.example_counts),
        span_counts=dict(message.span_counts),
        create_time=basic.time_from(message.create_time, message.HasField("create_time")),
    )


def _policy(message: snapshot_pb2.SplitPolicy) -> types.SplitPolicy | None:
    match message.WhichOneof("policy"):
        case "ratios":
            ratios = message.ratios
            return types.RatioSplits(
                train=ratios.train, dev=ratios.dev, test=ratios.test, seed=ratios.seed
            )
        case "given":
            return types.GivenSplits(seed=message.given.seed)
        case _:
            return None


def policy_to(policy: types.SplitPolicy | None) -> snapshot_pb2.SplitPolicy | None:
    """Return a split policy as a message; None leaves it to the server."""
    match policy:
        case None:
            return None
        case types.RatioSplits():
            return snapshot_pb2.SplitPolicy(
                ratios=snapshot_pb2.SplitPolicy.Ratios(
                    train=policy.train, dev=policy.dev, test=policy.test, seed=policy.seed
                )
            )
        case types.GivenSplits():
            return snapshot_pb2.SplitPolicy(given=snapshot_pb2.SplitPolicy.Given(seed=policy.seed))


def example(message: snapshot_pb2.SnapshotExample) -> types.SnapshotExample:
    """Return an example of a snapshot."""
    return types.SnapshotExample(
        task=message.task,
        completion=message.completion,
        text=message.text,
        spans=basic.spans_from(message.spans),
        split=basic.split_from(message.split),
    )


def event(message: event_pb2.Event) -> types.Event:
    """Return an event."""
    return types.Event(
        sequence=message.sequence,
        resume_token=message.resume_token,
        type=basic.enum_from(types.EventType, event_pb2.EventType, "EVENT_TYPE_", message.type),
        resource=message.resource,
        time=basic.time_from(message.time, message.HasField("time")),
    )


def statuses_to(statuses: Iterable[types.TaskStatus | str]) -> list[str]:
    """Return task statuses as wire names."""
    return [f"TASK_STATUS_{types.TaskStatus(status).name}" for status in statuses]


def format_to(format: types.TaskFormat | str | None) -> str:
    """Return a file format's wire name; None leaves it to the server."""
    name = types.TaskFormat(format or "unspecified").name
    return f"TASK_FORMAT_{name}"


def import_report(message: annotation_service_pb2.ImportTasksResponse) -> types.ImportReport:
    """Return what an import did."""
    return types.ImportReport(
        imported_tasks=message.imported_tasks,
        imported_completions=message.imported_completions,
        imported_spans=message.imported_spans,
        unchanged_tasks=message.unchanged_tasks,
        refused_tasks=message.refused_tasks,
        errors=tuple(
            types.ImportProblem(
                line=found.line, reason=found.reason, field=found.field, message=found.message
            )
            for found in message.errors
        ),
        created_labels=tuple(message.created_labels),
        format=basic.enum_from(
            types.TaskFormat, annotation_service_pb2.TaskFormat, "TASK_FORMAT_", message.format
        ),
    )
