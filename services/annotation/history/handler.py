"""Reading the history of a resource and the audit of a project."""

from __future__ import annotations

from dataclasses import dataclass

from services.annotation.documents import document_id, to_completion, to_event, to_task
from services.annotation.domain import Completion, Event, Task, completion_name, task_name
from services.annotation.handlers.catalog import Catalog
from services.annotation.history.documents import Revision, to_revision
from services.annotation.publisher import Streams
from services.annotation.resources import Resources
from services.annotation.schema import EVENTS, HISTORY, TASKS
from services.common.errors import not_found
from services.common.paging import find_page, next_token, parse_page
from services.common.store.port import Condition, DocumentStore, Eq, Gt, Lt, Order, position
from services.common.validate import check_line

_LATEST_FIRST = [Order(field="version", descending=True)]
_BY_SEQUENCE = [Order(field="sequence")]
_MAX_LOOK = 5_000


@dataclass(frozen=True, kw_only=True)
class CompletionRevision:
    """An earlier state of a completion."""

    revision: Revision
    task: Task
    completion: Completion


class History:
    """Reads what was."""

    def __init__(
        self, store: DocumentStore, resources: Resources, catalog: Catalog, streams: Streams
    ) -> None:
        """Use an open store."""
        self._store = store
        self._resources = resources
        self._catalog = catalog
        self._streams = streams

    async def of_task(
        self, project: str, task: str, page_size: int, page_token: str
    ) -> tuple[Task, list[Revision], str]:
        """Return the earlier states of a task's own fields, the latest first."""
        name = task_name(project, task)
        found = await self._settled(project, task)
        revisions, token = await self._revisions(name, page_size, page_token)
        return found, revisions, token

    async def of_completion(
        self, project: str, task: str, completion: str, page_size: int, page_token: str
    ) -> tuple[list[CompletionRevision], str]:
        """Return the earlier states of a completion, the latest first."""
        name = completion_name(project, task, completion)
        found = await self._settled(project, task)
        if found.completion(completion) is None:
            raise not_found(name)
        revisions, token = await self._revisions(name, page_size, page_token)
        return [
            CompletionRevision(revision=one, task=found, completion=to_completion(one.state))
            for one in revisions
        ], token

    async def audit(
        self, project: str, *, resource: str, actor: str, page_size: int, page_token: str
    ) -> tuple[list[Event], str]:
        """Return what was changed in a project, in the order of the changes."""
        check_line(resource, "resource", 0, 1_000)
        check_line(actor, "actor", 0, 200)
        await self._catalog.project(project)
        await self._resources.settle_all()
        await self._streams.last(project)  # makes sure that what was placed can be read
        scope = f"ListAuditEntries {project} {resource} {actor}"
        page = parse_page(page_size, page_token, scope)
        if resource:
            return await self._audit_of(project, resource, actor, page_size, page_token, scope)
        entries: list[Event] = []
        after = page.after
        looked = 0
        while True:
            limit = page.size - len(entries) + 1
            found = await self._store.find(
                EVENTS,
                where=[Eq("project", project)],
                order=_BY_SEQUENCE,
                limit=limit,
                after=after,
            )
            for stored in found:
                if len(entries) == page.size:
                    return entries, next_token(after or [], scope)
                event = to_event(stored.body)
                if not actor or event.actor == actor:
                    entries.append(event)
                after = position(stored, _BY_SEQUENCE)
                looked += 1
            if len(found) < limit:
                return entries, ""
            if looked >= _MAX_LOOK:
                return entries, next_token(after or [], scope)

    async def _audit_of(
        self,
        project: str,
        resource: str,
        actor: str,
        page_size: int,
        page_token: str,
        scope: str,
    ) -> tuple[list[Event], str]:
        # Ids of events are `<resource>@<version>:<type>`, and "A" is the character behind "@".
        where: list[Condition] = [Gt("event_id", f"{resource}@"), Lt("event_id", f"{resource}A")]
        found = await self._store.find(EVENTS, where=where, limit=_MAX_LOOK)
        entries = sorted(
            (
                to_event(one.body)
                for one in found
                if one.body["project"] == project and actor in {"", one.body.get("actor", "")}
            ),
            key=lambda one: one.sequence,
        )
        page = parse_page(page_size, page_token, scope)
        start = 0
        if page.after is not None and isinstance(page.after[0], int):
            behind = page.after[0]
            start = next(
                (place for place, one in enumerate(entries) if one.sequence > behind),
                len(entries),
            )
        some = entries[start : start + page.size]
        more = start + len(some) < len(entries)
        return some, next_token([some[-1].sequence], scope) if more else ""

    async def _settled(self, project: str, task: str) -> Task:
        """Read a task when the states before its last change are in the history."""
        key = document_id(project, task)
        body = await self._resources.get(TASKS, key, task_name(project, task))
        if body["outbox_pending"]:
            await self._resources.settle(TASKS, key)
        return await self._catalog.with_present_labels(to_task(body))

    async def _revisions(
        self, name: str, page_size: int, page_token: str
    ) -> tuple[list[Revision], str]:
        scope = f"ListRevisions {name}"
        page = parse_page(page_size, page_token, scope)
        found, token = await find_page(
            self._store, HISTORY, [Eq("resource", name)], _LATEST_FIRST, page, scope
        )
        return [to_revision(one.body) for one in found], token
