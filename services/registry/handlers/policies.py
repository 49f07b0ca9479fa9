"""Policies of projects: entries of the deployment log, like all that decides what is served."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.common.call import check_deadline, current_actor
from services.common.clock import Clock
from services.common.errors import etag_mismatch
from services.registry.deployment_log import DeploymentLog
from services.registry.policy import Policy


class Policies:
    """The policies of all projects."""

    def __init__(self, log: DeploymentLog, clock: Clock) -> None:
        """Use the given log."""
        self._log = log
        self._clock = clock

    async def get(self, project: str) -> Policy:
        """Read a policy; an empty one before the first update."""
        return await self._log.policy(project)

    async def update(self, wanted: Policy, fields: Sequence[str]) -> Policy:
        """Change a policy.

        Args:
            wanted: The new values; its etag, if any, must be the current one.
            fields: Which to take: ``gate``, ``retention``.

        Raises:
            AbortedError: The etag is not the current one.
        """
        while True:
            check_deadline()
            end = await self._log.end()
            current = await self._log.policy(wanted.project)
            if wanted.etag and wanted.etag != current.etag:
                raise etag_mismatch(current.name)
            new = replace(
                current,
                gate=wanted.gate if "gate" in fields else current.gate,
                retention=wanted.retention if "retention" in fields else current.retention,
            )
            if current.etag and new == current:
                return current
            new = replace(
                new, etag=str(end + 1), update_time=self._clock.now(), actor=current_actor()
            )
            if await self._log.append_policy(end, new):
                return new
