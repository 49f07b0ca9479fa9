"""Metrics for Prometheus and spans for OpenTelemetry, one set per server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace import NoOpTracerProvider, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from services.common.settings import ServiceSettings, split_address

PROPAGATOR: TextMapPropagator = TraceContextTextMapPropagator()
"""W3C ``traceparent`` and ``tracestate``."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


@dataclass(frozen=True, kw_only=True)
class RpcMetrics:
    """What is measured of every call (``rpc.server.call.duration`` and its like)."""

    duration: Histogram
    active: Gauge
    crashes: Counter

    @staticmethod
    def create(registry: CollectorRegistry) -> RpcMetrics:
        """Register the metrics."""
        return RpcMetrics(
            duration=Histogram(
                "rpc_server_call_duration_seconds",
                "Time from a call's arrival to its status.",
                ["rpc_method", "rpc_response_status_code"],
                buckets=_SECONDS,
                registry=registry,
            ),
            active=Gauge(
                "rpc_server_active_calls",
                "Calls under way.",
                ["rpc_method"],
                registry=registry,
            ),
            crashes=Counter(
                "spanloop_background_crashes",
                "Background tasks that failed and were started again.",
                ["task"],
                registry=registry,
            ),
        )


@asynccontextmanager
async def tracing(settings: ServiceSettings, version: str) -> AsyncIterator[Tracer]:
    """Yield a tracer: one that exports when `otlp_endpoint` is set, else one that does nothing.

    The trace context is passed on in both cases.
    """
    if not settings.otlp_endpoint:
        yield NoOpTracerProvider().get_tracer("spanloop")
        return
    # Only imported where spans are exported: the exporter takes time to load.
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(
        resource=Resource.create(
            {
                "service.name": f"spanloop-{settings.service_name}",
                "service.namespace": "spanloop",
                "service.version": version,
            }
        ),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(
        endpoint=settings.otlp_endpoint,
        insecure=not settings.otlp_endpoint.startswith("https://"),
        timeout=5,
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield provider.get_tracer("spanloop", version)
    finally:
        # It waits for the collector; the event loop must not.
        await asyncio.to_thread(provider.shutdown)


@asynccontextmanager
async def metrics_page(listen: str, registry: CollectorRegistry) -> AsyncIterator[str]:
    """Serve the metrics over HTTP while the block runs.

    Yields:
        The bound address, ``host:port``; empty when `listen` is.

    Raises:
        OSError: The address cannot be bound.
    """
    if not listen:
        yield ""
        return
    host, port = split_address(listen)
    server, thread = start_http_server(port, host, registry)
    try:
        yield f"{host}:{server.server_port}"
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        await asyncio.to_thread(thread.join)
