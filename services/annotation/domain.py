"""What the annotation service knows: projects, labels, tasks, completions, predictions, snapshots.

Plain values without storage or transport. Offsets are half-open and count code points; times are
microseconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from services.annotation.content import Content, Page, ScoredChoice, ScoredSpan, Span, Word
from services.annotation.signals import Signals


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
    REVIEWED = "REVIEWED"
    TO_CORRECT = "TO_CORRECT"


class CompletionState(StrEnum):
    """Where a completion stands; moved by `services.annotation.completion_state` only."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"


class Role(StrEnum):
    """What a member of a project may do; see `services.annotation.access`."""

    OWNER = "OWNER"
    MANAGER = "MANAGER"
    ANNOTATOR = "ANNOTATOR"
    REVIEWER = "REVIEWER"
    SERVICE = "SERVICE"


class TieBreak(StrEnum):
    """Which of several submitted completions of a task is taken when none is accepted."""

    MOST_RECENT = "MOST_RECENT"
    HIGHEST_PRIORITY = "HIGHEST_PRIORITY"


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
    TASK_UPDATED = "TASK_UPDATED"
    TASK_DELETED = "TASK_DELETED"
    TASK_RESTORED = "TASK_RESTORED"
    TASK_PURGED = "TASK_PURGED"
    COMPLETION_ACCEPTED = "COMPLETION_ACCEPTED"
    COMPLETION_REJECTED = "COMPLETION_REJECTED"
    COMPLETION_REVIEW_WITHDRAWN = "COMPLETION_REVIEW_WITHDRAWN"
    COMPLETION_STARRED = "COMPLETION_STARRED"
    COMPLETION_UNSTARRED = "COMPLETION_UNSTARRED"
    COMPLETION_DELETED = "COMPLETION_DELETED"
    COMPLETION_RESTORED = "COMPLETION_RESTORED"
    MEMBER_ADDED = "MEMBER_ADDED"
    MEMBER_UPDATED = "MEMBER_UPDATED"
    MEMBER_REMOVED = "MEMBER_REMOVED"
    RULE_SET_CREATED = "RULE_SET_CREATED"
    RULE_SET_UPDATED = "RULE_SET_UPDATED"
    RULE_SET_DELETED = "RULE_SET_DELETED"


@dataclass(frozen=True, kw_only=True)
class Project:
    """A body of tasks annotated with the same labels. `uid` tells it from a namesake elsewhere.

    `labeling_config` is the XML, or empty; `tie_break` says which of several submitted completions
    of a task is trained on.
    """

    id: str
    uid: str
    display_name: str
    version: int
    created: int
    updated: int
    labeling_config: str = ""
    tie_break: TieBreak = TieBreak.MOST_RECENT


@dataclass(frozen=True, kw_only=True)
class Label:
    """Something that spans can be labelled as; `value` is unique in the project.

    Attributes:
        project: Id of its project.
        id: Its id within the project.
        value: What spans carry.
        description: For annotators.
        inherits: Values of labels whose positives are positives of this one too.
        alias_as: Value of the label that this one is another name of, or empty.
        former_values: What it was called before, oldest first.
        version: Grows with every change.
        created: Time of creation.
        updated: Time of the last change.
    """

    project: str
    id: str
    value: str
    description: str
    version: int
    created: int
    updated: int
    inherits: tuple[str, ...] = ()
    alias_as: str = ""
    former_values: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """What a reviewer said about a completion that is ACCEPTED or REJECTED."""

    reviewer: str
    comment: str
    time: int


@dataclass(frozen=True, kw_only=True)
class Completion:
    """One author's annotation of a task.

    Attributes:
        id: Its id within the task.
        author: Who annotated.
        state: Where it stands.
        content: What it says.
        copied_from: Resource name of the prediction that the author started from, or empty.
        version: Grows with every change of the completion.
        created: Time of creation.
        updated: Time of the last change.
        submitted: Time of the last submission, None while it was never submitted.
        review: What the reviewer said while it is ACCEPTED or REJECTED.
        ground_truth: Whether it is the task's starred one.
        lead_time: Seconds that the author worked on it.
        deleted: Time of its deletion, None while it is there.
    """

    id: str
    author: str
    state: CompletionState
    content: Content
    copied_from: str
    version: int
    created: int
    updated: int
    submitted: int | None
    review: Review | None = None
    ground_truth: bool = False
    lead_time: float = 0.0
    deleted: int | None = None

    @property
    def spans(self) -> tuple[Span, ...]:
        """The spans of its content."""
        return self.content.spans

    @property
    def handed_in(self) -> bool:
        """Whether it may be trained on: submitted, and not rejected or deleted."""
        return self.deleted is None and self.state in HANDED_IN


