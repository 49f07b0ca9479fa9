"""The registry's documents: what is written in which collection, and under which guard."""

from __future__ import annotations

from services.common.idempotency import RequestKey
from services.common.paging import Page, find_page
from services.common.store.port import (
    Collection,
    Condition,
    Document,
    DocumentStore,
    DuplicateError,
    Eq,
    In,
    Index,
    Order,
    Scalar,
)
from services.common.store.requests import REQUEST_INDEX, find_request, request_fields
from services.registry import documents
from services.registry.artifact_repository import ARTIFACT_COLLECTIONS
from services.registry.domain import (
    ModelType,
    ModelVersion,
    ParityReport,
    VersionDraft,
    VersionFilter,
    VersionState,
)
from services.registry.naming import is_version_id, version_id
from services.registry.version_state import sources

_VERSIONS = "model_versions"


COLLECTIONS = (
    *ARTIFACT_COLLECTIONS,
    Collection(
        name=_VERSIONS,
        # A document's id holds type, control, number and replacement: nothing else keeps numbers
        # apart.
        indexes=(
            Index(fields=("project", "model_type", "number", "create_time")),
            Index(fields=("project", "create_time")),
            Index(fields=("project", "verify_time")),
            Index(fields=("create_time",)),
            Index(fields=("verify_time",)),
            Index(fields=("project", "replacing"), where={"replacing": True}),
            REQUEST_INDEX,
        ),
        dropped=(Index(fields=("project", "model_type", "number"), unique=True),),
    ),
)

_BATCH = 500
_NEWEST = (Order(field="create_time", descending=True),)


