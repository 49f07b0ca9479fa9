"""What servers count of a trial, and whether its limits are kept. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TypeAlias

from services.registry.domain import ModelType
from services.registry.trial import Limits

AnswerKey: TypeAlias = tuple[ModelType, str]
"""What an adapter answers for: a label, a control, or the statuses of given spans (no name)."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How the answers for one label or control differ; see ``AnswerDifference``."""

    served: int = 0
    added: int = 0
    missing: int = 0
    changed: int = 0


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What was counted; see ``TrialCounts``."""

    requests: int = 0
    errors: int = 0
    compared_requests: int = 0
    compared_texts: int = 0
    differing_texts: int = 0
    skipped_requests: int = 0
    dropped_requests: int = 0
    differences: Mapping[AnswerKey, Difference] = field(default_factory=dict)


NUMBERS = tuple(one.name for one in fields(Counts) if one.name != "differences")
PARTS = tuple(one.name for one in fields(Difference))


class Candidate(StrEnum):
    """Where a candidate stands on one server."""

    LOADING = "loading"
    READY = "ready"
    ERROR = "error"


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one server told last.

    Attributes:
        reporter: Names the server for as long as it runs.
        sequence: Grows with every report that tells something new.
        time: When it was taken, microseconds UTC.
    """

    reporter: str
    sequence: int
    time: int
    candidate: Candidate
    error_message: str
    counts: Counts


def total(counts: Iterable[Counts]) -> Counts:
    """Return what all servers counted together."""
    numbers = dict.fromkeys(NUMBERS, 0)
    differences: dict[AnswerKey, dict[str, int]] = {}
    for one in counts:
        for name in NUMBERS:
            numbers[name] += getattr(one, name)
        for key, found in one.differences.items():
            parts = differences.setdefault(key, dict.fromkeys(PARTS, 0))
            for name in PARTS:
                parts[name] += getattr(found, name)
    return Counts(
        **numbers,
        differences={key: Difference(**parts) for key, parts in sorted(differences.items())},
    )


def exceeded(limits: Limits, counts: Counts) -> str:
    """Return which limit is exceeded, in a sentence; empty: none is, or too little is known."""
    if limits.max_error_rate is not None and counts.requests >= limits.min_requests:
        rate = counts.errors / counts.requests
        if rate > limits.max_error_rate:
            return (
                f"The candidate failed {counts.errors} of {counts.requests} requests "
                f"({rate:.2%}); {limits.max_error_rate:.2%} are allowed."
            )
    if (
        limits.max_disagreement_rate is not None
        and counts.compared_requests >= limits.min_requests
        and counts.compared_texts
    ):
        rate = counts.differing_texts / counts.compared_texts
        if rate > limits.max_disagreement_rate:
            return (
                f"The candidate answers {counts.differing_texts} of {counts.compared_texts} texts "
                f"otherwise ({rate:.2%}); {limits.max_disagreement_rate:.2%} are allowed."
            )
    return ""
