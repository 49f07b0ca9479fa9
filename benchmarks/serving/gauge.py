"""Watches a gauge of a service's metrics page."""

from __future__ import annotations

import asyncio
import re
import urllib.request
from types import TracebackType
from typing import Self

_SECONDS = 0.1


class GaugeWatch:
    """Reads a gauge every tenth of a second and keeps the largest value."""

    def __init__(self, address: str, name: str) -> None:
        """Read from the page at ``host:port``; use it in an ``async with``."""
        self._url = f"http://{address}/metrics"
        self._pattern = re.compile(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", re.MULTILINE)
        self._task: asyncio.Task[None] | None = None
        self.largest = 0.0
        self.readings = 0

    def restart(self) -> None:
        """Forget what was read so far."""
        self.largest = 0.0
        self.readings = 0

    async def read(self) -> None:
        """Read the page once.

        Raises:
            SystemExit: It does not have the gauge.
        """
        page = await asyncio.to_thread(self._page)
        found = self._pattern.search(page)
        if found is None:
            raise SystemExit(f"{self._url} has no such gauge: {self._pattern.pattern}")
        self.largest = max(self.largest, float(found[1]))
        self.readings += 1

    def _page(self) -> str:
        with urllib.request.urlopen(self._url, timeout=10) as answer:  # noqa: S310 - http, loopback
            return str(answer.read().decode())

    async def _run(self) -> None:
        while True:
            await self.read()
            await asyncio.sleep(_SECONDS)

    async def __aenter__(self) -> Self:
        """Begin to read; the page must answer."""
        await self.read()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop reading; what ended the reading early is raised, unless something else was."""
        if self._task is None:
            return
        early = self._task.done()
        self._task.cancel()
        (outcome,) = await asyncio.gather(self._task, return_exceptions=True)
        if early and error is None and isinstance(outcome, BaseException):
            raise outcome
