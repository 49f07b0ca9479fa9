"""Model versions: creation under the next number, verification, retirement."""

from __future__ import annotations

import asyncio
import json

from services.common.call import check_deadline, current_actor
from services.common.errors import (
    FailedPreconditionError,
    NotFoundError,
    Reason,
    etag_mismatch,
    invalid_field,
)
from services.common.idempotency import RequestKey
from services.common.paging import parse_page
from services.registry import deployment as decisions
from services.registry.artifact_repository import ArtifactDocuments
from services.registry.deployment_log import DeploymentLog
from services.registry.domain import (
    ModelVersion,
    ParityReport,
    VersionDraft,
    VersionFilter,
    VersionState,
    version_name,
)
from services.registry.gate import judge
from services.registry.grace import Grace
from services.registry.repository import VersionDocuments
from services.registry.version_state import transition


class Versions:
    """Model versions of projects."""

    def __init__(
        self,
        repository: VersionDocuments,
        artifacts: ArtifactDocuments,
        log: DeploymentLog,
        grace: Grace,
    ) -> None:
        """Use the given stores."""
        self._repository = repository
        self._artifacts = artifacts
        self._log = log
        self._grace = grace
        # Spares callers of one process lost races; the unique number is what keeps them apart.
        self._numbering = asyncio.Lock()

    async def create(
        self, draft: VersionDraft, request_id: str, *, replace_newest: bool = False
    ) -> ModelVersion:
        """Register a version under the next number of its project, type and control.

        A repeat with the same request id returns the first version; it is a repeat when type,
        control and adapters are the same, whatever evaluation and lineage say, and whichever place
        it takes.

        Args:
            draft: The version.
            request_id: As sent.
            replace_newest: Take the place of the newest version, if there is one: the same number
                with the next replacement. The other ones of this number are marked as replaced
                once this one is READY, so that one that fails takes nobody's place.

        Raises:
            InvalidArgumentError: Adapters read different trunks, stand under another label than
                their own, or are of another type; or the request id was used otherwise.
            FailedPreconditionError: An adapter is not registered; names its label and digest.
        """
        content: list[object] = [draft.model_type, sorted(draft.adapters.items())]
        if draft.control:
            content.append(draft.control)
        fingerprint = json.dumps(content).encode()
        request = RequestKey.of("CreateModelVersion", draft.project, request_id, fingerprint)
        if request and (first := await self._repository.by_request(request)):
            return first
        trunk_digest = await self._common_trunk(draft)
        async with self._numbering:
            while True:
                check_deadline()
                if request and (first := await self._repository.by_request(request)):
                    return first
                newest = await self._repository.newest(
                    draft.project, draft.model_type, draft.control
                )
                now = self._grace.now()
                number, replacement = 1, 0
                if newest is not None:
                    number, replacement = newest.number + 1, 0
                    if replace_newest:
                        number, replacement = newest.number, newest.replacement + 1
                made = await self._repository.add(
                    draft,
                    number=number,
                    replacement=replacement,
                    trunk_digest=trunk_digest,
                    # so that the order in time is that of the numbers, whatever the clock does
                    create_time=max(now, newest.create_time + 1) if newest else now,
                    actor=current_actor(),
                    request=request,
                )
                if made is not None:
                    return made

    async def get(self, project: str, version: str) -> ModelVersion:
        """Read a version.

        Raises:
            NotFoundError: The project has none of this name (MODEL_VERSION_UNKNOWN).
        """
        await self._repository.finish_replacements(project)
        found = await self._repository.get(project, version)
        if found is None:
            name = version_name(project, version)
            raise NotFoundError(
                Reason.MODEL_VERSION_UNKNOWN,
                f"{name} does not exist.",
                metadata={"resource": name},
            )
        return found

    async def page(
        self, project: str, wanted: VersionFilter, page_size: int, page_token: str
    ) -> tuple[list[ModelVersion], str]:
        """Return a page of a project's versions, newest first, and the token of the next page."""
        scope = f"ListModelVersions\n{project}\n{wanted}"
        page = parse_page(page_size, page_token, scope)
        await self._repository.finish_replacements(project)
        return await self._repository.page(project, wanted, page, scope)

    async def verify(self, project: str, version: str, report: ParityReport) -> ModelVersion:
        """Record a parity report: the version becomes READY or FAILED.

        Raises:
            FailedPreconditionError: It was verified before with another report (STATE_CONFLICT).
        """
        verdict = judge(report)
        current = await self.get(project, version)
        moved = await self._repository.verified(
            current,
            verdict.state,
            report,
            verdict.failure_message,
            now=self._grace.now(),
            actor=current_actor(),
        )
        if moved is not None:
            await self._repository.finish_replacements(project)
            return moved
        current = await self.get(project, version)
        # compared as text: NaN is the same report as NaN
        if current.parity is not None and repr(current.parity) == repr(report):
            return current
        raise FailedPreconditionError(
            Reason.STATE_CONFLICT,
            f"{current.name} is {current.state.name}: it was verified with another report.",
            metadata={"resource": current.name, "state": current.state.name},
        )

    async def retire(self, project: str, version: str, etag: str) -> ModelVersion:
        """Take a READY version out of use for good.

        Raises:
            AbortedError: `etag` is not the current one.
            FailedPreconditionError: The version is not READY, or is deployed, pinned, tried or
                has an alias.
        """
        current = await self.get(project, version)
        if etag and etag != current.etag:
            raise etag_mismatch(current.name)
        transition(current.name, current.state, VersionState.RETIRED)
        await self._enter_retirement(current)
        retired = await self._repository.retired(current)
        # None: a concurrent call finished what the log says
        return retired if retired is not None else await self.get(project, version)

    async def _enter_retirement(self, version: ModelVersion) -> None:
        while True:
            check_deadline()
            end = await self._log.end()
            if await self._log.retired(version.project, [version.id]):
                return  # a call that died before it could change the state
            decisions.check_retirable(
                version,
                await self._log.current(version.project),
                await self._log.aliases(version.project),
                await self._log.trial(version.project),
            )
            if await self._log.append_retirement(
                end, version.project, version.id, self._grace.now(), current_actor()
            ):
                return

    async def _common_trunk(self, draft: VersionDraft) -> str:
        found = await self._artifacts.use_adapters(
            draft.adapters.values(), self._grace.now(), self._grace.fresh()
        )
        trunks: dict[str, str] = {}
        for label, digest in sorted(draft.adapters.items()):
            adapter = found.get(digest)
            field = f"model_version.adapters[{label}]"
            if adapter is None:
                raise FailedPreconditionError(
                    Reason.STATE_CONFLICT,
                    f"Adapter {digest} of label {label} is not registered: register it first.",
                    metadata={"label": label, "digest": digest},
                )
            if adapter.label != label:
                raise invalid_field(field, f"is an adapter of label {adapter.label}.")
            if adapter.model_type is not draft.model_type:
                raise invalid_field(field, f"is an adapter of type {adapter.model_type}.")
            trunks[adapter.trunk_digest] = label
        if len(trunks) > 1:
            raise invalid_field(
                "model_version.adapters",
                f"must all read one trunk; those of {', '.join(sorted(trunks.values()))} differ.",
            )
        return next(iter(trunks))
