"""The audit, read from the documents that the changes themselves wrote.

There is no audit collection that could lack an entry: whoever changes something writes who and when
into the same document, in the same write. Five sources, each in the order of time, are merged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.common.errors import Reason, invalid_field
from services.common.paging import Page, next_token
from services.common.store.port import (
    Condition,
    Document,
    DocumentStore,
    Eq,
    Gt,
    Lt,
    Order,
    Scalar,
    Stored,
    position,
    read_path,
)
from services.registry.audit import AuditAction, AuditEvent, AuditFilter
from services.registry.domain import version_name
from services.registry.naming import version_id
from services.registry.pointers import deployment_name
from services.registry.policy import policy_name
from services.registry.trial import TrialState, trial_name

_BATCH = 200


@dataclass(frozen=True, kw_only=True)
class _Source:
    """One collection, in the order of one of its times.

    Attributes:
        rank: Settles the order of changes at the same time.
        actions: What it tells of.
        project: Whether its documents belong to projects.
        event: Makes the event of a document.
    """

    rank: int
    collection: str
    time: str
    actions: frozenset[AuditAction]
    project: bool
    event: Callable[[Document], AuditEvent]


class AuditLog:
    """Reads changes, newest first."""

    def __init__(self, store: DocumentStore) -> None:
        """Use an opened store."""
        self._store = store

    async def page(
        self, wanted: AuditFilter, page: Page, scope: str
    ) -> tuple[list[AuditEvent], str]:
        """Return a page of changes, and the token of the next page.

        Raises:
            InvalidArgumentError: PAGE_TOKEN_INVALID: the page's position is none of this list.
        """
        after = _position_of(page)
        cursors = [
            _Cursor(self._store, source, wanted, after)
            for source in _SOURCES
            if (wanted.project is None or source.project)
            and (not wanted.actions or source.actions.intersection(wanted.actions))
        ]
        events: list[AuditEvent] = []
        last: list[Scalar] = []
        while True:
            heads = [(cursor, head) for cursor in cursors if (head := await cursor.head())]
            if not heads:
                return events, ""
            if len(events) == page.size:
                return events, next_token(last, scope)
            cursor, (stored, event) = min(
                heads, key=lambda one: (-one[1][1].time, one[0].source.rank)
            )
            last = [event.time, cursor.source.rank, stored.id]
            events.append(event)
            cursor.pop()


class _Cursor:
    """Walks through one source."""

    def __init__(
        self,
        store: DocumentStore,
        source: _Source,
        wanted: AuditFilter,
        after: tuple[int, int, str] | None,
    ) -> None:
        self.source = source
        self._store = store
        self._wanted = wanted
        self._after: Sequence[Scalar] | None = None
        self._found: list[tuple[Stored, AuditEvent]] = []
        self._ended = False
        end = wanted.end
        if after is not None:
            time, rank, key = after
            if rank == source.rank:
                self._after = [time, key]
            else:
                # At the same time the sources follow each other by rank.
                edge = time if source.rank < rank else time + 1
                end = edge if end is None else min(edge, end)
        # Also says that there is a time: a version that was not verified has none.
        self._where: list[Condition] = [Gt(source.time, max(wanted.start or 0, 1) - 1)]
        if end is not None:
            self._where.append(Lt(source.time, end))
        if wanted.project is not None:
            self._where.append(Eq("project", wanted.project))

    async def head(self) -> tuple[Stored, AuditEvent] | None:
        """Return the newest change that was not taken yet, or None."""
        while not self._found and not self._ended:
            order = [Order(field=self.source.time, descending=True)]
            batch = await self._store.find(
                self.source.collection,
                where=self._where,
                order=order,
                limit=_BATCH,
                after=self._after,
            )
            self._ended = len(batch) < _BATCH
            if batch:
                self._after = position(batch[-1], order)
            events = [(stored, self.source.event(stored.body)) for stored in batch]
            self._found = [found for found in events if self._wanted.takes(found[1])]
        return self._found[0] if self._found else None

    def pop(self) -> None:
        """Take the newest one away."""
        del self._found[0]


def _position_of(page: Page) -> tuple[int, int, str] | None:
    match page.after:
        case None:
            return None
        case [int(time), int(rank), str(key)]:
            return time, rank, key
        case _:
            raise invalid_field(
                "page_token", "is not one of this list.", reason=Reason.PAGE_TOKEN_INVALID
            )


# One that is promoted ends in the entry of its deployment.
_TRIAL_ACTIONS = {
    TrialState.RUNNING: (AuditAction.START_TRIAL, ("mode", "share")),
    TrialState.ENDED: (AuditAction.END_TRIAL, ("reason",)),
    TrialState.ROLLED_BACK: (AuditAction.ROLL_BACK_TRIAL, ("reason",)),
}


def _log_event(body: Document) -> AuditEvent:
    """Return the event of an entry of the deployment log."""
    project, version = body.get("project", ""), body.get("version") or ""
    named = version_name(project, version) if version else ""
    action, resource = AuditAction.RUN_RETENTION, ""
    details: dict[str, object] = {}
    match body["kind"]:
        case "move":
            action, resource = AuditAction(body["action"]), deployment_name(project)
            details = {
                "revision": body["revision"],
                "label": body.get("label"),
                "restored_revision": body["restored_revision"],
                "violated": "; ".join(body.get("violations", ())),
            }
            if ended := body.get("trial"):
                details["trial"] = trial_name(project, ended["number"])
                details["trial_state"] = TrialState(ended["state"]).name
        case "retirement":
            purge = body.get("purge", False)
            action = AuditAction.PURGE_MODEL_VERSION if purge else AuditAction.RETIRE_MODEL_VERSION
            resource = named
        case "aliases":
            gone = body["deleted"]
            action = AuditAction.DELETE_MODEL_ALIAS if gone else AuditAction.SET_MODEL_ALIAS
            resource = version_name(project, body["alias"])
        case "trial":
            trial = body["trial"]
            action, told = _TRIAL_ACTIONS[TrialState(trial["state"])]
            resource = trial_name(project, trial["number"])
            details = {name: trial[name] for name in told}
            details["violated"] = "; ".join(trial["violations"])
        case "policy":
            action, resource = AuditAction.UPDATE_REGISTRY_POLICY, policy_name(project)
        case _:
            details = dict(body["counts"])
    return AuditEvent(
        time=body["create_time"],
        actor=body.get("actor", ""),
        action=action,
        resource=resource,
        version=named,
        details={key: str(value) for key, value in details.items() if value},
    )


def _version_event(action: AuditAction, time: str, actor: str) -> Callable[[Document], AuditEvent]:
    def event(body: Document) -> AuditEvent:
        name = version_name(
            body["project"],
            version_id(
                body["model_type"],
                body.get("control", ""),
                body["project"],
                body["number"],
                body.get("replacement", 0),
            ),
        )
        details: dict[str, str] = {}
        if action is AuditAction.VERIFY_MODEL_VERSION:
            details["state"] = "FAILED" if body["state"] == "failed" else "READY"
        elif job := read_path(body, "lineage.training_job"):
            details["training_job"] = job
        return AuditEvent(
            time=body[time],
            actor=body.get(actor, ""),
            action=action,
            resource=name,
            version=name,
            details=details,
        )

    return event


def _artifact_event(action: AuditAction, collection: str) -> Callable[[Document], AuditEvent]:
    def event(body: Document) -> AuditEvent:
        return AuditEvent(
            time=body["create_time"],
            actor=body.get("actor", ""),
            action=action,
            resource=f"{collection}/{body['digest'].removeprefix('sha256:')}",
            details={"label": body["label"]} if "label" in body else {"source": body["source"]},
        )

    return event


_VERSION_ACTIONS = (
    (AuditAction.CREATE_MODEL_VERSION, "create_time", "actor"),
    (AuditAction.VERIFY_MODEL_VERSION, "verify_time", "verify_actor"),
)
_ARTIFACT_ACTIONS = (
    (AuditAction.REGISTER_ADAPTER, "adapters"),
    (AuditAction.REGISTER_TRUNK, "trunks"),
)
_SOURCES = (
    _Source(
        rank=0,
        collection="deployment_log",
        time="create_time",
        actions=frozenset(AuditAction)
        - {action for action, _, _ in _VERSION_ACTIONS}
        - {action for action, _ in _ARTIFACT_ACTIONS},
        project=True,
        event=_log_event,
    ),
    *(
        _Source(
            rank=rank,
            collection="model_versions",
            time=time,
            actions=frozenset({action}),
            project=True,
            event=_version_event(action, time, actor),
        )
        for rank, (action, time, actor) in enumerate(reversed(_VERSION_ACTIONS), 1)
    ),
    *(
        _Source(
            rank=rank,
            collection=collection,
            time="create_time",
            actions=frozenset({action}),
            project=False,
            event=_artifact_event(action, collection),
        )
        for rank, (action, collection) in enumerate(_ARTIFACT_ACTIONS, 3)
    ),
)
