"""The strategies of suggestion, and what they suggest. Plain values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.annotation.domain import Task
from services.common.errors import invalid_field
from services.common.validate import check_count

DEFAULT_COUNT = 10
MAX_COUNT = 1_000


class Strategy(StrEnum):
    """How to rank; names as in ``SuggestionStrategy`` of the contract without its prefix."""

    RANDOM = "RANDOM"
    SEQUENTIAL = "SEQUENTIAL"
    LEAST_CONFIDENCE = "LEAST_CONFIDENCE"
    MARGIN = "MARGIN"
    ENTROPY = "ENTROPY"
    DIVERSITY = "DIVERSITY"
    MIXED = "MIXED"

    @property
    def needs_predictions(self) -> bool:
        """Whether it can judge only tasks that a model has seen; not to be asked of MIXED."""
        return self not in {Strategy.RANDOM, Strategy.SEQUENTIAL}


@dataclass(frozen=True, kw_only=True)
class StrategyWeight:
    """One strategy of a mix, with its share."""

    strategy: Strategy
    weight: float


DEFAULT_MIX = (
    StrategyWeight(strategy=Strategy.MARGIN, weight=0.5),
    StrategyWeight(strategy=Strategy.DIVERSITY, weight=0.4),
    StrategyWeight(strategy=Strategy.RANDOM, weight=0.1),
)


@dataclass(frozen=True, kw_only=True)
class SuggestedTask:
    """A task worth annotating; see ``SuggestedTask`` in suggestion_service.proto.

    `prediction` is the id of the prediction that it was judged by, or empty.
    """

    task: Task
    score: float
    prediction: str
    known: bool


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """Tasks, the best first, and how many open ones there were to choose from."""

    tasks: Sequence[SuggestedTask]
    open_tasks: int


def checked_mix(strategy: Strategy, mix: Sequence[StrategyWeight]) -> Sequence[StrategyWeight]:
    """Return the strategies of a request with their weights: one unless it is a mix.

    Raises:
        InvalidArgumentError: FIELD_INVALID: a mix without MIXED, within a mix, of weights that are
            no shares, or with a strategy twice.
    """
    if strategy is not Strategy.MIXED:
        if mix:
            raise invalid_field("mix", "goes with the strategy MIXED only.")
        return (StrategyWeight(strategy=strategy, weight=1.0),)
    check_count(mix, "mix", 0, len(Strategy) - 1)
    for index, one in enumerate(mix):
        if one.strategy is Strategy.MIXED:
            raise invalid_field(f"mix[{index}].strategy", "must be a strategy other than MIXED.")
        if any(one.strategy is before.strategy for before in mix[:index]):
            raise invalid_field(f"mix[{index}].strategy", "is there twice.")
        if not (one.weight > 0 and math.isfinite(one.weight)):
            raise invalid_field(f"mix[{index}].weight", "must be a number above 0.")
    return tuple(mix) or DEFAULT_MIX
