"""Projects, labels and tasks."""

from __future__ import annotations

from collections.abc import Mapping

from services.annotation.content import Page, Word
from services.annotation.convert.basic import (
    optional_tie_break_of,
    split_of,
    split_value,
    status_value,
    tie_break_value,
)
from services.annotation.domain import (
    Label,
    Project,
    Task,
    TaskStatus,
    TieBreak,
    label_name,
    project_name,
    task_name,
)
from services.annotation.etags import etag_of
from services.annotation.handlers.catalog import ProjectFields
from services.annotation.handlers.tasks import NewTask, TaskFields
from services.annotation.labels.counting import LabelCount
from services.annotation.labels.handler import LabelFields
from services.annotation.labels.table import LabelTable
from services.common.times import to_timestamp
from spanloop.annotation.v1 import label_pb2, project_pb2, task_pb2

_SUBMITTED = (TaskStatus.SUBMITTED, TaskStatus.REVIEWED)


def project_fields(message: project_pb2.Project) -> ProjectFields:
    """Read what a caller says about a project."""
    tie_break = optional_tie_break_of(message.tie_break, "project.tie_break")
    return ProjectFields(
        display_name=message.display_name,
        labeling_config=message.labeling_config,
        tie_break=tie_break or TieBreak.MOST_RECENT,
    )


def project_message(
    project: Project, counts: Mapping[TaskStatus, int] | None = None
) -> project_pb2.Project:
    """Return a project, with its counts if given."""
    name = project_name(project.id)
    counted = counts or {}
    return project_pb2.Project(
        name=name,
        display_name=project.display_name,
        etag=etag_of(name, project.version),
        create_time=to_timestamp(project.created),
        update_time=to_timestamp(project.updated),
        task_count=sum(counted.values()),
        submitted_task_count=sum(counted.get(status, 0) for status in _SUBMITTED),
        labeling_config=project.labeling_config,
        tie_break=tie_break_value(project.tie_break),
        status_counts={status.value: count for status, count in counted.items()},
    )


def label_fields(message: label_pb2.Label) -> LabelFields:
    """Read what a caller says about a label."""
    return LabelFields(
        value=message.value,
        description=message.description,
        inherits=list(message.inherits),
        alias_as=message.alias_as,
    )


def label_message(
    label: Label, table: LabelTable, count: LabelCount | None = None
) -> label_pb2.Label:
    """Return a label of a project with these labels, with its counts if given."""
    name = label_name(label.project, label.id)
    return label_pb2.Label(
        name=name,
        value=label.value,
        description=label.description,
        etag=etag_of(name, label.version),
        create_time=to_timestamp(label.created),
        update_time=to_timestamp(label.updated),
        inherits=[table.current(one) for one in label.inherits],
        alias_as=table.current(label.alias_as) if label.alias_as else "",
        positives=sorted(table.positives(label.value)),
        former_values=label.former_values,
        span_count=count.spans if count else 0,
        task_count=count.tasks if count else 0,
    )


def new_task(message: task_pb2.Task) -> NewTask:
    """Read a task to create."""
    return NewTask(
        text=message.text,
        external_id=message.external_id,
        split=split_of(message.split, "task.split"),
        metadata=dict(message.metadata),
        tags=list(message.tags),
        group=message.group,
        pages=[Page(image=one.image, width=one.width, height=one.height) for one in message.pages],
        words=[
            Word(
                start=one.start,
                end=one.end,
                x=one.x,
                y=one.y,
                width=one.width,
                height=one.height,
                page=one.page,
            )
            for one in message.words
        ],
        extra=message.extra,
    )


def task_fields(message: task_pb2.Task) -> TaskFields:
    """Read what a caller wants to change about a task."""
    return TaskFields(
        tags=list(message.tags),
        group=message.group,
        split=split_of(message.split, "task.split"),
        metadata=dict(message.metadata),
    )


def task_message(task: Task) -> task_pb2.Task:
    """Return a task."""
    name = task_name(task.project, task.id)
    return task_pb2.Task(
        name=name,
        text=task.text,
        external_id=task.external_id,
        split=split_value(task.split),
        metadata=task.metadata,
        status=status_value(task.status),
        completion_count=sum(one.deleted is None for one in task.completions),
        etag=etag_of(name, task.version),
        create_time=to_timestamp(task.created),
        update_time=to_timestamp(task.updated),
        tags=task.tags,
        group=task.group,
        pages=[
            task_pb2.Page(image=one.image, width=one.width, height=one.height) for one in task.pages
        ],
        words=[
            task_pb2.PageWord(
                start=one.start,
                end=one.end,
                x=one.x,
                y=one.y,
                width=one.width,
                height=one.height,
                page=one.page,
            )
            for one in task.words
        ],
        extra=task.extra,
        delete_time=None if task.deleted is None else to_timestamp(task.deleted),
    )
