"""SuggestionService: converts messages and delegates to the handler."""

# ruff: noqa: ARG002, D102, N802 - names and signatures are those of the generated base class

from __future__ import annotations

from services.annotation.convert.selections import filter_of
from services.annotation.members.gate import Gate
from services.annotation.names import project_of
from services.annotation.suggestions import convert
from services.annotation.suggestions.handler import Suggestions
from spanloop.annotation.v1 import suggestion_service_pb2 as pb
from spanloop.annotation.v1 import suggestion_service_pb2_grpc


class SuggestionServicer(suggestion_service_pb2_grpc.SuggestionServiceServicer):
    """The methods are documented in ``suggestion_service.proto``."""

    def __init__(self, suggestions: Suggestions, gate: Gate) -> None:
        """Delegate to the given handler."""
        self._suggestions = suggestions
        self._gate = gate

    async def SuggestTasks(
        self, request: pb.SuggestTasksRequest, context: object
    ) -> pb.SuggestTasksResponse:
        project = project_of(request.parent)
        await self._gate.enter("SuggestTasks", project)
        found = await self._suggestions.suggest(
            project,
            filter_of(request.filter, project),
            convert.strategy_of(request.strategy),
            count=request.count,
            seed=request.seed,
            mix=convert.mix_of(request.mix),
        )
        return convert.suggestion_message(found)
