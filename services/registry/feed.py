"""The newest deployment of every project, kept up to date, and streams of its changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from services.common.logs import get_logger
from services.common.store.port import StoreUnavailableError
from services.common.watch import Signal
from services.registry.deployment_log import DeploymentLog
from services.registry.pointers import Deployment

_log = get_logger(__name__)

_ALL = "*"


class DeploymentFeed:
    """Follows the deployment log: moves of this process at once, those of others by polling.

    One reader per process serves any number of watchers; a watcher holds nothing but the revision
    of each project that it sent last, so a slow one costs no memory and skips what was overtaken.
    """

    def __init__(self, log: DeploymentLog, *, poll_seconds: float) -> None:
        """Follow `log`."""
        self._log = log
        self._poll_seconds = poll_seconds
        self._position = 0
        self._newest: dict[str, Deployment] = {}
        self._signal = Signal()
        self._reading = asyncio.Lock()

    def publish(self, deployment: Deployment) -> None:
        """Take note of a revision that was written; an older one than known changes nothing."""
        known = self._newest.get(deployment.project)
        if known is None or known.revision < deployment.revision:
            self._newest[deployment.project] = deployment
            self._signal.notify(deployment.project)
            self._signal.notify(_ALL)

    async def refresh(self) -> None:
        """Read what was added to the log since the last time.

        Raises:
            StoreUnavailableError: The database cannot be read just now; nothing is lost.
        """
        async with self._reading:
            while True:
                part = await self._log.behind(self._position)
                for deployment in part.moves:
                    self.publish(deployment)
                if part.position == self._position:
                    return
                self._position = part.position

    async def run(self) -> None:
        """Poll until cancelled; a database that is away for a while is polled again later."""
        while True:
            try:
                await self.refresh()
            except StoreUnavailableError as error:
                _log.warning("deployment_log_unreadable", exc_info=error)
            await asyncio.sleep(self._poll_seconds)

    async def watch(
        self, project: str | None, heartbeat_seconds: float
    ) -> AsyncIterator[Deployment | None]:
        """Yield the newest deployments, then None, then every move; None again when all is quiet.

        Args:
            project: One project, or None for all.
            heartbeat_seconds: How long nothing may be said.

        Raises:
            StoreUnavailableError: The first look at the database failed.
        """
        key = _ALL if project is None else project
        sent: dict[str, int] = {}
        seen = self._signal.version(key)
        await self.refresh()
        for deployment in self._unsent(project, sent):
            yield deployment
        yield None
        spoke = time.monotonic()
        while True:
            left = spoke + heartbeat_seconds - time.monotonic()
            seen = await self._signal.wait(key, seen, left)
            fresh = self._unsent(project, sent)
            for deployment in fresh:
                # a revision may have been overtaken while the ones before were being sent
                newest = self._newest[deployment.project]
                sent[newest.project] = newest.revision
                yield newest
            if not fresh:
                if time.monotonic() < spoke + heartbeat_seconds:
                    continue
                yield None
            spoke = time.monotonic()

    def _unsent(self, project: str | None, sent: dict[str, int]) -> list[Deployment]:
        candidates = (
            list(self._newest.values())
            if project is None
            else [d for d in [self._newest.get(project)] if d is not None]
        )
        fresh = [d for d in candidates if d.revision > sent.get(d.project, 0)]
        sent.update((d.project, d.revision) for d in fresh)
        return fresh
