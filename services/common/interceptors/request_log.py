"""One log line per call: what was called and how it ended, never what was in it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import structlog
from opentelemetry import trace

from services.common.interceptors.chain import Call
from services.common.logs import get_logger

_log = get_logger(__name__)

_FAULTS = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS})


class RequestLog:
    """Logs every call when it ends; faults of the server as errors, health checks for debugging."""

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """See `Concern.around`."""
        # Whatever is logged while the call runs names it.
        with structlog.contextvars.bound_contextvars(request_id=call.request_id):
            try:
                yield
            finally:
                self._write(call)

    def _write(self, call: Call) -> None:
        entry: dict[str, object] = {
            "method": call.method,
            "code": call.code.name,
            "duration_ms": round((time.monotonic() - call.started) * 1000, 3),
            "peer": call.context.peer(),
            "caller": call.caller,
        }
        if call.user:
            entry["user"] = call.user
        if call.reason:
            entry["reason"] = call.reason
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            entry["trace_id"] = trace.format_trace_id(span.trace_id)
        if call.code in _FAULTS:
            _log.error("rpc", **entry)
        elif call.is_health:
            _log.debug("rpc", **entry)
        else:
            _log.info("rpc", **entry)
