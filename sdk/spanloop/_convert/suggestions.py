"""Messages of suggestions."""

from __future__ import annotations

from collections.abc import Mapping

from spanloop._convert import annotation
from spanloop._types import suggestions as types
from spanloop.annotation.v1 import suggestion_service_pb2 as pb


def strategy_to(strategy: types.SuggestionStrategy | str | None) -> str:
    """Return a strategy's wire name; None is unspecified, i.e. the mix."""
    return f"SUGGESTION_STRATEGY_{types.SuggestionStrategy(strategy or 'unspecified').name}"


def mix_to(mix: Mapping[types.SuggestionStrategy | str, float] | None) -> list[pb.StrategyWeight]:
    """Return the strategies of a mix with their weights."""
    return [
        pb.StrategyWeight(strategy=strategy_to(strategy), weight=weight)
        for strategy, weight in (mix or {}).items()
    ]


def suggestions(message: pb.SuggestTasksResponse) -> types.Suggestions:
    """Return what is suggested."""
    return types.Suggestions(
        tasks=tuple(
            types.SuggestedTask(
                task=annotation.task(one.task),
                score=one.score,
                prediction=one.prediction,
                rank_known=one.rank_known,
            )
            for one in message.suggestions
        ),
        open_tasks=message.open_tasks,
    )
