"""Options that say which tasks are meant, shared by many commands."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

import typer

from spanloop.cli._choices import one_of
from spanloop.errors import ConfigurationError
from spanloop.types import TaskFilter, TaskStatus

_LISTS = {"tags-all": "tags_all", "labels-all": "labels_all"}
_TIMES = {
    "created-from": "created_from",
    "created-before": "created_before",
    "updated-from": "updated_from",
    "updated-before": "updated_before",
}
_SNAPSHOTS = {"in-snapshot": "in_snapshot", "not-in-snapshot": "not_in_snapshot"}
_STARRED = "starred"

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
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="KEY=VALUE",
        help="tags-all or labels-all=A,B; created-from, created-before, updated-from or "
        "updated-before=2026-11-30 or with T09:00; in-snapshot or not-in-snapshot=ID; starred=yes. "
        "May be repeated: everything must hold.",
    ),
]


def filter_of(
    project: str,
    *,
    statuses: list[TaskStatus] | None = None,
    tags: list[str] | None = None,
    no_tags: list[str] | None = None,
    labels: list[str] | None = None,
    authors: list[str] | None = None,
    regex: str = "",
    where: list[str] | None = None,
) -> TaskFilter:
    """Return the filter that these options make.

    Raises:
        ConfigurationError: A `where` is none of those that there are.
    """
    found = TaskFilter(
        statuses=tuple(statuses or ()),
        tags_any=tuple(tags or ()),
        tags_none=tuple(no_tags or ()),
        labels_any=tuple(labels or ()),
        authors=tuple(authors or ()),
        text_regex=regex,
    )
    return replace(found, **dict(_condition(project, given) for given in where or ()))


def _condition(project: str, given: str) -> tuple[str, Any]:
    key, _, value = given.partition("=")
    key, value = key.strip(), value.strip()
    if value and key in _LISTS:
        return _LISTS[key], tuple(part.strip() for part in value.split(",") if part.strip())
    if value and key in _SNAPSHOTS:
        return _SNAPSHOTS[key], snapshot_name(project, value)
    if key == _STARRED and value == "yes":
        return "ground_truth", True
    if key in _TIMES:
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            raise ConfigurationError(
                f"--where {given}: write a day or a time, e.g. {key}=2026-11-30T09:00."
            ) from None
        # Without a zone it is the time of this machine.
        return _TIMES[key], time if time.tzinfo else time.astimezone()
    keys = ", ".join((*_LISTS, *_TIMES, *_SNAPSHOTS, f"{_STARRED}=yes"))
    raise ConfigurationError(f"--where {given}: write KEY=VALUE with one of {keys}.")


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
