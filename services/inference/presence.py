"""Tells the registry that this server is there and what it computes on.

The registry chooses the precision of new trunks by that. Nothing that is served depends on it.
"""

from __future__ import annotations

import asyncio

from services.common.errors import SpanloopError
from services.common.logs import get_logger
from services.inference.domain import Device
from services.inference.ports import Registry

# A server that died counts as there for so many missed reports.
_MISSED_REPORTS = 3
_SECONDS = 10.0
_LEAVING_SECONDS = 2.0

_log = get_logger(__name__)


class Presence:
    """Reports now and then, and takes leave when the server stops."""

    def __init__(
        self, registry: Registry, server: str, device: Device, *, pause_seconds: float
    ) -> None:
        """Report to `registry`.

        Args:
            registry: Who is told.
            server: This process's id, another one at each start.
            device: What it computes on.
            pause_seconds: Between two reports; without one for three times as long the server
                counts as gone.
        """
        self._registry = registry
        self._server = server
        self._device = device
        self._pause = pause_seconds
        self._trouble = ""
        # A report under way must not arrive behind the leave.
        self._calling = asyncio.Lock()
        self._left = False

    async def run(self) -> None:
        """Report until cancelled; what fails is told with the next report."""
        while True:
            async with self._calling:
                if not self._left:
                    await self._report()
            await asyncio.sleep(self._pause)

    async def leave(self) -> None:
        """Tell that the server goes; if that fails, its last report expires."""
        self._left = True
        try:
            async with asyncio.timeout(_LEAVING_SECONDS), self._calling:
                await self._registry.remove_server(self._server)
        except (SpanloopError, TimeoutError) as error:
            _log.warning("server_not_removed", reason=_reason(error))

    async def _report(self) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                await self._registry.report_server(
                    self._server, self._device, self._pause * _MISSED_REPORTS
                )
        except (SpanloopError, TimeoutError) as error:
            self._note(_reason(error))
        else:
            self._note("")

    def _note(self, trouble: str) -> None:
        """Log a change, not every report: an older registry refuses them all."""
        if trouble and trouble != self._trouble:
            _log.warning("server_not_reported", reason=trouble)
        elif self._trouble and not trouble:
            _log.info("server_reported_again")
        self._trouble = trouble


def _reason(error: SpanloopError | TimeoutError) -> str:
    return error.reason.value if isinstance(error, SpanloopError) else "SILENT"
