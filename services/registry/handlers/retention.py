"""Retention: versions that no policy keeps lose their artifacts, and what nobody uses is deleted.

Every step is durable on its own and safe to repeat; a run that dies is finished by the next one.
Versions are given up first, by entries of the deployment log, so that none can be deployed, pinned
or named any more; then `Sweeper` looks for what nothing refers to.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from services.common.blobs import BlobStore
from services.common.call import check_deadline, current_actor
from services.registry.artifact_repository import ArtifactDocuments
from services.registry.deployment_log import DeploymentLog
from services.registry.domain import ModelVersion
from services.registry.grace import Grace
from services.registry.handlers.aliases import Aliases
from services.registry.policy import KEEP_REVISIONS, Policy
from services.registry.repository import VersionDocuments
from services.registry.retention import Item, Pointers, judge_versions, total_size
from services.registry.sweeper import RACED, Sweeper

_GIVEN_UP = ("no rule of the retention policy keeps it",)
_BATCH = 500


@dataclass(kw_only=True)
class Summary:
    """What a run did, or would do."""

    applied: bool
    versions: int = 0
    adapters: int = 0
    trunks: int = 0
    files: int = 0
    removed_bytes: int = 0
    kept_bytes: int = 0

    def count(self, item: Item, kind: str) -> None:
        """Take note of what became of one of the ``adapters``, ``trunks`` or ``files``."""
        match kind:
            case "adapters":
                self.adapters += not item.keep
            case "trunks":
                self.trunks += not item.keep
            case _:
                self.files += not item.keep
                self.kept_bytes += item.size if item.keep else 0
                self.removed_bytes += 0 if item.keep else item.size


class Retention:
    """Runs of the retention."""

    def __init__(
        self,
        *,
        versions: VersionDocuments,
        artifacts: ArtifactDocuments,
        blobs: BlobStore,
        sweeper: Sweeper,
        log: DeploymentLog,
        aliases: Aliases,
        grace: Grace,
    ) -> None:
        """Use the given parts."""
        self._versions = versions
        self._artifacts = artifacts
        self._blobs = blobs
        self._sweeper = sweeper
        self._log = log
        self._aliases = aliases
        self._grace = grace
        # Two runs at once do no harm, but the same work.
        self._running = asyncio.Lock()

    async def run(self, project: str | None, *, apply: bool) -> AsyncIterator[Item | Summary]:
        """Decide about everything, and carry it out if told to.

        Args:
            project: Whose versions may lose their artifacts; None: those of all.
            apply: Do it.

        Yields:
            An item for each thing, then the summary. Applied, an item comes after its deed.
        """
        async with self._running:
            summary = Summary(applied=apply)
            sizes = {one.digest: one.size for one in await self._blobs.list() if one.digest}
            files = {
                one.value.digest: tuple(one.value.files.values())
                for one in await self._artifacts.all_adapters()
            }
            given_up: set[str] = set()
            for policy in await self._policies(project):
                for version, reasons in await self._judged(policy):
                    if not reasons and apply and not await self._give_up(version, policy):
                        reasons = RACED
                    if not reasons:
                        summary.versions += 1
                        given_up.add(version.name)
                    used = [
                        file
                        for digest in version.adapters.values()
                        for file in files.get(digest, ())
                    ]
                    yield Item(
                        resource=version.name,
                        keep=bool(reasons),
                        reasons=reasons or _GIVEN_UP,
                        size=total_size(used, sizes),
                        create_time=version.create_time,
                    )
            plan = await self._sweeper.plan(await self._versions.scan(), given_up, sizes)
            for item in plan.kept:
                if item.resource.startswith(("artifacts/", "uploads/")):
                    summary.count(item, "files")
                yield item
            if apply:
                async for item, kind in self._sweeper.carry_out(plan):
                    summary.count(item, kind)
                    yield item
            else:
                for item, kind in plan.items():
                    summary.count(item, kind)
                    yield item
            yield summary

    async def _policies(self, project: str | None) -> list[Policy]:
        if project is not None:
            return [await self._log.policy(project)]
        return [policy for policy in await self._log.policies() if policy.retention is not None]

    async def _judged(self, policy: Policy) -> list[tuple[ModelVersion, tuple[str, ...]]]:
        """Return each version that has its artifacts, and why it keeps them; nothing: it may go."""
        project = policy.project
        versions = [one for one in await self._versions.scan(project) if one.purge_time is None]
        # Of a run that died between the entry of the log and the document.
        decided: set[str] = set()
        for start in range(0, len(versions), _BATCH):
            some = [one.id for one in versions[start : start + _BATCH]]
            decided |= set(await self._log.purged(project, some))
        reasons = judge_versions(
            policy,
            [one for one in versions if one.id not in decided],
            await self._pointers(policy),
            self._grace.now(),
            self._grace.over(),
        )
        ordered = sorted(versions, key=lambda one: (one.line, one.number, one.replacement))
        return [(one, tuple(reasons.get(one.id, ()))) for one in ordered]

    async def _pointers(self, policy: Policy) -> Pointers:
        project = policy.project
        current = await self._log.current(project)
        if current is None:
            named = (await self._log.aliases(project)).aliases.values()
            return Pointers(aliases=tuple(named))
        count = policy.retention.keep_revisions if policy.retention else KEEP_REVISIONS
        before = await self._log.revisions_before(project, current.revision, count - 1)
        table = await self._log.aliases(project)
        return Pointers(
            current=current,
            revisions=(current, *before),
            aliases=(*table.aliases.values(), *await self._aliases.built_in(project)),
            trial=await self._log.trial(project),
        )

    async def _give_up(self, version: ModelVersion, policy: Policy) -> bool:
        """Purge a version; False when something points at it by now."""
        while True:
            check_deadline()
            end = await self._log.end()
            decided = await self._log.purged(version.project, [version.id])
            if decided:
                await self._finish(version, decided[version.id])
                return True
            if version.id in (await self._pointers(policy)).reasons():
                return False
            now = self._grace.now()
            if await self._log.append_retirement(
                end, version.project, version.id, now, current_actor(), purge=True
            ):
                await self._finish(version, now)
                return True

    async def _finish(self, version: ModelVersion, time: int) -> None:
        """Write into a version what the log says."""
        current: ModelVersion | None = version
        while current is not None and current.purge_time is None:
            if await self._versions.purged(current, time) is not None:
                return
            current = await self._versions.get(version.project, version.id)
