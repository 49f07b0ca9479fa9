"""Moves of a project's deployment, and what is known of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence

from services.common.call import check_deadline, current_actor
from services.common.clock import Clock
from services.common.errors import PreconditionViolation, invalid_field
from services.common.idempotency import RequestKey
from services.common.paging import parse_page
from services.registry import deploy_gate
from services.registry import deployment as decisions
from services.registry.deployment_log import DeploymentLog
from services.registry.domain import ModelVersion
from services.registry.feed import DeploymentFeed
from services.registry.handlers.aliases import Aliases
from services.registry.pointers import Deployment
from services.registry.trial import after_move


class Deployments:
    """The deployment pointers of all projects."""

    def __init__(
        self, log: DeploymentLog, aliases: Aliases, feed: DeploymentFeed, clock: Clock
    ) -> None:
        """Use the given parts."""
        self._log = log
        self._aliases = aliases
        self._feed = feed
        self._clock = clock
        # Spares callers of one process lost races; the log is what keeps moves apart.
        self._moving = asyncio.Lock()

    async def deploy(
        self, project: str, version: str, etag: str, request_id: str, *, force: bool = False
    ) -> Deployment:
        """Point a project's deployment at a version, given by its id or an alias.

        Raises:
            NotFoundError: The project has no such version or alias.
            AbortedError: `etag` is given and not the current one.
            FailedPreconditionError: The version is not READY, or the project's gate refuses it
                (GATE_FAILED) and `force` is not set.
            InvalidArgumentError: The request id was used for another version.
        """
        content = json.dumps([version, "force"]) if force else version
        request = RequestKey.of("Deploy", project, request_id, content.encode())

        async def decide(current: Deployment | None) -> Deployment:
            return await self._deployed(current, project, version, force=force)

        return await self._move(project, etag, request, decide)

    async def promote(
        self,
        project: str,
        check: Callable[[], Awaitable[ModelVersion]],
        request: RequestKey | None,
        *,
        force: bool,
    ) -> Deployment:
        """Deploy the candidate of a trial, which ends it in the same write.

        Args:
            project: The project.
            check: Returns the candidate while the trial runs; raises when it does not.
            request: Who asks.
            force: Even though the project's gate refuses it.

        Raises:
            FailedPreconditionError: As `deploy`, or the trial does not run.
        """

        async def decide(current: Deployment | None) -> Deployment:
            candidate = await check()
            return await self._deployed(current, project, candidate.id, force=force)

        return await self._move(project, "", request, decide)

    async def _deployed(
        self, current: Deployment | None, project: str, version: str, *, force: bool
    ) -> Deployment:
        wanted = await self.servable(project, version)
        violations = await self.violations(current, wanted)
        if not force:
            deploy_gate.refuse(wanted, violations)
        return decisions.deploy(
            current,
            wanted,
            self._clock.now(),
            current_actor(),
            tuple(map(deploy_gate.told, violations)),
        )

    async def pin(
        self, project: str, label: str, version: str, etag: str, request_id: str
    ) -> Deployment:
        """Serve a label from a version, given by its id or an alias, whatever is deployed.

        Raises:
            NotFoundError: The project has no such version or alias.
            AbortedError: `etag` is given and not the current one.
            FailedPreconditionError: Nothing is deployed, or the version is not READY.
            InvalidArgumentError: The version has no adapter for the label, or the request id was
                used otherwise.
        """
        content = json.dumps([label, version]).encode()
        request = RequestKey.of("PinLabel", project, request_id, content)

        async def decide(current: Deployment | None) -> Deployment:
            newest = decisions.require(project, current)
            wanted = await self.servable(project, version)
            return decisions.pin(newest, label, wanted, self._clock.now(), current_actor())

        return await self._move(project, etag, request, decide)

    async def unpin(self, project: str, label: str, etag: str, request_id: str) -> Deployment:
        """Serve a label from the deployed version again.

        Raises:
            AbortedError: `etag` is given and not the current one.
            FailedPreconditionError: Nothing is deployed, or the label is not pinned.
            InvalidArgumentError: The request id was used otherwise.
        """
        request = RequestKey.of("UnpinLabel", project, request_id, json.dumps(label).encode())

        async def decide(current: Deployment | None) -> Deployment:
            newest = decisions.require(project, current)
            return decisions.unpin(newest, label, self._clock.now(), current_actor())

        return await self._move(project, etag, request, decide)

    async def rollback(self, project: str, revision: int, etag: str, request_id: str) -> Deployment:
        """Serve the models and pins of an earlier revision again.

        Args:
            project: The project.
            revision: Which; 0: the newest earlier one that serves something else than today's.
            etag: As for `deploy`.
            request_id: As for `deploy`.

        Raises:
            AbortedError: `etag` is given and not the current one.
            FailedPreconditionError: Nothing is deployed, there is no such earlier revision, or one
                of its versions is retired.
            InvalidArgumentError: The revision is negative, or the request id was used otherwise.
        """
        if revision < 0:
            raise invalid_field("revision", "must not be negative.")
        request = RequestKey.of("Rollback", project, request_id, str(revision).encode())

        async def decide(current: Deployment | None) -> Deployment:
            newest = decisions.require(project, current)
            target = await self._target(newest, revision)
            retired = await self._log.retired(project, target.versions if target else ())
            return decisions.rollback(newest, target, retired, self._clock.now(), current_actor())

        return await self._move(project, etag, request, decide)

    async def current(self, project: str) -> Deployment:
        """Read what a project serves.

        Raises:
            FailedPreconditionError: Nothing is deployed yet.
        """
        return decisions.require(project, await self._log.current(project))

    async def revisions(
        self, project: str, page_size: int, page_token: str
    ) -> tuple[list[Deployment], str]:
        """Return a page of a project's revisions, newest first, and the token of the next page."""
        scope = f"ListDeploymentRevisions\n{project}"
        page = parse_page(page_size, page_token, scope)
        return await self._log.page(project, page, scope)

    async def servable(self, project: str, version: str) -> ModelVersion:
        """Read a version, given by its id or an alias, that may be served.

        Raises:
            NotFoundError: The project has no such version or alias.
            FailedPreconditionError: It is not READY.
        """
        found = await self._aliases.version(project, version)
        retired = await self._log.retired(project, [found.id])
        decisions.check_deployable(found, retired=bool(retired))
        return found

    async def violations(
        self, current: Deployment | None, version: ModelVersion
    ) -> Sequence[PreconditionViolation]:
        """Return the rules of the project's gate that a version violates."""
        gate = (await self._log.policy(version.project)).gate
        if gate is None:
            return ()
        served = None
        for model in current.models if current else ():
            if model.line == version.line:
                served = await self._aliases.version(version.project, model.version)
        return deploy_gate.judge(gate, version, served)

    async def _move(
        self,
        project: str,
        etag: str,
        request: RequestKey | None,
        decide: Callable[[Deployment | None], Awaitable[Deployment]],
    ) -> Deployment:
        """Decide on the newest state and append; decide anew when someone was faster."""
        async with self._moving:
            while True:
                check_deadline()
                if request and (first := await self._log.by_request(request)):
                    return first
                end = await self._log.end()
                current = await self._log.current(project)
                decisions.check_etag(project, current, etag)
                new = await decide(current)
                ended = after_move(await self._log.trial(project), current, new)
                if await self._log.append_move(end, new, request, ended):
                    break
        self._feed.publish(new)
        if ended is not None:
            self._feed.publish_trial(ended)
        return new

    async def _target(self, current: Deployment, revision: int) -> Deployment | None:
        if revision:
            return await self._log.revision(current.project, revision)
        before = current.revision
        while batch := await self._log.revisions_before(current.project, before):
            for candidate in batch:
                if decisions.is_target(current, candidate):
                    return candidate
            before = batch[-1].revision
        return None
