"""Reading the tasks that a filter means, in order of creation."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator

from services.annotation.dataset_documents import to_snapshot
from services.annotation.documents import document_id, to_task
from services.annotation.domain import Task, snapshot_name
from services.annotation.labels.handler import Labels
from services.annotation.schema import CHUNKS, SNAPSHOTS, TASKS
from services.annotation.selection.filters import Plan, TaskFilter, check_filter, plan
from services.common.errors import invalid_field
from services.common.paging import next_token, parse_page
from services.common.store.port import DocumentStore, Order, Scalar, position

BY_CREATION = [Order(field="ord")]
_PAGE = 500
# How many tasks one page looks at when not all of them are meant: it bounds the time of a call.
_MAX_LOOK = 2_000
_MAX_CACHED_SNAPSHOTS = 8


class TaskScan:
    """Lists and iterates the tasks of a project that a filter means."""

    def __init__(self, store: DocumentStore, labels: Labels) -> None:
        """Use an open store."""
        self._store = store
        self._labels = labels
        # Snapshots never change, so what is in them can be kept.
        self._members: OrderedDict[str, frozenset[str]] = OrderedDict()

    async def list_tasks(
        self,
        project: str,
        wanted: TaskFilter,
        page_size: int,
        page_token: str,
        scope: str,
        field: str = "filter",
    ) -> tuple[list[Task], str]:
        """Return a page of tasks and the token of the next one.

        When not everything that the store finds is meant, a page may hold fewer tasks than asked
        for while there are more.
        """
        page = parse_page(page_size, page_token, scope)
        how = await self.plan(project, wanted, field)
        table = await self._labels.table(project)
        tasks: list[Task] = []
        after = page.after
        looked = 0
        while True:
            limit = page.size - len(tasks) + 1
            found = await self._store.find(
                TASKS, where=how.where, order=BY_CREATION, limit=limit, after=after
            )
            for stored in found:
                if len(tasks) == page.size:
                    return tasks, next_token(after or [], scope)
                task = to_task(stored.body)
                if how.keep(task):
                    tasks.append(table.task(task))
                after = position(stored, BY_CREATION)
                looked += 1
            if len(found) < limit:
                return tasks, ""
            if looked >= _MAX_LOOK:
                return tasks, next_token(after or [], scope)

    async def tasks(
        self, project: str, wanted: TaskFilter, field: str = "filter"
    ) -> AsyncIterator[list[Task]]:
        """Yield all tasks that are meant, some at a time, labels as they are called now."""
        how = await self.plan(project, wanted, field)
        table = await self._labels.table(project)
        after: list[Scalar] | None = None
        while True:
            found = await self._store.find(
                TASKS, where=how.where, order=BY_CREATION, limit=_PAGE, after=after
            )
            tasks = [to_task(stored.body) for stored in found]
            kept = [table.task(task) for task in tasks if how.keep(task)]
            if kept:
                yield kept
            if len(found) < _PAGE:
                return
            after = position(found[-1], BY_CREATION)

    async def plan(self, project: str, wanted: TaskFilter, field: str) -> Plan:
        """Return how to apply a filter.

        Raises:
            InvalidArgumentError: FIELD_INVALID: the filter cannot be applied.
        """
        check_filter(wanted, field)
        inside = outside = None
        if wanted.in_snapshot:
            inside = await self._in_snapshot(project, wanted.in_snapshot, f"{field}.in_snapshot")
        if wanted.not_in_snapshot:
            outside = await self._in_snapshot(
                project, wanted.not_in_snapshot, f"{field}.not_in_snapshot"
            )
        table = await self._labels.table(project)
        return plan(project, wanted, table, inside, outside or frozenset())

    async def _in_snapshot(self, project: str, snapshot: str, field: str) -> frozenset[str]:
        key = document_id(project, snapshot)
        found = self._members.get(key)
        if found is None:
            stored = await self._store.get(SNAPSHOTS, key)
            if stored is None:
                raise invalid_field(field, f"{snapshot_name(project, snapshot)} does not exist.")
            tasks: set[str] = set()
            for number in range(to_snapshot(stored.body).chunks):
                chunk = await self._store.get(CHUNKS, chunk_id(project, snapshot, number))
                if chunk is not None:
                    tasks.update(example[0] for example in chunk.body["examples"])
            found = self._members[key] = frozenset(tasks)
            if len(self._members) > _MAX_CACHED_SNAPSHOTS:
                self._members.popitem(last=False)
        return found


def chunk_id(project: str, snapshot: str, number: int) -> str:
    """Return the id of one piece of a snapshot's examples."""
    return f"{project}/{snapshot}/{number:06d}"
