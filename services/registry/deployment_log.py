"""The log in which every deployment moves: one document per move, its id is its position.

Inserting position n + 1 *is* the compare-and-swap: it fails when anyone wrote since the end n was
read. So one insert orders all moves of all projects, a crash leaves either the whole move or
nothing, no revision is ever overwritten, and a watcher reads what is new from one index.

Retirements of model versions are entries too, made before the version's own state changes: a
version can therefore not be deployed and retired at once, though both are documents of their own.
So are changes of aliases, each with all aliases of its project: none can be set on a version that
is retired meanwhile. And so are the begin and the end of trials, the end within the move that ends
them: at most one runs, and its candidate can be neither retired nor deployed behind its back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.common.idempotency import RequestKey
from services.common.paging import Page, find_page
from services.common.store.port import (
    Collection,
    Condition,
    Document,
    DocumentStore,
    DuplicateError,
    Eq,
    Gt,
    In,
    Index,
    Lt,
    Order,
    Stored,
)
from services.common.store.requests import REQUEST_INDEX, find_request, request_fields
from services.registry import pointer_documents as documents
from services.registry.pointers import AliasTable, Deployment, ModelAlias
from services.registry.policy import Policy
from services.registry.trial import Trial
from services.registry.trial_documents import trial_document, trial_of

_LOG = "deployment_log"
_MOVE = "move"
_RETIREMENT = "retirement"
_ALIASES = "aliases"
_POLICY = "policy"
_RUN = "retention_run"
_TRIAL = "trial"
_BATCH = 500

LOG_COLLECTION = Collection(
    name=_LOG,
    indexes=(
        Index(fields=("position",), unique=True),
        # A second guard of what the positions ensure already.
        Index(fields=("project", "revision"), unique=True),
        Index(fields=("kind", "project", "revision")),
        Index(fields=("kind", "project", "version")),
        Index(fields=("kind", "project", "position")),
        Index(fields=("kind", "position")),
        Index(fields=("create_time",)),
        Index(fields=("project", "create_time")),
        # Also of moves that ended one.
        Index(fields=("project", "trial.number", "position")),
        REQUEST_INDEX,
    ),
)

_NEWEST = (Order(field="revision", descending=True),)


@dataclass(frozen=True, kw_only=True)
class LogPart:
    """What stands behind a position: the moves, the trials, and the position reached."""

    moves: list[Deployment]
    trials: list[Trial]
    position: int


class DeploymentLog:
    """Reads the log and appends to it."""

    def __init__(self, store: DocumentStore) -> None:
        """Use an opened store."""
        self._store = store

    async def end(self) -> int:
        """Return the last position, 0 when the log is empty. Read it before what you decide on."""
        found = await self._store.find(
            _LOG, order=[Order(field="position", descending=True)], limit=1
        )
        return int(found[0].body["position"]) if found else 0

    async def append_move(
        self,
        end: int,
        deployment: Deployment,
        request: RequestKey | None,
        trial: Trial | None = None,
    ) -> bool:
        """Add a revision behind `end`; False when the log has moved on or the request is known.

        Args:
            end: The end that was read before the decision.
            deployment: The revision.
            request: Who asked.
            trial: One that it ends.
        """
        body = documents.deployment_document(deployment) | request_fields(request)
        if trial is not None:
            body["trial"] = trial_document(trial)
        return await self._append(end, {"kind": _MOVE, **body})

    async def append_trial(self, end: int, trial: Trial, request: RequestKey | None = None) -> bool:
        """Add a trial that began or ended; False when the log has moved on."""
        body = {
            "project": trial.project,
            "version": trial.candidate.version,
            "trial": trial_document(trial),
            "create_time": trial.create_time if trial.end_time is None else trial.end_time,
            "actor": trial.actor if trial.running else trial.end_actor,
            **request_fields(request),
        }
        return await self._append(end, {"kind": _TRIAL, **body})

    async def trial(self, project: str) -> Trial | None:
        """Return the newest trial of a project as it is now."""
        found = await self._store.find(
            _LOG,
            where=[Eq("project", project), Gt("trial.number", 0)],
            order=[
                Order(field="trial.number", descending=True),
                Order(field="position", descending=True),
            ],
            limit=1,
        )
        return trial_of(found[0].body["trial"]) if found else None

    async def append_retirement(
        self, end: int, project: str, version: str, now: int, actor: str, *, purge: bool = False
    ) -> bool:
        """Retire a version behind `end`, or purge it; False when the log has moved on."""
        return await self._append(
            end,
            {
                "kind": _RETIREMENT,
                "project": project,
                "version": version,
                "purge": purge,
                "create_time": now,
                "actor": actor,
            },
        )

    async def append_aliases(self, end: int, table: AliasTable, changed: ModelAlias) -> bool:
        """Add the aliases of a project behind `end`; False when the log has moved on."""
        body = documents.aliases_document(table, changed)
        return await self._append(end, {"kind": _ALIASES, **body})

    async def aliases(self, project: str) -> AliasTable:
        """Return all aliases that users set in a project."""
        found = await self._newest(_ALIASES, project)
        return documents.aliases_of(found) if found else AliasTable(project=project)

    async def by_request(self, request: RequestKey) -> Deployment | None:
        """Return the revision that this request made before.

        Raises:
            InvalidArgumentError: The id belongs to a different request (REQUEST_ID_REUSED).
        """
        stored = await find_request(self._store, _LOG, request)
        return None if stored is None else documents.deployment_of(stored)

    async def current(self, project: str) -> Deployment | None:
        """Return the newest revision of a project."""
        found = await self._store.find(_LOG, where=_moves(project), order=_NEWEST, limit=1)
        return documents.deployment_of(found[0]) if found else None

    async def revision(self, project: str, revision: int) -> Deployment | None:
        """Return one revision of a project."""
        where = [*_moves(project), Eq("revision", revision)]
        found = await self._store.find(_LOG, where=where, limit=1)
        return documents.deployment_of(found[0]) if found else None

    async def revisions_before(
        self, project: str, revision: int, limit: int = _BATCH
    ) -> list[Deployment]:
        """Return some revisions right before one, newest first; none when there are no more."""
        if not limit:
            return []
        where = [*_moves(project), Lt("revision", revision)]
        found = await self._store.find(_LOG, where=where, order=_NEWEST, limit=limit)
        return [documents.deployment_of(stored) for stored in found]

    async def page(self, project: str, page: Page, scope: str) -> tuple[list[Deployment], str]:
        """Return a page of a project's revisions, newest first, and the token of the next page."""
        found, token = await find_page(self._store, _LOG, _moves(project), _NEWEST, page, scope)
        return [documents.deployment_of(stored) for stored in found], token

    async def retired(self, project: str, versions: Iterable[str]) -> frozenset[str]:
        """Return those of the versions whose retirement is in the log."""
        found = await self._store.find(
            _LOG,
            where=[Eq("kind", _RETIREMENT), Eq("project", project), In("version", list(versions))],
            limit=1000,
        )
        return frozenset(stored.body["version"] for stored in found)

    async def purged(self, project: str, versions: Iterable[str]) -> dict[str, int]:
        """Return those of the versions whose purge is in the log, with the time of it."""
        found = await self._store.find(
            _LOG,
            where=[
                Eq("kind", _RETIREMENT),
                Eq("project", project),
                Eq("purge", True),
                In("version", list(versions)),
            ],
            limit=1000,
        )
        return {stored.body["version"]: stored.body["create_time"] for stored in found}

    async def append_policy(self, end: int, policy: Policy) -> bool:
        """Add the policy of a project behind `end`; False when the log has moved on."""
        return await self._append(end, {"kind": _POLICY, **documents.policy_document(policy)})

    async def policy(self, project: str) -> Policy:
        """Return the policy of a project."""
        found = await self._newest(_POLICY, project)
        return documents.policy_of(found) if found else Policy(project=project)

    async def policies(self) -> list[Policy]:
        """Return the policies of all projects that ever had one."""
        newest: dict[str, Policy] = {}
        position = 0
        while True:
            found = await self._store.find(
                _LOG,
                where=[Eq("kind", _POLICY), Gt("position", position)],
                order=[Order(field="position")],
                limit=_BATCH,
            )
            newest |= {one.project: one for one in map(documents.policy_of, found)}
            if len(found) < _BATCH:
                return [policy for _, policy in sorted(newest.items())]
            position = found[-1].body["position"]

    async def append_run(self, end: int, counts: dict[str, int], now: int, actor: str) -> bool:
        """Note behind `end` what a retention run is about to delete."""
        body = {"kind": _RUN, "counts": counts, "create_time": now, "actor": actor}
        return await self._append(end, body)

    async def behind(self, position: int) -> LogPart:
        """Return what was added behind a position, oldest first; a part of it when it is much."""
        found = await self._store.find(
            _LOG, where=[Gt("position", position)], order=[Order(field="position")], limit=_BATCH
        )
        return LogPart(
            moves=[documents.deployment_of(s) for s in found if s.body["kind"] == _MOVE],
            trials=[trial_of(s.body["trial"]) for s in found if "trial" in s.body],
            position=found[-1].body["position"] if found else position,
        )

    async def _newest(self, kind: str, project: str) -> Stored | None:
        found = await self._store.find(
            _LOG,
            where=[Eq("kind", kind), Eq("project", project)],
            order=[Order(field="position", descending=True)],
            limit=1,
        )
        return found[0] if found else None

    async def _append(self, end: int, body: Document) -> bool:
        position = end + 1
        try:
            await self._store.insert(_LOG, f"{position:012d}", {"position": position, **body})
        except DuplicateError:
            return False
        return True


def _moves(project: str) -> list[Condition]:
    return [Eq("kind", _MOVE), Eq("project", project)]
