"""What to annotate next."""

from __future__ import annotations

from dataclasses import dataclass

from spanloop._types.annotation import Task
from spanloop._types.choice import Choice


class SuggestionStrategy(Choice):
    """How open tasks are ranked; unspecified is the mix."""

    UNSPECIFIED = "unspecified"
    RANDOM = "random"
    SEQUENTIAL = "sequential"
    LEAST_CONFIDENCE = "least_confidence"
    MARGIN = "margin"
    ENTROPY = "entropy"
    DIVERSITY = "diversity"
    MIXED = "mixed"


@dataclass(frozen=True, kw_only=True)
class SuggestedTask:
    """A task worth annotating, the more the higher its score.

    `prediction` is what it was judged by, or empty; `rank_known` is False for a task that the
    strategy could not judge.
    """

    task: Task
    score: float
    prediction: str
    rank_known: bool


@dataclass(frozen=True, kw_only=True)
class Suggestions:
    """Tasks, the best first, of so many open ones."""

    tasks: tuple[SuggestedTask, ...]
    open_tasks: int