class VersionDocuments:
    """Model versions: numbered without gaps, moved only by guarded writes."""

    def __init__(self, store: DocumentStore) -> None:
        """Use an opened store."""
        self._store = store

    async def by_request(self, request: RequestKey) -> ModelVersion | None:
        """Return the version that this request made before.

        Raises:
            InvalidArgumentError: The id belongs to a different request (REQUEST_ID_REUSED).
        """
        stored = await find_request(self._store, _VERSIONS, request)
        return None if stored is None else documents.version_of(stored)

    async def newest(
        self, project: str, model_type: ModelType, control: str
    ) -> ModelVersion | None:
        """Return the version with the highest number; of several the last replacement."""
        # Versions of the first release have no control, and are of a type that has none.
        same: Condition = Eq("control", control) if control else In("control", ("", None))
        found = await self._store.find(
            _VERSIONS,
            where=[Eq("project", project), Eq("model_type", model_type), same],
            order=[
                Order(field="number", descending=True),
                Order(field="create_time", descending=True),
            ],
            limit=1,
        )
        return documents.version_of(found[0]) if found else None

    async def add(
        self,
        draft: VersionDraft,
        *,
        number: int,
        replacement: int,
        trunk_digest: str,
        create_time: int,
        actor: str,
        request: RequestKey | None,
    ) -> ModelVersion | None:
        """Store a version under a number, or return None: the number or the request is taken."""
        body = documents.version_document(
            draft,
            number=number,
            replacement=replacement,
            trunk_digest=trunk_digest,
            create_time=create_time,
            actor=actor,
        )
        name = version_id(draft.model_type, draft.control, draft.project, number, replacement)
        key = _version_key(draft.project, name)
        try:
            stored = await self._store.insert(_VERSIONS, key, body | request_fields(request))
        except DuplicateError:
            return None
        return documents.version_of(stored)

    async def get(self, project: str, version: str) -> ModelVersion | None:
        """Read a version."""
        if not is_version_id(project, version):
            return None
        stored = await self._store.get(_VERSIONS, _version_key(project, version))
        return None if stored is None else documents.version_of(stored)

    async def page(
        self, project: str, wanted: VersionFilter, page: Page, scope: str
    ) -> tuple[list[ModelVersion], str]:
        """Return a page of a project's versions, newest first, and the token of the next page."""
        where: list[Condition] = [Eq("project", project)]
        if wanted.states:
            where.append(In("state", [state.value for state in wanted.states]))
        if wanted.model_type is not None:
            where.append(Eq("model_type", wanted.model_type.value))
        if wanted.control:
            where.append(Eq("control", wanted.control))
        if not wanted.replaced:
            where.append(In("replaced_by", ("", None)))
        found, token = await find_page(self._store, _VERSIONS, where, _NEWEST, page, scope)
        return [documents.version_of(stored) for stored in found], token

    async def verified(
        self,
        version: ModelVersion,
        new: VersionState,
        parity: ParityReport,
        failure_message: str,
        *,
        now: int,
        actor: str,
    ) -> ModelVersion | None:
        """Move a version to `new` with its report; None when its state does not allow it."""
        return await self._move(
            version,
            new,
            {
                "parity": documents.parity_document(parity),
                "failure_message": failure_message,
                "verify_time": now,
                "verify_actor": actor,
            },
        )

    async def finish_replacements(self, project: str) -> None:
        """Mark the versions whose place was taken by one that is READY.

        The taking version carries the intent from its first write on, so whoever comes next
        finishes what a process that died left undone.
        """
        taking = await self._store.find(
            _VERSIONS, where=[Eq("project", project), Eq("replacing", True)], limit=100
        )
        for stored in taking:
            taker = documents.version_of(stored)
            if taker.state is VersionState.REGISTERED:
                continue
            if taker.state is not VersionState.FAILED:
                await self._mark_replaced(taker)
            await self._store.update(_VERSIONS, stored.id, set={"replacing": False})

    async def _mark_replaced(self, taker: ModelVersion) -> None:
        for replacement in reversed(range(taker.replacement)):
            earlier = taker.id_of(taker.number, replacement)
            marked = await self._store.update(
                _VERSIONS,
                _version_key(taker.project, earlier),
                where=[In("replaced_by", ("", None))],
                set={"replaced_by": taker.id},
            )
            if marked is None:
                # Marked by an earlier replacement, which marks those below it too.
                return

    async def retired(self, version: ModelVersion) -> ModelVersion | None:
        """Move a version to RETIRED; None when its state does not allow it."""
        return await self._move(version, VersionState.RETIRED, {})

    async def scan(self, project: str = "") -> list[ModelVersion]:
        """Return all versions of a project, or of all, in no particular order."""
        where = [Eq("project", project)] if project else []
        found: list[ModelVersion] = []
        position: list[Scalar] | None = None
        while True:
            batch = await self._store.find(_VERSIONS, where=where, limit=_BATCH, after=position)
            found += [documents.version_of(stored) for stored in batch]
            if len(batch) < _BATCH:
                return found
            position = [batch[-1].id]

    async def purged(self, version: ModelVersion, now: int) -> ModelVersion | None:
        """Give up a version's artifacts; None when it is in another state than it was.

        What is READY becomes RETIRED, what was never verified FAILED.
        """
        new = {
            VersionState.READY: VersionState.RETIRED,
            VersionState.REGISTERED: VersionState.FAILED,
        }.get(version.state, version.state)
        changes: Document = {"purge_time": now, "state": new.value}
        if version.state is VersionState.REGISTERED:
            changes["failure_message"] = "Retention gave it up before it was verified."
        stored = await self._store.update(
            _VERSIONS,
            _version_key(version.project, version.id),
            where=[Eq("state", version.state.value), Eq("purge_time", None)],
            set=changes,
        )
        return None if stored is None else documents.version_of(stored)

    async def _move(
        self, version: ModelVersion, new: VersionState, changes: Document
    ) -> ModelVersion | None:
        stored = await self._store.update(
            _VERSIONS,
            _version_key(version.project, version.id),
            where=[In("state", [state.value for state in sources(new)])],
            set={"state": new.value, **changes},
        )
        return None if stored is None else documents.version_of(stored)


def _version_key(project: str, version: str) -> str:
    return f"{project}/{version}"
