"""One gRPC interceptor that runs every call, of any shape, inside a list of concerns."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, cast

import grpc
from grpc import aio

from services.common.errors import (
    InvalidArgumentError,
    Reason,
    ResourceExhaustedError,
    SpanloopError,
    UnimplementedError,
)
from services.common.grpc_status import REQUEST_ID_KEY, status_of

Context: TypeAlias = "aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

_HEALTH = "/grpc.health."
_BEGIN_SECONDS = 1.0


@dataclass(kw_only=True, eq=False)
class Call:
    """A call on its way through the concerns.

    Attributes:
        method: ``/package.Service/Method``.
        known: Whether the server has the method.
        shape: ``unary_unary``, ``unary_stream``, ``stream_unary`` or ``stream_stream``.
        metadata: What the caller sent; of repeated text keys the last value.
        context: gRPC's context.
        request_id: Names the call.
        started: When it arrived, on the clock of `time.monotonic`.
        deadline: When the caller stops waiting, on that clock; None: never.
        caller: Who calls, as far as is known.
        user: The user that it is made by or for; empty when it is the services' own.
        code: How it ended, set on the way out.
        reason: The documented reason of a refusal, set on the way out.
    """

    method: str
    known: bool
    shape: str
    metadata: Mapping[str, str]
    context: Context
    request_id: str
    started: float = field(default_factory=time.monotonic)
    deadline: float | None = None
    caller: str = "anonymous"
    user: str = ""
    code: grpc.StatusCode = grpc.StatusCode.OK
    reason: str = ""

    @property
    def is_health(self) -> bool:
        """Whether it asks for the server's health."""
        return self.method.startswith(_HEALTH)

    @property
    def is_watch(self) -> bool:
        """Whether it is a stream without an end of its own: they are all named ``Watch…``."""
        return self.shape == "unary_stream" and self.method.rpartition("/")[2].startswith("Watch")


class Concern(Protocol):
    """Something done around every call."""

    def around(self, call: Call) -> AbstractAsyncContextManager[None]:
        """Return what to enter before the call and to leave after it.

        It sees the exceptions of the concerns inside it and of the handler, and may raise others.
        """
        ...


