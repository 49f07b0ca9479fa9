"""What the registry asks of a project's versions, and how long it keeps them. Pure values."""

from __future__ import annotations

from dataclasses import dataclass

from services.registry.domain import Split

KEEP_REVISIONS = 10


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What a version must show to be deployed.

    Attributes:
        split: What is looked at.
        min_micro_f1: Least micro F1; 0: any.
        min_label_f1: Least F1 of each label with support; 0: any.
        max_label_regression: How much a label may lose against what is served; None: anything.
    """

    split: Split = Split.DEV
    min_micro_f1: float = 0.0
    min_label_f1: float = 0.0
    max_label_regression: float | None = None

    @property
    def asks(self) -> bool:
        """Whether there is any rule."""
        return bool(self.min_micro_f1 or self.min_label_f1) or self.max_label_regression is not None


@dataclass(frozen=True, kw_only=True)
class Retention:
    """Which versions keep their artifacts, besides those that something points at.

    Attributes:
        keep_last: So many of the newest of each line.
        max_age: What is younger, in microseconds; None: age keeps nothing.
        keep_revisions: What so many of the newest revisions of the deployment serve.
    """

    keep_last: int
    max_age: int | None = None
    keep_revisions: int = KEEP_REVISIONS


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The policy of a project; None: nothing is asked, everything is kept.

    Attributes:
        etag: Changes with every change; empty before the first.
        update_time: Microseconds UTC; None before the first change.
    """

    project: str
    gate: Gate | None = None
    retention: Retention | None = None
    etag: str = ""
    update_time: int | None = None
    actor: str = ""

    @property
    def name(self) -> str:
        """The resource name."""
        return policy_name(self.project)


def policy_name(project: str) -> str:
    """Return the resource name of a project's policy."""
    return f"projects/{project}/registryPolicy"
