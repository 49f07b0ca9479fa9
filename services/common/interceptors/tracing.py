"""A span per call, continuing the caller's trace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from opentelemetry import context as otel_context
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer, use_span

from services.common.interceptors.chain import Call
from services.common.telemetry import PROPAGATOR

_FAULTS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)


class Tracing:
    """Makes spans named ``package.Service/Method``; health checks get none."""

    def __init__(self, tracer: Tracer) -> None:
        """Make spans with `tracer`."""
        self._tracer = tracer

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """See `Concern.around`."""
        if call.is_health:
            yield
            return
        parent = PROPAGATOR.extract(call.metadata, context=otel_context.Context())
        service, _, method = call.method.removeprefix("/").rpartition("/")
        span = self._tracer.start_span(
            f"{service}/{method}" if call.known else "unknown",
            context=parent,
            kind=SpanKind.SERVER,
            attributes={
                "rpc.system": "grpc",
                "rpc.service": service,
                "rpc.method": method,
                "spanloop.request_id": call.request_id,
            },
        )
        try:
            # Exceptions are not recorded: their texts may hold what must not leave the process.
            with use_span(span, record_exception=False, set_status_on_exception=False):
                yield
        finally:
            span.set_attribute("rpc.grpc.status_code", call.code.value[0])
            if call.code in _FAULTS:
                span.set_status(Status(StatusCode.ERROR))
            span.end()
