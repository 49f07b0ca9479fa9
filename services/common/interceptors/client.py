"""What every call to another service carries: token, trace, request id, deadline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from grpc import aio

from services.common.call import current_call
from services.common.grpc_status import REQUEST_ID_KEY
from services.common.telemetry import PROPAGATOR


def client_interceptors(token: str, default_timeout: float) -> Sequence[aio.ClientInterceptor]:
    """Return the interceptors of a channel, one per shape: gRPC takes them only so."""
    outgoing = _Outgoing(token, default_timeout)
    return (
        _UnaryUnary(outgoing),
        _UnaryStream(outgoing),
        _StreamUnary(outgoing),
        _StreamStream(outgoing),
    )


class _Outgoing:
    """Completes the details of a call."""

    def __init__(self, token: str, default_timeout: float) -> None:
        self._token = token
        self._default = default_timeout

    def complete(self, details: aio.ClientCallDetails, *, limited: bool) -> aio.ClientCallDetails:
        call = current_call()
        carried: dict[str, str] = {}
        PROPAGATOR.inject(carried)
        if call.request_id:
            carried[REQUEST_ID_KEY] = call.request_id
        if self._token:
            carried["authorization"] = f"Bearer {self._token}"
        metadata = aio.Metadata(*(details.metadata or ()))
        sent = {key for key, _ in metadata}
        for key, value in carried.items():
            if key not in sent:
                metadata.add(key, value)
        bounds = [bound for bound in (details.timeout, call.remaining()) if bound is not None]
        if not bounds and limited:
            bounds = [self._default]
        return aio.ClientCallDetails(
            method=details.method,
            timeout=min(bounds) if bounds else None,
            metadata=metadata,
            credentials=details.credentials,
            wait_for_ready=details.wait_for_ready,
        )


_Continuation = Callable[[aio.ClientCallDetails, Any], Awaitable[Any]]


class _UnaryUnary(aio.UnaryUnaryClientInterceptor):
    def __init__(self, outgoing: _Outgoing) -> None:
        self._outgoing = outgoing

    async def intercept_unary_unary(
        self, continuation: _Continuation, details: aio.ClientCallDetails, request: Any
    ) -> Any:
        return await continuation(self._outgoing.complete(details, limited=True), request)


class _UnaryStream(aio.UnaryStreamClientInterceptor):
    def __init__(self, outgoing: _Outgoing) -> None:
        self._outgoing = outgoing

    async def intercept_unary_stream(
        self, continuation: _Continuation, details: aio.ClientCallDetails, request: Any
    ) -> Any:
        return await continuation(self._outgoing.complete(details, limited=False), request)


class _StreamUnary(aio.StreamUnaryClientInterceptor):
    def __init__(self, outgoing: _Outgoing) -> None:
        self._outgoing = outgoing

    async def intercept_stream_unary(
        self, continuation: _Continuation, details: aio.ClientCallDetails, requests: Any
    ) -> Any:
        return await continuation(self._outgoing.complete(details, limited=False), requests)


class _StreamStream(aio.StreamStreamClientInterceptor):
    def __init__(self, outgoing: _Outgoing) -> None:
        self._outgoing = outgoing

    async def intercept_stream_stream(
        self, continuation: _Continuation, details: aio.ClientCallDetails, requests: Any
    ) -> Any:
        return await continuation(self._outgoing.complete(details, limited=False), requests)
