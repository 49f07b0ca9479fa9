"""Tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.annotation.documents import document_id, task_document, to_task
from services.annotation.domain import (
    EventType,
    Split,
    Task,
    TaskStatus,
    completion_name,
    task_name,
)
from services.annotation.handlers.catalog import Catalog
from services.annotation.resources import NewDocument, NewEvent, Resources
from services.annotation.schema import TASKS
from services.annotation.tasks import check_external_id, check_metadata, check_task_text
from services.common.errors import AlreadyExistsError, Reason
from services.common.idempotency import RequestKey
from services.common.paging import find_page, parse_page
from services.common.store.port import Condition, DocumentStore, DuplicateError, Eq, In, Order

_BY_CREATION = [Order(field="ord")]


@dataclass(frozen=True, kw_only=True)
class NewTask:
    """A task as a caller wants it."""

    text: str
    external_id: str
    split: Split
    metadata: Mapping[str, str]


def new_task_document(task: Task, completion_event: EventType | None = None) -> NewDocument:
    """Return the document of a new task, with the events of it and of its one completion."""
    name = task_name(task.project, task.id)
    events = [NewEvent(type=EventType.TASK_CREATED, resource=name)]
    if completion_event is not None:
        resource = completion_name(task.project, task.id, task.completions[0].id)
        events.append(NewEvent(type=completion_event, resource=resource))
    return NewDocument(
        id=document_id(task.project, task.id), body=task_document(task), events=events
    )


class Tasks:
    """Creates, reads and lists tasks."""

    def __init__(self, store: DocumentStore, resources: Resources, catalog: Catalog) -> None:
        """Use an open store."""
        self._store = store
        self._resources = resources
        self._catalog = catalog

    async def create_task(self, project: str, new: NewTask, key: RequestKey | None) -> Task:
        """Create an open task; an external id that the project has is refused."""
        check_task_text(new.text, "task.text")
        check_external_id(new.external_id, "task.external_id")
        await self._catalog.project(project)
        now = self._resources.now()
        task = Task(
            project=project,
            id=self._resources.new_id(),
            text=new.text,
            external_id=new.external_id,
            split=new.split,
            metadata=check_metadata(new.metadata, "task.metadata"),
            tokenised=False,
            completions=(),
            version=1,
            created=now,
            updated=now,
        )
        try:
            return to_task(await self._resources.create(TASKS, new_task_document(task), key))
        except DuplicateError:
            raise AlreadyExistsError(
                Reason.RESOURCE_EXISTS,
                f"The project has a task with the external id {new.external_id!r} already.",
                metadata={"external_id": new.external_id},
            ) from None

    async def task(self, project: str, task: str) -> Task:
        """Read a task, or raise NotFoundError."""
        return to_task(
            await self._resources.get(TASKS, document_id(project, task), task_name(project, task))
        )

    async def list_tasks(
        self,
        project: str,
        statuses: Sequence[TaskStatus],
        external_id: str,
        page_size: int,
        page_token: str,
    ) -> tuple[list[Task], str]:
        """List tasks in order of creation."""
        wanted = sorted({status.value for status in statuses})
        scope = f"ListTasks {project} {wanted} {external_id}"
        page = parse_page(page_size, page_token, scope)
        await self._catalog.project(project)
        where: list[Condition] = [Eq("project", project)]
        if wanted:
            where.append(In("status", wanted))
        if external_id:
            where.append(Eq("external_id", check_external_id(external_id, "external_id")))
        found, token = await find_page(self._store, TASKS, where, _BY_CREATION, page, scope)
        return [to_task(one.body) for one in found], token
