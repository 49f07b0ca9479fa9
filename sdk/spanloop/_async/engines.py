"""Calls about engines and their parameters."""

from __future__ import annotations

from spanloop import types
from spanloop._async.transport import AsyncTransport
from spanloop._convert import engines as convert
from spanloop._convert.automation import model_type_to
from spanloop.trainer.v1 import resource_service_pb2 as pb


class EngineCalls:
    """What trains, and what it takes."""

    _transport: AsyncTransport

    async def describe_engines(
        self,
        engine: str = "",
        *,
        model_type: types.ModelType | str = types.ModelType.UNSPECIFIED,
        timeout: float | None = None,
    ) -> tuple[types.EngineDescription, ...]:
        """Say which engines there are and which parameters they take, with bounds and defaults.

        Args:
            engine: Only this one; empty: all.
            model_type: Whose defaults; unspecified: those of named entities.
            timeout: Seconds.
        """
        response = await self._transport.unary(
            self._transport.resources.DescribeParameters,
            pb.DescribeParametersRequest(engine=engine, model_type=model_type_to(model_type)),
            timeout=timeout,
        )
        return tuple(convert.engine(entry) for entry in response.engines)
