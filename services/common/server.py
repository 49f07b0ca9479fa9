"""The gRPC server that every service runs in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from google.protobuf import descriptor_pool
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from services.common.auth import Access, AccessRules, TokenChecker, load_or_create_token
from services.common.ids import SortableIds
from services.common.interceptors.auth import Authentication
from services.common.interceptors.chain import Chain
from services.common.interceptors.concurrency import Concurrency
from services.common.interceptors.deadlines import Deadlines
from services.common.interceptors.drain import Drain
from services.common.interceptors.errors import ErrorMapping
from services.common.interceptors.metrics import Metrics
from services.common.interceptors.request_log import RequestLog
from services.common.interceptors.tracing import Tracing
from services.common.listening import StartError, bind, server_options
from services.common.logs import get_logger
from services.common.settings import ServiceSettings
from services.common.supervise import CHECK_INTERVAL, cancel_all, run_checks, supervise
from services.common.telemetry import RpcMetrics, metrics_page, tracing
from services.common.wiring import BackgroundTask, BuildFn, GrpcService, SettingsT, Wiring

__all__ = [
    "BackgroundTask",
    "BuildFn",
    "GrpcService",
    "RunningServer",
    "StartError",
    "Wiring",
    "release",
    "serve",
]

_log = get_logger(__name__)

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_HEALTH = "grpc.health.v1.Health"
_REFLECTION = reflection.SERVICE_NAME


def release() -> str:
    """Return the version of this release."""
    try:
        return version("spanloop")
    except PackageNotFoundError:
        return "unknown"


class RunningServer:
    """A server that accepts calls.

    Attributes:
        address: Where, ``host:port`` with the bound port.
        token: The bearer token that it accepts.
        metrics_address: Where its metrics page is; empty: nowhere.
    """

    def __init__(
        self,
        *,
        server: aio.Server,
        settings: ServiceSettings,
        wiring: Wiring,
        drain: Drain,
        health: HealthServicer,
        healthy: bool,
        metrics: RpcMetrics,
        address: str,
        token: str,
        metrics_address: str,
    ) -> None:
        """Take over a started server."""
        self.address = address
        self.token = token
        self.metrics_address = metrics_address
        self._server = server
        self._settings = settings
        self._wiring = wiring
        self._calls = drain
        self._health = health
        self._names = ["", *(service.full_name for service in wiring.services)]
        self._drained: asyncio.Task[None] | None = None
        self._background = [
            asyncio.create_task(
                supervise(task, lambda name: metrics.crashes.labels(name).inc()), name=task.name
            )
            for task in wiring.background
        ]
        if wiring.checks:
            self._background.append(asyncio.create_task(self._watch_health(healthy), name="health"))

    async def drain(self) -> None:
        """Stop: report NOT_SERVING, wait for balancers, finish calls under way, end the rest.

        Safe to call from several tasks; all of them wait for the same stop.
        """
        if self._drained is None:
            self._drained = asyncio.create_task(self._drain(), name="drain")
        await asyncio.shield(self._drained)

    async def stop_now(self) -> None:
        """Stop without waiting for anything."""
        self._calls.end_all()
        await self._server.stop(0)

    async def _drain(self) -> None:
        grace = self._settings.drain_seconds
        _log.info("draining", grace_seconds=grace)
        await self._health.enter_graceful_shutdown()
        for tell in self._wiring.on_stopping:
            tell()
        await asyncio.sleep(self._settings.drain_delay_seconds)
        for hook in self._wiring.on_drain:
            try:
                async with asyncio.timeout(max(grace, 1.0)):
                    await hook()
            except Exception as error:  # noqa: BLE001  # whatever it is, it is logged
                _log.error("drain_hook_failed", exc_info=error)
        await cancel_all(self._background, max(grace, 1.0))
        self._calls.end_watches()
        # Refuses new calls from now on. Its own grace is only the last resort: it would cut the
        # remaining calls off without saying why.
        stopped = asyncio.create_task(self._server.stop(grace + 1))
        if not await self._calls.wait_idle(grace):
            self._calls.end_all()
        await stopped
        _log.info("stopped")

    async def _watch_health(self, serving: bool) -> None:
        while True:
            await asyncio.sleep(CHECK_INTERVAL)
            # A long outage is told once, not every few seconds.
            passed = await run_checks(self._wiring.checks, log=serving)
            if passed != serving:
                serving = passed
                await self._set_health(passed)

    async def _set_health(self, serving: bool) -> None:
        _log.info("health", serving=serving)
        for name in self._names:
            await self._health.set(name, _SERVING if serving else _NOT_SERVING)


@asynccontextmanager
async def serve(settings: SettingsT, build: BuildFn[SettingsT]) -> AsyncIterator[RunningServer]:
    """Build a service, serve it while the block runs, then drain it and take it apart.

    Raises:
        StartError: The address is taken, a certificate is unusable, an access rule is missing.
        TokenFileError: The token file cannot be used.
    """
    token = settings.token.get_secret_value() if settings.token else ""
    if not token:
        token = await asyncio.to_thread(load_or_create_token, settings.token_path)
    async with build(settings) as wiring, tracing(settings, release()) as tracer:
        rules = _all_rules(wiring, reflected=settings.reflection)
        drain = Drain()
        metrics = RpcMetrics.create(wiring.metrics)
        chain = Chain(
            [
                Tracing(tracer),
                Metrics(metrics),
                RequestLog(),
                ErrorMapping(),
                drain,
                Authentication(rules, TokenChecker(token), wiring.users),
                Concurrency(settings.max_concurrent_rpcs),
                Deadlines(settings.default_deadline_seconds),
            ],
            new_id=SortableIds().new,
            max_message_bytes=settings.max_message_bytes,
        )
        server = aio.server(interceptors=[chain], options=server_options(settings))
        health = HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(health, server)
        for service in wiring.services:
            service.register(server)
        healthy = await run_checks(wiring.checks)
        for name in ("", *(service.full_name for service in wiring.services)):
            await health.set(name, _SERVING if healthy else _NOT_SERVING)
        if settings.reflection:
            names = [service.full_name for service in wiring.services]
            reflection.enable_server_reflection([*names, _HEALTH, _REFLECTION], server)
        address = bind(server, settings)
        async with _metrics_page(settings, wiring) as metrics_address:
            await server.start()
            running = RunningServer(
                server=server,
                settings=settings,
                wiring=wiring,
                drain=drain,
                health=health,
                healthy=healthy,
                metrics=metrics,
                address=address,
                token=token,
                metrics_address=metrics_address,
            )
            try:
                yield running
            finally:
                await running.drain()


@asynccontextmanager
async def _metrics_page(settings: ServiceSettings, wiring: Wiring) -> AsyncIterator[str]:
    page = metrics_page(settings.metrics_listen, wiring.metrics)
    try:
        address = await page.__aenter__()
    except OSError as error:
        raise StartError(
            f"metrics_listen: cannot listen on {settings.metrics_listen} ({error.strerror})."
        ) from error
    try:
        yield address
    finally:
        await page.__aexit__(None, None, None)


def _all_rules(wiring: Wiring, *, reflected: bool) -> AccessRules:
    """Return the service's rules and those of what the server adds.

    Raises:
        StartError: A method of a service whose contract is known has no rule.
    """
    pool = descriptor_pool.Default()
    for service in wiring.services:
        try:
            methods = pool.FindServiceByName(service.full_name).methods
        except KeyError:
            continue
        for method in methods:
            path = f"/{service.full_name}/{method.name}"
            if path not in wiring.access:
                raise StartError(f"{path} has no access rule.")
    rules = {
        **wiring.access,
        f"/{_HEALTH}/Check": Access.PUBLIC,
        f"/{_HEALTH}/Watch": Access.PUBLIC,
    }
    if reflected:
        rules[f"/{_REFLECTION}/ServerReflectionInfo"] = Access.AUTHENTICATED
    return rules
