"""Projects, labels, tasks, completions, predictions, snapshots and events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from spanloop._types.text import ScoredSpan, Span, Split


class TaskStatus(StrEnum):
    """How far the annotation of a task is."""

    UNSPECIFIED = "unspecified"
    INCOMPLETE = "incomplete"
    IN_PROGRESS = "in_progress"
    SUBMITTED = "submitted"


class CompletionState(StrEnum):
    """Where a completion stands; only submitted ones are trained on."""

    UNSPECIFIED = "unspecified"
    DRAFT = "draft"
    SUBMITTED = "submitted"


class TaskFormat(StrEnum):
    """Formats of task files."""

    UNSPECIFIED = "unspecified"
    JSONL = "jsonl"
    CONLL = "conll"


class EventType(StrEnum):
    """What happened in a project."""

    UNSPECIFIED = "unspecified"
    PROJECT_CREATED = "project_created"
    PROJECT_UPDATED = "project_updated"
    LABEL_CREATED = "label_created"
    LABEL_UPDATED = "label_updated"
    TASK_CREATED = "task_created"
    COMPLETION_CREATED = "completion_created"
    COMPLETION_UPDATED = "completion_updated"
    COMPLETION_SUBMITTED = "completion_submitted"
    SNAPSHOT_CREATED = "snapshot_created"
    PREDICTION_WRITTEN = "prediction_written"


@dataclass(frozen=True, kw_only=True)
class Project:
    """A body of tasks with one set of labels and one deployment.

    `task_count` and `submitted_task_count` are filled by `get_project` only.
    """

    name: str
    display_name: str
    etag: str
    create_time: datetime | None
    update_time: datetime | None
    task_count: int
    submitted_task_count: int

    @property
    def id(self) -> str:
        """The last part of the name."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True, kw_only=True)
class Label:
    """Something that spans can be labelled as; `value` is what spans carry."""

    name: str
    value: str
    description: str
    etag: str
    create_time: datetime | None
    update_time: datetime | None


@dataclass(frozen=True, kw_only=True)
class Task:
    """One text to annotate."""

    name: str
    text: str
    external_id: str
    split: Split
    metadata: Mapping[str, str]
    status: TaskStatus
    completion_count: int
    etag: str
    create_time: datetime | None
    update_time: datetime | None


@dataclass(frozen=True, kw_only=True)
class Completion:
    """One author's annotation of a task."""

    name: str
    author: str
    state: CompletionState
    spans: tuple[Span, ...]
    copied_from: str
    etag: str
    create_time: datetime | None
    update_time: datetime | None
    submit_time: datetime | None


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a model said about a task, with the adapter and version of each label.

    `name` and `create_time` are given by the server; leave them out when writing predictions.
    """

    task: str
    generation: str
    adapters: Mapping[str, str]
    model_versions: Mapping[str, str]
    spans: tuple[ScoredSpan, ...]
    name: str = ""
    create_time: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class WriteReport:
    """Predictions stored by a call, and those that were there already."""

    written: int
    unchanged: int


@dataclass(frozen=True, kw_only=True)
class ImportProblem:
    """A place in an imported file that was refused; `line` counts from 1."""

    line: int
    reason: str
    field: str
    message: str


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """What an import stored, left as it was, and refused (the first 1,000 refusals in `errors`)."""

    imported_tasks: int
    imported_completions: int
    imported_spans: int
    unchanged_tasks: int
    refused_tasks: int
    errors: tuple[ImportProblem, ...]
    created_labels: tuple[str, ...]
    format: TaskFormat


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What an export wrote; `omitted_spans` are those that the format cannot hold."""

    exported_tasks: int
    omitted_spans: int
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class RatioSplits:
    """Divides a snapshot by shares that add up to 1, after a shuffle by `seed`."""

    train: float = 0.8
    dev: float = 0.1
    test: float = 0.1
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class GivenSplits:
    """Uses the splits given with the tasks; `seed` cuts a missing dev split off train."""

    seed: int = 0


SplitPolicy = RatioSplits | GivenSplits


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """An immutable, content-hashed selection of completions."""

    name: str
    content_hash: str
    split_policy: SplitPolicy | None
    labels: tuple[str, ...]
    example_counts: Mapping[str, int]
    span_counts: Mapping[str, int]
    create_time: datetime | None


@dataclass(frozen=True, kw_only=True)
class SnapshotExample:
    """One example of a snapshot, offsets in code points."""

    task: str
    completion: str
    text: str
    spans: tuple[Span, ...]
    split: Split


@dataclass(frozen=True, kw_only=True)
class Event:
    """One change in a project; `resume_token` continues the stream behind it."""

    sequence: int
    resume_token: str
    type: EventType
    resource: str
    time: datetime | None
