"""Training scripts as documents: what they are, and their contents apart from it.

Contents are written before and removed after the script's document, so that a script that can be
seen has its content. A deleted script is hidden at once; document and content go when no live job
names it any more.
"""

from __future__ import annotations

from dataclasses import asdict

from services.common.errors import not_found
from services.common.idempotency import RequestKey
from services.common.paging import Page, find_page
from services.common.store.port import (
    Collection,
    DocumentStore,
    Eq,
    In,
    Index,
    Lt,
    Order,
    Stored,
)
from services.common.store.requests import REQUEST_INDEX, find_request, insert_once
from services.trainer.documents import JOBS
from services.trainer.job_state import LIVE_STATES
from services.trainer.scripts.model import ScriptLimits, TrainingScript, script_name

_SCRIPTS = "training_scripts"
_CONTENTS = "training_script_contents"
_NEWEST_FIRST = (Order(field="create_time", descending=True),)
# An upload whose process died between its two writes leaves a content that nobody can name.
_ORPHAN_MICROSECONDS = 3_600_000_000
_BATCH = 100

SCRIPT_COLLECTIONS = (
    Collection(
        name=_SCRIPTS,
        indexes=(
            REQUEST_INDEX,
            Index(fields=("project", "deleted", "create_time")),
            Index(fields=("deleted", "create_time"), where={"deleted": True}),
        ),
    ),
    Collection(name=_CONTENTS, indexes=(Index(fields=("create_time",)),)),
)


class ScriptRepository:
    """Training scripts over a document store."""

    def __init__(self, store: DocumentStore) -> None:
        """Work on an open store."""
        self._store = store

    async def create(
        self, script: TrainingScript, content: str, key: RequestKey | None
    ) -> TrainingScript:
        """Store a new script; a repeat of the request returns the first one.

        Raises:
            InvalidArgumentError: REQUEST_ID_REUSED.
        """
        text = {"content": content, "create_time": script.create_time}
        await self._store.insert(_CONTENTS, script.id, text)
        body = {
            "project": script.project,
            "digest": script.digest,
            "display_name": script.display_name,
            "limits": asdict(script.limits),
            "create_time": script.create_time,
            "deleted": False,
        }
        stored, new = await insert_once(self._store, _SCRIPTS, script.id, body, key)
        if not new:
            await self._store.delete(_CONTENTS, script.id)
        return _script_of(stored)

    async def find_repeat(self, key: RequestKey) -> TrainingScript | None:
        """Return the script that an earlier request under this key made, if any.

        Raises:
            InvalidArgumentError: REQUEST_ID_REUSED: that request was another.
        """
        found = await find_request(self._store, _SCRIPTS, key)
        return None if found is None else _script_of(found)

    async def get(
        self, project: str, script: str, *, deleted_too: bool = False
    ) -> tuple[TrainingScript, str]:
        """Return a script with its content.

        Raises:
            NotFoundError: The project has no such script.
        """
        stored = await self._store.get(_SCRIPTS, script)
        content = await self._store.get(_CONTENTS, script)
        if (
            stored is None
            or content is None
            or stored.body["project"] != project
            or (stored.body["deleted"] and not deleted_too)
        ):
            raise not_found(script_name(project, script))
        return _script_of(stored), str(content.body["content"])

    async def list_page(
        self, project: str, page: Page, scope: str
    ) -> tuple[list[TrainingScript], str]:
        """Return a page of a project's scripts, newest first, and the next page's token."""
        found, token = await find_page(
            self._store,
            _SCRIPTS,
            [Eq("project", project), Eq("deleted", False)],
            _NEWEST_FIRST,
            page,
            scope,
        )
        return [_script_of(stored) for stored in found], token

    async def delete(self, project: str, script: str) -> None:
        """Hide a script; queued jobs keep it.

        Raises:
            NotFoundError: The project has no such script.
        """
        changed = await self._store.update(
            _SCRIPTS,
            script,
            where=[Eq("project", project), Eq("deleted", False)],
            set={"deleted": True},
        )
        if changed is None:
            raise not_found(script_name(project, script))
        await self.remove_deleted()

    async def remove_deleted(self, now: int = 0) -> None:
        """Remove deleted scripts that no live job names; with a time, lost contents too."""
        gone = await self._store.find(_SCRIPTS, where=[Eq("deleted", True)], limit=_BATCH)
        for script in (_script_of(stored) for stored in gone):
            live = [In("state", [state.value for state in LIVE_STATES])]
            named = [Eq("project", script.project), Eq("script", script.name)]
            if not await self._store.find(JOBS, where=[*named, *live], limit=1):
                await self._store.delete(_CONTENTS, script.id)
                await self._store.delete(_SCRIPTS, script.id)
        if not now:
            return
        old = await self._store.find(
            _CONTENTS, where=[Lt("create_time", now - _ORPHAN_MICROSECONDS)], limit=_BATCH
        )
        known = await self._store.get_many(_SCRIPTS, [stored.id for stored in old])
        for stored in old:
            if stored.id not in known:
                await self._store.delete(_CONTENTS, stored.id)


def _script_of(stored: Stored) -> TrainingScript:
    body = stored.body
    return TrainingScript(
        project=body["project"],
        id=stored.id,
        digest=body["digest"],
        display_name=body["display_name"],
        limits=ScriptLimits(**body["limits"]),
        create_time=body["create_time"],
    )
