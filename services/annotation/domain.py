"""What the annotation service knows: projects, labels, tasks, completions, predictions, snapshots.

Plain values without storage or transport. Offsets are half-open and count code points; times are
microseconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Split(StrEnum):
    """Which part of a snapshot an example belongs to; the value is what files and counts use."""

    UNSPECIFIED = ""
    TRAIN = "train"
    DEV = "dev"
    TEST = "test"


class TaskStatus(StrEnum):
    """How far the annotation of a task is; see `status_of`."""

    INCOMPLETE = "INCOMPLETE"
    IN_PROGRESS = "IN_PROGRESS"
    SUBMITTED = "SUBMITTED"


class CompletionState(StrEnum):
    """Where a completion stands; moved by `services.annotation.completion_state` only."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"


class EventType(StrEnum):
    """What happened; names as in ``spanloop.annotation.v1.EventType`` without its prefix."""

    PROJECT_CREATED = "PROJECT_CREATED"
    PROJECT_UPDATED = "PROJECT_UPDATED"
    LABEL_CREATED = "LABEL_CREATED"
    LABEL_UPDATED = "LABEL_UPDATED"
    TASK_CREATED = "TASK_CREATED"
    COMPLETION_CREATED = "COMPLETION_CREATED"
    COMPLETION_UPDATED = "COMPLETION_UPDATED"
    COMPLETION_SUBMITTED = "COMPLETION_SUBMITTED"
    SNAPSHOT_CREATED = "SNAPSHOT_CREATED"
    PREDICTION_WRITTEN = "PREDICTION_WRITTEN"


class TaskFormat(StrEnum):
    """Formats of task files."""

    JSONL = "JSONL"
    CONLL = "CONLL"


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A labelled piece of a text."""

    start: int
    end: int
    label: str
    id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredSpan:
    """A span that a model proposes, with a score from 0 to 1."""

    start: int
    end: int
    label: str
    score: float


@dataclass(frozen=True, kw_only=True)
class Project:
    """A body of tasks annotated with the same labels. `uid` tells it from a namesake elsewhere."""

    id: str
    uid: str
    display_name: str
    version: int
    created: int
    updated: int


@dataclass(frozen=True, kw_only=True)
class Label:
    """Something that spans can be labelled as; `value` is unique in the project."""

    project: str
    id: str
    value: str
    description: str
    version: int
    created: int
    updated: int


@dataclass(frozen=True, kw_only=True)
class Completion:
    """One author's annotation of a task. `submitted` is the time of the first submission."""

    id: str
    author: str
    state: CompletionState
    spans: tuple[Span, ...]
    copied_from: str
    version: int
    created: int
    updated: int
    submitted: int | None


@dataclass(frozen=True, kw_only=True)
class Task:
    """One text to annotate, with its completions in order of creation.

    Attributes:
        project: Id of its project.
        id: Its id within the project.
        text: The text.
        external_id: The caller's own id, or empty.
        split: The split that came with it.
        metadata: The caller's notes.
        tokenised: Whether the words of the text are exactly its parts between single blanks,
            because it was read from a file of tokens.
        completions: The annotations.
        version: Grows with every change of the task or its completions.
        created: Time of creation.
        updated: Time of the last change.
    """

    project: str
    id: str
    text: str
    external_id: str
    split: Split
    metadata: Mapping[str, str]
    tokenised: bool
    completions: tuple[Completion, ...]
    version: int
    created: int
    updated: int

    @property
    def status(self) -> TaskStatus:
        """How far its annotation is."""
        return status_of(self.completions)

    def completion(self, id: str) -> Completion | None:
        """Return the completion with this id, or None."""
        return next((one for one in self.completions if one.id == id), None)

    def last_submitted(self) -> Completion | None:
        """Return the completion that was submitted last, which snapshots and exports take."""
        best: Completion | None = None
        for one in self.completions:
            if one.submitted is not None and (
                best is None or best.submitted is None or one.submitted >= best.submitted
            ):
                best = one
        return best


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a model said about a task: at most one per task and generation."""

    project: str
    task: str
    id: str
    generation: str
    adapters: Mapping[str, str]
    model_versions: Mapping[str, str]
    spans: tuple[ScoredSpan, ...]
    created: int


@dataclass(frozen=True, kw_only=True)
class Ratios:
    """Divide by ratio after a seeded shuffle."""

    train: float
    dev: float
    test: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class Given:
    """Divide as the tasks say; a missing dev split is cut off train by the seed."""

    seed: int


SplitPolicy: TypeAlias = Ratios | Given


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One example of a snapshot. `task` and `completion` are ids within the project."""

    task: str
    completion: str
    text: str
    spans: tuple[Span, ...]
    split: Split


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """An immutable selection of completions; its examples are stored apart, in `chunks` pieces."""

    project: str
    id: str
    content_hash: str
    policy: SplitPolicy
    labels: tuple[str, ...]
    example_counts: Mapping[str, int]
    span_counts: Mapping[str, int]
    chunks: int
    created: int


@dataclass(frozen=True, kw_only=True)
class Event:
    """One change in a project, at its place in the project's stream."""

    sequence: int
    type: EventType
    resource: str
    time: int


def status_of(completions: tuple[Completion, ...]) -> TaskStatus:
    """Return the status that follows from a task's completions."""
    if any(one.state is CompletionState.SUBMITTED for one in completions):
        return TaskStatus.SUBMITTED
    return TaskStatus.IN_PROGRESS if completions else TaskStatus.INCOMPLETE


def project_name(project: str) -> str:
    """Return the resource name of a project."""
    return f"projects/{project}"


def label_name(project: str, label: str) -> str:
    """Return the resource name of a label."""
    return f"projects/{project}/labels/{label}"


def task_name(project: str, task: str) -> str:
    """Return the resource name of a task."""
    return f"projects/{project}/tasks/{task}"


def completion_name(project: str, task: str, completion: str) -> str:
    """Return the resource name of a completion."""
    return f"projects/{project}/tasks/{task}/completions/{completion}"


def prediction_name(project: str, task: str, prediction: str) -> str:
    """Return the resource name of a prediction."""
    return f"projects/{project}/tasks/{task}/predictions/{prediction}"


def snapshot_name(project: str, snapshot: str) -> str:
    """Return the resource name of a snapshot."""
    return f"projects/{project}/snapshots/{snapshot}"
