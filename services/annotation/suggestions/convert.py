"""Messages of suggestions."""

from __future__ import annotations

from collections.abc import Iterable

from services.annotation.convert.basic import known
from services.annotation.convert.catalog import task_message
from services.annotation.domain import prediction_name
from services.annotation.suggestions.domain import (
    Strategy,
    StrategyWeight,
    SuggestedTask,
    Suggestion,
)
from spanloop.annotation.v1 import suggestion_service_pb2 as pb

_STRATEGIES: dict[int, Strategy] = {
    pb.SUGGESTION_STRATEGY_RANDOM: Strategy.RANDOM,
    pb.SUGGESTION_STRATEGY_SEQUENTIAL: Strategy.SEQUENTIAL,
    pb.SUGGESTION_STRATEGY_LEAST_CONFIDENCE: Strategy.LEAST_CONFIDENCE,
    pb.SUGGESTION_STRATEGY_MARGIN: Strategy.MARGIN,
    pb.SUGGESTION_STRATEGY_ENTROPY: Strategy.ENTROPY,
    pb.SUGGESTION_STRATEGY_DIVERSITY: Strategy.DIVERSITY,
    pb.SUGGESTION_STRATEGY_MIXED: Strategy.MIXED,
}


def strategy_of(number: int) -> Strategy:
    """Read how to rank; nothing said is MIXED."""
    if number == pb.SUGGESTION_STRATEGY_UNSPECIFIED:
        return Strategy.MIXED
    return known(_STRATEGIES, number, "strategy", "strategy")


def mix_of(messages: Iterable[pb.StrategyWeight]) -> list[StrategyWeight]:
    """Read the strategies of a mix."""
    return [
        StrategyWeight(
            strategy=known(_STRATEGIES, one.strategy, f"mix[{index}].strategy", "strategy"),
            weight=one.weight,
        )
        for index, one in enumerate(messages)
    ]


def suggestion_message(found: Suggestion) -> pb.SuggestTasksResponse:
    """Return what is suggested."""
    return pb.SuggestTasksResponse(
        suggestions=map(_suggested, found.tasks), open_tasks=found.open_tasks
    )


def _suggested(one: SuggestedTask) -> pb.SuggestedTask:
    task = one.task
    return pb.SuggestedTask(
        task=task_message(task),
        score=one.score,
        prediction=prediction_name(task.project, task.id, one.prediction) if one.prediction else "",
        rank_known=one.known,
    )
