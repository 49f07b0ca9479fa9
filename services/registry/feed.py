"""The newest deployment and trial of every project, kept up to date, and streams of changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TypeAlias

from services.common.logs import get_logger
from services.common.store.port import StoreUnavailableError
from services.common.watch import Signal
from services.registry.deployment import with_candidate
from services.registry.deployment_log import DeploymentLog
from services.registry.pointers import Deployment
from services.registry.trial import Trial

_log = get_logger(__name__)

_ALL = "*"


@dataclass(frozen=True, kw_only=True)
class TrialUpdate:
    """A trial, and what would be served if its candidate were deployed now; None: it is over."""

    trial: Trial
    candidate: Deployment | None


Told: TypeAlias = Deployment | TrialUpdate | None
"""What a watcher is told; None when there is nothing new."""


@dataclass(kw_only=True)
class _Sent:
    """What a watcher knows, by project: revisions, and trials that ran when they were told."""

    trials: bool
    revisions: dict[str, int] = field(default_factory=dict)
    running: dict[str, TrialUpdate] = field(default_factory=dict)


class DeploymentFeed:
    """Follows the deployment log: moves of this process at once, those of others by polling.

    One reader per process serves any number of watchers; a watcher holds nothing but what of each
    project it sent last, so a slow one costs no memory and skips what was overtaken.
    """

    def __init__(self, log: DeploymentLog, *, poll_seconds: float) -> None:
        """Follow `log`."""
        self._log = log
        self._poll_seconds = poll_seconds
        self._position = 0
        self._newest: dict[str, Deployment] = {}
        self._trials: dict[str, Trial] = {}
        self._signal = Signal()
        self._reading = asyncio.Lock()

    def publish(self, deployment: Deployment) -> None:
        """Take note of a revision that was written; an older one than known changes nothing."""
        known = self._newest.get(deployment.project)
        if known is None or known.revision < deployment.revision:
            self._newest[deployment.project] = deployment
            self._signal.notify(deployment.project)
            self._signal.notify(_ALL)

    def publish_trial(self, trial: Trial) -> None:
        """Take note of a trial that was written; an older one than known changes nothing."""
        known = self._trials.get(trial.project)
        if known is None or (known.number, not known.running) < (trial.number, not trial.running):
            self._trials[trial.project] = trial
            self._signal.notify(trial.project)
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
                for trial in part.trials:
                    self.publish_trial(trial)
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
        self, project: str | None, heartbeat_seconds: float, *, trials: bool = False
    ) -> AsyncIterator[Told]:
        """Yield the newest deployments, then None, then every move; None again when all is quiet.

        Args:
            project: One project, or None for all.
            heartbeat_seconds: How long nothing may be said.
            trials: Tell of trials too: those that run, each behind its deployment, and when they
                end.

        Raises:
            StoreUnavailableError: The first look at the database failed.
        """
        key = _ALL if project is None else project
        sent = _Sent(trials=trials)
        seen = self._signal.version(key)
        await self.refresh()
        for name in self._fresh(project, sent):
            for told in self._unsent(name, sent):
                yield told
        yield None
        spoke = time.monotonic()
        while True:
            left = spoke + heartbeat_seconds - time.monotonic()
            seen = await self._signal.wait(key, seen, left)
            fresh = self._fresh(project, sent)
            for name in fresh:
                # What there is now: it may have been overtaken while others were being sent.
                for told in self._unsent(name, sent):
                    yield told
            if not fresh:
                if time.monotonic() < spoke + heartbeat_seconds:
                    continue
                yield None
            spoke = time.monotonic()

    def _fresh(self, project: str | None, sent: _Sent) -> list[str]:
        """Return the projects of which a watcher does not know the newest."""
        names = list(self._newest) if project is None else [project]
        return [name for name in names if self._moved(name, sent) or self._tried(name, sent)]

    def _unsent(self, name: str, sent: _Sent) -> list[Deployment | TrialUpdate]:
        found: list[Deployment | TrialUpdate] = []
        if (deployment := self._moved(name, sent)) is not None:
            sent.revisions[name] = deployment.revision
            found.append(deployment)
        if (update := self._tried(name, sent)) is not None:
            if update.candidate is None:
                del sent.running[name]
            else:
                sent.running[name] = update
            found.append(update)
        return found

    def _moved(self, name: str, sent: _Sent) -> Deployment | None:
        newest = self._newest.get(name)
        return newest if newest and newest.revision > sent.revisions.get(name, 0) else None

    def _tried(self, name: str, sent: _Sent) -> TrialUpdate | None:
        trial, deployment = self._trials.get(name), self._newest.get(name)
        if not sent.trials or trial is None or deployment is None:
            return None
        before = sent.running.get(name)
        if not trial.running:
            # What a watcher never heard of need not be told to have ended.
            return TrialUpdate(trial=trial, candidate=None) if before else None
        update = TrialUpdate(trial=trial, candidate=with_candidate(deployment, trial.candidate))
        return None if update == before else update