class Chain(aio.ServerInterceptor):
    """Runs every call inside the concerns, the first outermost.

    Messages are parsed and serialised here, inside the concerns, and not by gRPC, which would
    answer UNKNOWN with the text of the exception.
    """

    def __init__(
        self, concerns: Sequence[Concern], *, new_id: Callable[[], str], max_message_bytes: int
    ) -> None:
        """Keep the concerns; `new_id` names calls whose caller sent no id."""
        self._concerns = tuple(concerns)
        self._new_id = new_id
        self._max = max_message_bytes

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any]:
        """See `grpc.aio.ServerInterceptor`."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        metadata = {
            key: value
            for key, value in handler_call_details.invocation_metadata or ()
            if isinstance(value, str)
        }
        # A handler of the shape stream_stream can refuse calls of any shape without reading them.
        shape = "stream_stream" if handler is None else _shape(handler)
        make = getattr(grpc, f"{shape}_rpc_method_handler")
        made: grpc.RpcMethodHandler[Any, Any] = make(
            self._behaviour(method, shape, metadata, handler),
            request_deserializer=None,
            response_serializer=None if handler is None else self._serializer(handler),
        )
        return made

    def _behaviour(
        self,
        method: str,
        shape: str,
        metadata: Mapping[str, str],
        handler: Handler | None,
    ) -> Callable[[Any, Context], Awaitable[Any]]:
        async def behaviour(request: Any, context: Context) -> Any:
            call = Call(
                method=method,
                known=handler is not None,
                shape=shape,
                metadata=metadata,
                context=context,
                request_id=_usable_id(metadata.get(REQUEST_ID_KEY, "")) or self._new_id(),
            )
            try:
                async with AsyncExitStack() as stack:
                    for concern in self._concerns:
                        await stack.enter_async_context(concern.around(call))
                    if handler is None:
                        raise UnimplementedError(
                            Reason.METHOD_UNKNOWN,
                            f"This server has no method {method[:200]}.",
                            metadata={"method": method},
                        )
                    return await self._handle(handler, shape, request, context)
            except SpanloopError as error:
                status = status_of(error, call.request_id)
            await context.abort(status.code, status.message, status.trailers)
            return None

        return behaviour

    async def _handle(
        self,
        handler: Handler,
        shape: str,
        request: Any,
        context: Context,
    ) -> Any:
        run = getattr(handler, shape)
        if handler.request_streaming:
            outcome = run(self._messages(handler, request), context)
        else:
            outcome = run(self._parse(handler, request), context)
        if not handler.response_streaming:
            return self._serializer(handler)(await outcome)
        if not hasattr(outcome, "__aiter__"):
            return await outcome  # it writes by itself
        # Written from here, not yielded to gRPC: a deadline or a drain must be able to end the
        # stream also while it waits for a slow reader.
        serialize = self._serializer(handler)
        begun = False
        try:
            async for response in outcome:
                raw = serialize(response)
                if not begun:
                    await _begin(context)
                    begun = True
                await context.write(raw)
        finally:
            close = getattr(outcome, "aclose", None)
            if close is not None:
                await close()
        return None

    async def _messages(
        self, handler: Handler, requests: AsyncIterator[bytes]
    ) -> AsyncIterator[Any]:
        async for raw in requests:
            yield self._parse(handler, raw)

    def _parse(self, handler: Handler, raw: bytes) -> Any:
        if len(raw) > self._max:
            raise ResourceExhaustedError(
                Reason.REQUEST_TOO_LARGE,
                f"The message has {len(raw)} bytes; at most {self._max} are taken.",
                metadata={"limit_bytes": str(self._max)},
            )
        if handler.request_deserializer is None:
            return raw
        try:
            return handler.request_deserializer(raw)
        except Exception as error:  # protobuf raises DecodeError, other codecs what they like
            raise InvalidArgumentError(
                Reason.REQUEST_MALFORMED,
                "The bytes are not a message of the method's type, or a string is not UTF-8.",
            ) from error

    def _serializer(self, handler: Handler) -> Callable[[Any], bytes]:
        def serialize(message: Any) -> bytes:
            # Messages of handlers that write by themselves come here unserialised.
            if isinstance(message, bytes) or handler.response_serializer is None:
                raw = cast("bytes", message)
            else:
                raw = handler.response_serializer(message)
            if len(raw) > self._max:
                raise ResourceExhaustedError(
                    Reason.REQUEST_TOO_LARGE,
                    f"The answer has {len(raw)} bytes, over {self._max}: ask for less at once.",
                    metadata={"limit_bytes": str(self._max)},
                )
            return raw

        return serialize


def _usable_id(sent: str) -> str:
    """Return the caller's request id unless it would not do in a log line or a header."""
    return sent if len(sent) <= 100 and sent.isascii() and sent.isprintable() else ""


def _shape(handler: Handler) -> str:
    request = "stream" if handler.request_streaming else "unary"
    return f"{request}_{'stream' if handler.response_streaming else 'unary'}"


async def _begin(context: Context) -> None:
    """Send the initial metadata, to the end even when the call is cancelled meanwhile.

    gRPC notes only afterwards that it was sent. A cancelled send would be repeated by the status
    that ends the call, which the transport refuses: the caller would never hear of the end.
    """
    sending = asyncio.ensure_future(context.send_initial_metadata(()))
    try:
        await asyncio.shield(sending)
    except asyncio.CancelledError:
        await asyncio.wait([sending], timeout=_BEGIN_SECONDS)
        if sending.done() and not sending.cancelled():
            sending.exception()  # looked at: the call is over in any case
        raise
