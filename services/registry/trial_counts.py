"""What servers told of a trial, its sum, and whether the limits are kept. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from services.common.trial_counts import COUNTS_NUMBERS, Counts, Difference
from services.registry.domain import ModelType
from services.registry.trial import Limits

AnswerKey: TypeAlias = tuple[ModelType, str]
"""What an adapter answers for: a label, a control, or the statuses of given spans (no name)."""


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
    counts: Counts[AnswerKey]


def total(counts: Iterable[Counts[AnswerKey]]) -> Counts[AnswerKey]:
    """Return what all servers counted together."""
    numbers = dict.fromkeys(COUNTS_NUMBERS, 0)
    differences: dict[AnswerKey, Difference] = {}
    for one in counts:
        for name in COUNTS_NUMBERS:
            numbers[name] += getattr(one, name)
        for key, found in one.differences.items():
            differences[key] = differences.get(key, Difference()) + found
    return Counts(**numbers, differences=dict(sorted(differences.items())))


def exceeded(limits: Limits, counts: Counts[AnswerKey]) -> str:
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
