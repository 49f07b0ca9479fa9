"""A service with all four shapes of calls, which does what its requests say.

`python -m tests.support.echo` runs it as a process. The `request_id` of a request is a command:
``raise:CODE``, ``bug``, ``store-down``, ``sleep:SECONDS``, ``block``, ``hold``, ``who``,
``huge`` or nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import grpc
from grpc import aio

from services.common.auth import Access
from services.common.call import current_call
from services.common.errors import FieldViolation, Reason
from services.common.grpc_status import error_class
from services.common.main import main
from services.common.settings import ServiceSettings
from services.common.store.port import StoreUnavailableError
from services.common.wiring import BackgroundTask, BuildFn, GrpcService, Wiring
from spanloop.annotation.v1.annotation_service_pb2 import CreateTaskRequest
from spanloop.annotation.v1.task_pb2 import Task

NAME = "spanloop.test.v1.EchoService"
SECRET = "Aunt Polly's address is 7 Elm Street"


class EchoSettings(ServiceSettings):
    """Settings of the service."""

    service_name: ClassVar[str] = "echo"


@dataclass
class Echo:
    """The servicer; tests look at what it noted."""

    started: asyncio.Event = field(default_factory=asyncio.Event)
    watched: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    finish: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: list[str] = field(default_factory=list)
    active: int = 0

    async def act(self, command: str) -> str:
        self.started.set()
        self.active += 1
        try:
            return await self._act(command)
        except asyncio.CancelledError:
            self.cancelled.append(command)
            raise
        finally:
            self.active -= 1

    async def _act(self, command: str) -> str:
        verb, _, argument = command.partition(":")
        match verb:
            case "raise":
                raise error_class(grpc.StatusCode[argument])(
                    Reason.FIELD_INVALID,
                    f"refused with {argument}",
                    metadata={"which": argument},
                    violations=[FieldViolation(field="task.text", description="is bad")],
                    retry_after=1.5,
                )
            case "bug":
                raise ValueError(SECRET)
            case "timeout-bug":
                raise TimeoutError(SECRET)
            case "store-down":
                raise StoreUnavailableError(SECRET)
            case "sleep":
                await asyncio.sleep(float(argument))
            case "block":
                await self.release.wait()
            case "hold":
                await self.finish.wait()
            case "who":
                call = current_call()
                return f"{call.method} {call.request_id} {call.caller} {call.remaining()}"
            case "huge":
                return "x" * int(argument)
        return ""

    async def unary(self, request: CreateTaskRequest, context: Any) -> Task:
        if request.request_id == "wrong-type":
            return "no message at all"  # type: ignore[return-value]  # the bug under test
        said = await self.act(request.request_id)
        return Task(text=said or request.task.text)

    async def expand(self, request: CreateTaskRequest, context: Any) -> AsyncIterator[Task]:
        for char in request.task.text:
            yield Task(text=char)
        await self.act(request.request_id)

    async def collect(self, requests: AsyncIterator[CreateTaskRequest], context: Any) -> Task:
        texts = []
        async for request in requests:
            await self.act(request.request_id)
            texts.append(request.task.text)
        return Task(text="".join(texts))

    async def chat(
        self, requests: AsyncIterator[CreateTaskRequest], context: Any
    ) -> AsyncIterator[Task]:
        async for request in requests:
            await self.act(request.request_id)
            yield Task(text=request.task.text)

    async def watch(self, request: CreateTaskRequest, context: Any) -> AsyncIterator[Task]:
        self.watched.set()
        yield Task(text="now")
        await self.act("block")

    def register(self, server: aio.Server) -> None:
        kinds = {
            "Unary": grpc.unary_unary_rpc_method_handler(self.unary, *_CODEC),
            "Expand": grpc.unary_stream_rpc_method_handler(self.expand, *_CODEC),
            "Collect": grpc.stream_unary_rpc_method_handler(self.collect, *_CODEC),
            "Chat": grpc.stream_stream_rpc_method_handler(self.chat, *_CODEC),
            "WatchForever": grpc.unary_stream_rpc_method_handler(self.watch, *_CODEC),
            "Open": grpc.unary_unary_rpc_method_handler(self.unary, *_CODEC),
            "Unruled": grpc.unary_unary_rpc_method_handler(self.unary, *_CODEC),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, kinds),))


_CODEC = (CreateTaskRequest.FromString, Task.SerializeToString)

ACCESS = {
    f"/{NAME}/{method}": Access.AUTHENTICATED
    for method in ("Unary", "Expand", "Collect", "Chat", "WatchForever")
} | {f"/{NAME}/Open": Access.PUBLIC}


def echo_build(
    echo: Echo | None = None,
    *,
    background: Sequence[BackgroundTask] = (),
    checks: Sequence[Callable[[], Awaitable[None]]] = (),
    on_drain: Sequence[Callable[[], Awaitable[None]]] = (),
) -> BuildFn[EchoSettings]:
    """Return the build function of a service around `echo`."""

    @asynccontextmanager
    async def build(settings: EchoSettings) -> AsyncIterator[Wiring]:
        servicer = echo or Echo()
        yield Wiring(
            services=[GrpcService(full_name=NAME, register=servicer.register)],
            access=ACCESS,
            background=background,
            checks=checks,
            on_drain=on_drain,
        )

    return build


class EchoClient:
    """The stub."""

    def __init__(self, channel: aio.Channel) -> None:
        codec = (CreateTaskRequest.SerializeToString, Task.FromString)
        self.Unary = channel.unary_unary(f"/{NAME}/Unary", *codec)
        self.Expand = channel.unary_stream(f"/{NAME}/Expand", *codec)
        self.Collect = channel.stream_unary(f"/{NAME}/Collect", *codec)
        self.Chat = channel.stream_stream(f"/{NAME}/Chat", *codec)
        self.WatchForever = channel.unary_stream(f"/{NAME}/WatchForever", *codec)
        self.Open = channel.unary_unary(f"/{NAME}/Open", *codec)
        self.Unruled = channel.unary_unary(f"/{NAME}/Unruled", *codec)

    async def call(self, shape: str, command: str, text: str = "ab", **options: Any) -> str:
        """Make a call of any shape with one request and return the texts of its answers."""
        message = request(command, text)
        match shape:
            case "unary_unary":
                return str((await self.Unary(message, **options)).text)
            case "unary_stream":
                return "".join([task.text async for task in self.Expand(message, **options)])
            case "stream_unary":
                return str((await self.Collect(iter([message]), **options)).text)
            case _:
                return "".join([task.text async for task in self.Chat(iter([message]), **options)])


SHAPES = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


def request(command: str = "", text: str = "ab") -> CreateTaskRequest:
    """Return a request that carries a command."""
    return CreateTaskRequest(request_id=command, task=Task(text=text))


if __name__ == "__main__":
    main(EchoSettings, echo_build())
