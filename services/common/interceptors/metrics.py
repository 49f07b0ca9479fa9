"""Counts and times every call."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.common.interceptors.chain import Call
from services.common.telemetry import RpcMetrics


class Metrics:
    """Feeds `RpcMetrics`."""

    def __init__(self, metrics: RpcMetrics) -> None:
        """Write to `metrics`."""
        self._metrics = metrics

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """See `Concern.around`."""
        # Callers choose the names of unknown methods: they must not become labels.
        method = call.method.removeprefix("/") if call.known else "unknown"
        active = self._metrics.active.labels(method)
        active.inc()
        try:
            yield
        finally:
            active.dec()
            self._metrics.duration.labels(method, call.code.name).observe(
                time.monotonic() - call.started
            )
