"""Calls of the suggestion service."""

from __future__ import annotations

from collections.abc import Mapping

from spanloop import types
from spanloop._convert import suggestions as convert
from spanloop._convert import team
from spanloop._names import Named, project_name
from spanloop._sync.transport import Transport
from spanloop.annotation.v1 import suggestion_service_pb2 as pb


class SuggestionCalls:
    """What to annotate next."""

    _transport: Transport

    def suggest_tasks(
        self,
        project: str | Named,
        strategy: types.SuggestionStrategy | str | None = None,
        *,
        count: int = 10,
        seed: int = 0,
        filter: types.TaskFilter | None = None,
        mix: Mapping[types.SuggestionStrategy | str, float] | None = None,
        timeout: float | None = None,
    ) -> types.Suggestions:
        """Rank the open tasks of a project; FailedPrecondition when nothing is predicted yet.

        Args:
            project: Id or name.
            strategy: How to rank; by default the mix.
            count: How many, at most 1,000.
            seed: Of what is random.
            filter: Of the open tasks only these.
            mix: For the strategy mixed: strategies with their weights.
            timeout: Seconds.
        """
        request = pb.SuggestTasksRequest(
            parent=project_name(project),
            strategy=convert.strategy_to(strategy),
            count=count,
            seed=seed,
            filter=team.filter_to(filter),
            mix=convert.mix_to(mix),
        )
        response = self._transport.unary(
            self._transport.suggestions.SuggestTasks, request, timeout=timeout
        )
        return convert.suggestions(response)