HANDED_IN = frozenset({CompletionState.SUBMITTED, CompletionState.ACCEPTED})


@dataclass(frozen=True, kw_only=True)
class Task:
    """One text, or some pages, to annotate, with its completions in order of creation.

    Attributes:
        project: Id of its project.
        id: Its id within the project.
        text: The text; empty only when there are pages.
        external_id: The caller's own id, or empty.
        split: The split that came with it.
        metadata: The caller's notes.
        tokenised: Whether the words of the text are exactly its parts between single blanks,
            because it was read from a file of tokens.
        completions: The annotations, deleted ones included.
        version: Grows with every change of the task or its completions.
        created: Time of creation.
        updated: Time of the last change.
        tags: Sorted, each once.
        group: The document that it is a part of, or empty: its parts fall into one split.
        pages: Its pages, for a page task.
        words: The words of its pages, in order of the text.
        extra: As in `Content`.
        deleted: Time of its deletion, None while it is there.
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
    tags: tuple[str, ...] = ()
    group: str = ""
    pages: tuple[Page, ...] = ()
    words: tuple[Word, ...] = ()
    extra: str = ""
    deleted: int | None = None

    @property
    def status(self) -> TaskStatus:
        """How far its annotation is."""
        return status_of(self.completions)

    def completion(self, id: str) -> Completion | None:
        """Return the completion with this id, deleted or not, or None."""
        return next((one for one in self.completions if one.id == id), None)

    def last_submitted(self) -> Completion | None:
        """Return the completion that was handed in last, which exports of one per task take."""
        best: Completion | None = None
        for one in self.completions:
            if (
                one.handed_in
                and one.submitted is not None
                and (best is None or best.submitted is None or one.submitted >= best.submitted)
            ):
                best = one
        return best


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a model, a rule set or an imported file proposed: one per task and generation.

    `generation` is that of the inference service, ``rules/<rule set>@<revision>``, or
    ``import/<model version>``. Digests of adapters and names of model versions are by label value,
    by `Choices` control, and one for all assertion statuses (empty: none).
    """

    project: str
    task: str
    id: str
    generation: str
    adapters: Mapping[str, str]
    model_versions: Mapping[str, str]
    spans: tuple[ScoredSpan, ...]
    created: int
    choices: tuple[ScoredChoice, ...] = ()
    extra: str = ""
    choice_adapters: Mapping[str, str] = field(default_factory=dict)
    choice_model_versions: Mapping[str, str] = field(default_factory=dict)
    assertion_adapter: str = ""
    assertion_model_version: str = ""
    signals: Signals | None = None


@dataclass(frozen=True, kw_only=True)
class Member:
    """Who may do what in a project. Of two completions the one of higher `priority` may win."""

    project: str
    user: str
    roles: frozenset[Role]
    priority: int
    version: int
    created: int
    updated: int


@dataclass(frozen=True, kw_only=True)
class Event:
    """One change in a project, at its place in the project's stream.

    `version` is the one that the change made: it began with the one before. `actor` is the user
    or service who made it.
    """

    sequence: int
    type: EventType
    resource: str
    time: int
    actor: str = ""
    version: int = 0


def status_of(completions: tuple[Completion, ...]) -> TaskStatus:
    """Return the status that follows from a task's completions; deleted ones do not count."""
    states = {one.state for one in completions if one.deleted is None}
    for state, status in (
        (CompletionState.ACCEPTED, TaskStatus.REVIEWED),
        (CompletionState.SUBMITTED, TaskStatus.SUBMITTED),
        (CompletionState.REJECTED, TaskStatus.TO_CORRECT),
        (CompletionState.DRAFT, TaskStatus.IN_PROGRESS),
    ):
        if state in states:
            return status
    return TaskStatus.INCOMPLETE


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


def member_name(project: str, user: str) -> str:
    """Return the resource name of a member."""
    return f"projects/{project}/members/{user}"


def rule_set_name(project: str, rule_set: str) -> str:
    """Return the resource name of a rule set."""
    return f"projects/{project}/ruleSets/{rule_set}"
