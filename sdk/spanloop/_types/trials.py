"""Trials of model versions on live traffic."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from spanloop._types.choice import Choice
from spanloop._types.text import ModelType


class TrialMode(Choice):
    """What a candidate does with its share: it is asked behind the answer, or answers."""

    UNSPECIFIED = "unspecified"
    SHADOW = "shadow"
    CANARY = "canary"


class TrialState(Choice):
    """Where a trial stands."""

    UNSPECIFIED = "unspecified"
    RUNNING = "running"
    PROMOTED = "promoted"
    ENDED = "ended"
    ROLLED_BACK = "rolled_back"


class CandidateState(Choice):
    """Where a candidate stands on one server."""

    UNSPECIFIED = "unspecified"
    LOADING = "loading"
    READY = "ready"
    ERROR = "error"


@dataclass(frozen=True, kw_only=True)
class TrialLimits:
    """What a candidate must keep to; None: any rate, of errors in a canary at most 0.01."""

    min_requests: int = 100
    max_error_rate: float | None = None
    max_disagreement_rate: float | None = None


@dataclass(frozen=True, kw_only=True)
class AnswerDifference:
    """How the answers for one label or control differ; no name: statuses of given spans.

    `served` counts what is deployed found, `added` what only the candidate has, `missing` what it
    lacks, `changed` what has another assertion status.
    """

    model_type: ModelType
    name: str
    served: int
    added: int
    missing: int
    changed: int


@dataclass(frozen=True, kw_only=True)
class TrialCounts:
    """What was counted of a trial.

    Of `requests` that were put to the candidate it failed `errors`; `skipped_requests` fell to it
    while it could not take them, `dropped_requests` could not be compared.
    """

    requests: int = 0
    errors: int = 0
    compared_requests: int = 0
    compared_texts: int = 0
    differing_texts: int = 0
    skipped_requests: int = 0
    dropped_requests: int = 0
    differences: tuple[AnswerDifference, ...] = ()

    @property
    def error_rate(self) -> float:
        """Errors per request; 0 before the first."""
        return self.errors / self.requests if self.requests else 0.0

    @property
    def disagreement_rate(self) -> float:
        """Texts answered otherwise per text that was compared; 0 before the first."""
        return self.differing_texts / self.compared_texts if self.compared_texts else 0.0


@dataclass(frozen=True, kw_only=True)
class TrialReporter:
    """What one server told last of a candidate."""

    reporter: str
    candidate_state: CandidateState
    error_message: str
    report_time: datetime | None


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A candidate that is tried on the live traffic of a project.

    `reason` says why it is not RUNNING any more; lists leave `reporters` out.
    """

    name: str
    model_version: str
    mode: TrialMode
    share: float
    limits: TrialLimits
    state: TrialState
    reason: str = ""
    counts: TrialCounts = field(default_factory=TrialCounts)
    reporters: tuple[TrialReporter, ...] = ()
    deployment_revision: int = 0
    promoted_revision: int = 0
    etag: str = ""
    create_time: datetime | None = None
    end_time: datetime | None = None
    actor: str = ""
    end_actor: str = ""
