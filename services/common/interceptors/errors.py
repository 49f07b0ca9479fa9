"""Every exception becomes a documented refusal; what it says stays in the log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from grpc import aio

from services.common.errors import Code, SpanloopError
from services.common.grpc_status import as_spanloop_error, internal_error
from services.common.interceptors.chain import Call
from services.common.logs import get_logger

_log = get_logger(__name__)


class ErrorMapping:
    """Turns exceptions into `SpanloopError` and notes on the call how it ended."""

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """See `Concern.around`."""
        try:
            yield
        except asyncio.CancelledError:
            # gRPC cancels when the caller left; past the deadline, that is why it left.
            expired = call.deadline is not None and time.monotonic() >= call.deadline
            call.code = grpc.StatusCode.DEADLINE_EXCEEDED if expired else grpc.StatusCode.CANCELLED
            raise
        except aio.AbortError:
            # A handler that speaks gRPC itself (health, reflection) chose its status.
            call.code = _code_of(call.context)
            raise
        except Exception as error:
            refusal = as_spanloop_error(error)
            if refusal is None:
                _log.error(
                    "rpc_failed", method=call.method, request_id=call.request_id, exc_info=error
                )
                refusal = internal_error()
            elif refusal is not error or refusal.code in (Code.INTERNAL, Code.DATA_LOSS):
                _log.warning(
                    "rpc_trouble", method=call.method, request_id=call.request_id, exc_info=error
                )
            _note(call, refusal)
            if refusal is error:
                raise
            raise refusal from error


def _note(call: Call, refusal: SpanloopError) -> None:
    call.code = grpc.StatusCode[refusal.code.value]
    call.reason = refusal.reason.value


def _code_of(context: object) -> grpc.StatusCode:
    code = getattr(context, "code", lambda: None)()
    if isinstance(code, grpc.StatusCode):
        return code
    return next((known for known in grpc.StatusCode if known.value[0] == code), _UNKNOWN)


_UNKNOWN = grpc.StatusCode.UNKNOWN
