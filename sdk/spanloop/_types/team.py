"""Members, reviews, history, selection, agreement, labelling configs and rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from spanloop._types.annotation import (
    Completion,
    EventType,
    SnapshotExample,
    Task,
    TaskStatus,
    TieBreak,
)
from spanloop._types.choice import Choice


class Role(Choice):
    """What a member of a project may do."""

    UNSPECIFIED = "unspecified"
    OWNER = "owner"
    MANAGER = "manager"
    ANNOTATOR = "annotator"
    REVIEWER = "reviewer"
    SERVICE = "service"


class Verdict(Choice):
    """What a reviewer decides."""

    ACCEPT = "accept"
    REJECT = "reject"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, kw_only=True)
class TaskFilter:
    """Which tasks are meant: everything that is set must hold.

    `text_regex` is searched in RE2's syntax; snapshots are given by their full names.
    """

    statuses: tuple[TaskStatus | str, ...] = ()
    tags_any: tuple[str, ...] = ()
    tags_all: tuple[str, ...] = ()
    tags_none: tuple[str, ...] = ()
    labels_any: tuple[str, ...] = ()
    labels_all: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    text_regex: str = ""
    created_from: datetime | None = None
    created_before: datetime | None = None
    updated_from: datetime | None = None
    updated_before: datetime | None = None
    in_snapshot: str = ""
    not_in_snapshot: str = ""
    ground_truth: bool = False


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which completions of which tasks are trained on; no tie-break is the project's."""

    filter: TaskFilter = field(default_factory=TaskFilter)
    reviewed_only: bool = False
    tie_break: TieBreak | None = None


@dataclass(frozen=True, kw_only=True)
class CompletionDecision:
    """Whether a completion is taken, and why: `reason` is e.g. `MOST_RECENT` or `REJECTED`."""

    completion: str
    author: str
    taken: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class TaskDecision:
    """What a selection says about one task."""

    task: str
    taken: bool
    completions: tuple[CompletionDecision, ...]


@dataclass(frozen=True, kw_only=True)
class SnapshotDifference:
    """How a task differs between two snapshots: `added`, `removed` or `changed`."""

    task: str
    change: str
    base: SnapshotExample | None
    target: SnapshotExample | None


@dataclass(frozen=True, kw_only=True)
class SnapshotDiff:
    """What two snapshots do not have in common."""

    added: int
    removed: int
    changed: int
    unchanged: int
    added_labels: tuple[str, ...]
    removed_labels: tuple[str, ...]
    differences: tuple[SnapshotDifference, ...]


@dataclass(frozen=True, kw_only=True)
class Member:
    """A user in a project."""

    name: str
    user: str
    roles: tuple[Role, ...]
    priority: int
    etag: str
    create_time: datetime | None
    update_time: datetime | None


@dataclass(frozen=True, kw_only=True)
class AccessToken:
    """A user's access token; `secret` is there only right after it was made."""

    name: str
    display_name: str
    create_time: datetime | None
    expire_time: datetime | None
    secret: str = ""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who a client is: a user, or the services themselves (`system`)."""

    user: str
    system: bool


@dataclass(frozen=True, kw_only=True)
class Revision:
    """A state that a task or completion had, and the change that ended it."""

    version: int
    ended_by: EventType
    actor: str
    end_time: datetime | None
    completion: Completion | None
    task: Task | None


@dataclass(frozen=True, kw_only=True)
class ConfigProblem:
    """Something wrong in a labelling config; `severity` is `error` or `warning`."""

    line: int
    column: int
    severity: str
    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class ValidatedConfig:
    """What a labelling config says, and what is wrong with it."""

    problems: tuple[ConfigProblem, ...]
    labels: tuple[str, ...]
    assertion_labels: tuple[str, ...]
    choices: tuple[str, ...]
    trained_choices: str

    @property
    def usable(self) -> bool:
        """Whether it has no errors."""
        return all(one.severity != "error" for one in self.problems)


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A coefficient, or None with the reason why it is not defined."""

    value: float | None
    undefined_reason: str


@dataclass(frozen=True, kw_only=True)
class PairAgreement:
    """How far two annotators agree; the F1s are None for choices."""

    first: str
    second: str
    tasks: int
    spans: int
    exact_f1: Measure | None
    overlap_f1: Measure | None
    cohen_kappa: Measure


@dataclass(frozen=True, kw_only=True)
class AgreementSummary:
    """Agreement about a label, a choices control, or all spans (`target` is empty)."""

    target: str
    tasks: int
    spans: int
    annotators: int
    exact_f1: Measure | None
    overlap_f1: Measure | None
    cohen_kappa: Measure
    fleiss_kappa: Measure
    krippendorff_alpha: Measure
    pairs: tuple[PairAgreement, ...]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far the annotators of a project agree."""

    authors: tuple[str, ...]
    overall: AgreementSummary
    labels: tuple[AgreementSummary, ...]
    choices: tuple[AgreementSummary, ...]


@dataclass(frozen=True, kw_only=True)
class RuleSet:
    """Rules that pre-annotate; each rule is a mapping as in the JSON form of the contract."""

    name: str
    display_name: str
    rules: tuple[Mapping[str, Any], ...]
    revision: int
    etag: str
    create_time: datetime | None
    update_time: datetime | None


@dataclass(frozen=True, kw_only=True)
class RuleProgress:
    """How far applying a rule set is."""

    generation: str
    tasks: int
    written: int
    unchanged: int
    spans: int
