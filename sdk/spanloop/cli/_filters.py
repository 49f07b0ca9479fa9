"""Options that say which tasks are meant, shared by many commands."""

from __future__ import annotations

from typing import Annotated

import typer

from spanloop.cli._choices import one_of
from spanloop.types import TaskFilter, TaskStatus

Statuses = Annotated[
    list[TaskStatus] | None,
    one_of(TaskStatus, "--status", help="Only such tasks; may be repeated."),
]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="Only tasks with one of these tags.")]
NoTags = Annotated[
    list[str] | None, typer.Option("--no-tag", help="Only tasks without any of these tags.")
]
Labels = Annotated[
    list[str] | None, typer.Option("--label", help="Only tasks annotated with one of these.")
]
Authors = Annotated[
    list[str] | None, typer.Option("--author", help="Only tasks annotated by one of these.")
]
Regex = Annotated[
    str, typer.Option("--regex", help="Only tasks whose text matches this RE2 pattern.")
]


def filter_of(
    *,
    statuses: list[TaskStatus] | None = None,
    tags: list[str] | None = None,
    no_tags: list[str] | None = None,
    labels: list[str] | None = None,
    authors: list[str] | None = None,
    regex: str = "",
) -> TaskFilter:
    """Return the filter that these options make."""
    return TaskFilter(
        statuses=tuple(statuses or ()),
        tags_any=tuple(tags or ()),
        tags_none=tuple(no_tags or ()),
        labels_any=tuple(labels or ()),
        authors=tuple(authors or ()),
        text_regex=regex,
    )


def task_name(project: str, task: str) -> str:
    """Return a task's full name; a bare id belongs to the project."""
    return task if "/" in task else f"projects/{project}/tasks/{task}"


def completion_name(given: str) -> str:
    """Return a completion's full name; `PROJECT/TASK/COMPLETION` is short for it."""
    parts = given.split("/")
    if len(parts) == 3:
        project, task, completion = parts
        return f"projects/{project}/tasks/{task}/completions/{completion}"
    return given


def snapshot_name(project: str, snapshot: str) -> str:
    """Return a snapshot's full name; a bare id belongs to the project."""
    return snapshot if "/" in snapshot else f"projects/{project}/snapshots/{snapshot}"
