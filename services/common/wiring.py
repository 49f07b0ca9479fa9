"""What a service hands to the server that runs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from grpc import aio
from prometheus_client import CollectorRegistry

from services.common.auth import AccessRules, UserTokens
from services.common.settings import ServiceSettings

SettingsT = TypeVar("SettingsT", bound=ServiceSettings)


@dataclass(frozen=True, kw_only=True)
class GrpcService:
    """A gRPC service: its full name, and what adds its servicer to a server."""

    full_name: str
    register: Callable[[aio.Server], None]


@dataclass(frozen=True, kw_only=True)
class BackgroundTask:
    """Work beside the calls. When it fails, it is logged and started again, ever more slowly.

    It ends by returning, or by being cancelled when the server drains.
    """

    name: str
    run: Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """A service, put together.

    Attributes:
        services: The gRPC services to serve.
        access: The rule of each of their methods; a method without one is refused.
        background: Work beside the calls.
        on_stopping: Called when the server begins to stop, as it reports NOT_SERVING: balancers
            that ask in another way than health's must be told then, too.
        on_drain: Awaited when the server stops, after it reports NOT_SERVING and before it
            refuses calls; failures are logged.
        checks: Each raises while the service cannot work (``store.ping``); health is NOT_SERVING
            until all pass again.
        users: Where the tokens of users are known; None: only the shared token is accepted.
        metrics: Where the service registers metrics of its own.
    """

    services: Sequence[GrpcService]
    access: AccessRules
    background: Sequence[BackgroundTask] = ()
    on_stopping: Sequence[Callable[[], None]] = ()
    on_drain: Sequence[Callable[[], Awaitable[None]]] = ()
    checks: Sequence[Callable[[], Awaitable[None]]] = ()
    users: UserTokens | None = None
    metrics: CollectorRegistry = field(default_factory=CollectorRegistry)


BuildFn: TypeAlias = Callable[[SettingsT], AbstractAsyncContextManager[Wiring]]
"""Builds a service from its settings and takes it apart again when the block ends."""
