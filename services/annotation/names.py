"""The forms of this service's resource names, read into their ids."""

from __future__ import annotations

from services.common.names import parse_name


def project_of(name: str, field: str = "parent") -> str:
    """Read ``projects/{project}``."""
    return parse_name("projects/{project}", name, field)["project"]


def label_of(name: str, field: str = "name") -> tuple[str, str]:
    """Read the name of a label: project and label."""
    parts = parse_name("projects/{project}/labels/{label}", name, field)
    return parts["project"], parts["label"]


def task_of(name: str, field: str) -> tuple[str, str]:
    """Read the name of a task: project and task."""
    parts = parse_name("projects/{project}/tasks/{task}", name, field)
    return parts["project"], parts["task"]


def completion_of(name: str, field: str = "name") -> tuple[str, str, str]:
    """Read the name of a completion: project, task and completion."""
    parts = parse_name("projects/{project}/tasks/{task}/completions/{completion}", name, field)
    return parts["project"], parts["task"], parts["completion"]


def predictions_parent_of(name: str) -> tuple[str, str]:
    """Read the parent of predictions: project, and task or ``-`` for all tasks."""
    parts = parse_name("projects/{project}/tasks/{task}", name, "parent", wildcard=("task",))
    return parts["project"], parts["task"]


def snapshot_of(name: str, field: str = "name") -> tuple[str, str]:
    """Read the name of a snapshot: project and snapshot."""
    parts = parse_name("projects/{project}/snapshots/{snapshot}", name, field)
    return parts["project"], parts["snapshot"]
