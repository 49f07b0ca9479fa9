"""Tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from services.annotation.content import Page, Word
from services.annotation.documents import (
    document_id,
    task_document,
    task_fields,
    to_task,
)
from services.annotation.domain import (
    EventType,
    Split,
    Task,
    completion_name,
    project_name,
    task_name,
)
from services.annotation.etags import check_etag
from services.annotation.handlers.catalog import Catalog
from services.annotation.outbox import NewEvent
from services.annotation.resources import Change, NewDocument, Resources
from services.annotation.schema import HISTORY, PREDICTIONS, TASKS
from services.annotation.selection.filters import TaskFilter
from services.annotation.selection.scan import TaskScan
from services.annotation.tasks import (
    check_external_id,
    check_group,
    check_metadata,
    check_pages,
    check_tags,
    check_task_text,
)
from services.common.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    Reason,
    invalid_field,
    not_found,
)
from services.common.idempotency import RequestKey
from services.common.names import parse_name
from services.common.store.port import Document, DocumentStore, DuplicateError, Eq
from services.common.validate import check_count, check_mask

MAX_TAGGED = 1_000
_PAGE = 500


@dataclass(frozen=True, kw_only=True)
class NewTask:
    """A task as a caller wants it."""

    text: str
    external_id: str = ""
    split: Split = Split.UNSPECIFIED
    metadata: Mapping[str, str]
    tags: Sequence[str] = ()
    group: str = ""
    pages: Sequence[Page] = ()
    words: Sequence[Word] = ()
    extra: str = ""


@dataclass(frozen=True, kw_only=True)
class TaskFields:
    """What can be changed about a task."""

    tags: Sequence[str]
    group: str
    split: Split
    metadata: Mapping[str, str]


def new_task_document(
    task: Task, completion_events: Sequence[EventType] = (), import_id: str = ""
) -> NewDocument:
    """Return the document of a new task, with the events of it and of its completions.

    Args:
        task: The task.
        completion_events: The event of each of its completions, in their order.
        import_id: The import that stores it, if it may yet be undone.
    """
    name = task_name(task.project, task.id)
    events = [NewEvent(type=EventType.TASK_CREATED, resource=name)]
    for one, event in zip(task.completions, completion_events, strict=True):
        resource = completion_name(task.project, task.id, one.id)
        events.append(NewEvent(type=event, resource=resource))
    body = task_document(task)
    if import_id:
        body["import_id"] = import_id
    return NewDocument(id=document_id(task.project, task.id), body=body, events=events)


class Tasks:
    """Creates, reads, lists, changes and removes tasks."""

    def __init__(
        self, store: DocumentStore, resources: Resources, catalog: Catalog, scan: TaskScan
    ) -> None:
        """Use an open store."""
        self._store = store
        self._resources = resources
        self._catalog = catalog
        self._scan = scan

    async def create_task(self, project: str, new: NewTask, key: RequestKey | None) -> Task:
        """Create an open task; an external id that the project has is refused."""
        pages, words, extra = check_pages(new.text, new.pages, new.words, new.extra, "task")
        check_task_text(new.text, "task.text", may_be_empty=bool(pages))
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
            tags=check_tags(new.tags, "task.tags"),
            group=check_group(new.group, "task.group"),
            pages=pages,
            words=words,
            extra=extra,
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
        """Read a task, also a deleted one, or raise NotFoundError."""
        body = await self._resources.get(
            TASKS, document_id(project, task), task_name(project, task)
        )
        return await self._catalog.with_present_labels(to_task(body))

    async def list_tasks(
        self,
        project: str,
        wanted: TaskFilter,
        external_id: str,
        page_size: int,
        page_token: str,
    ) -> tuple[list[Task], str]:
        """List tasks in order of creation."""
        await self._catalog.project(project)
        if external_id:
            check_external_id(external_id, "external_id")
            found = await self._store.find(
                TASKS, where=[Eq("project", project), Eq("external_id", external_id)], limit=1
            )
            how = await self._scan.plan(project, wanted, "filter")
            tasks = [to_task(one.body) for one in found]
            there = [
                await self._catalog.with_present_labels(one)
                for one in tasks
                if how.keep(one)
                and (one.deleted is not None) == wanted.deleted
                and (not wanted.statuses or one.status in wanted.statuses)
            ]
            return there, ""
        scope = f"ListTasks {project} {wanted}"
        return await self._scan.list_tasks(project, wanted, page_size, page_token, scope)

    async def update_task(
        self, project: str, task: str, etag: str, fields: TaskFields, mask: list[str]
    ) -> Task:
        """Change tags, group, split or notes of a task."""
        paths = check_mask(mask, ["tags", "group", "split", "metadata"])
        metadata = check_metadata(fields.metadata, "task.metadata")
        values: Document = {
            "tags": list(check_tags(fields.tags, "task.tags")),
            "group": check_group(fields.group, "task.group"),
            "split": fields.split.value,
            "metadata": [[name, metadata[name]] for name in sorted(metadata)],
        }
        name = task_name(project, task)

        def change(body: Document) -> Change:
            before = _there(body, name)
            check_etag(etag, name, before.version)
            return Change(
                fields={path: values[path] for path in paths},
                events=[_event(before, EventType.TASK_UPDATED)],
            )

        return await self._change(project, task, change)

    async def tag_tasks(
        self, project: str, tasks: Sequence[str], add: Sequence[str], remove: Sequence[str]
    ) -> int:
        """Add and remove tags of tasks, each in a write of its own; return how many changed."""
        check_count(tasks, "tasks", 1, MAX_TAGGED)
        added, removed = check_tags(add, "add"), check_tags(remove, "remove")
        if not added and not removed:
            raise invalid_field("add", "name tags to add or to remove.")
        ids = []
        for index, name in enumerate(tasks):
            parts = parse_name("projects/{project}/tasks/{task}", name, f"tasks[{index}]")
            if parts["project"] != project:
                raise invalid_field(f"tasks[{index}]", f"is not of {project_name(project)}.")
            ids.append(parts["task"])
        found = await self._store.get_many(TASKS, [document_id(project, one) for one in ids])
        for one in ids:
            if document_id(project, one) not in found:
                raise not_found(task_name(project, one))
        changed = 0
        for one in dict.fromkeys(ids):
            name = task_name(project, one)
            done = False

            def change(body: Document, name: str = name) -> Change | None:
                nonlocal done
                before = _there(body, name)
                tags = (set(before.tags) | set(added)) - set(removed)
                done = tags != set(before.tags)
                if not done:
                    return None
                return Change(
                    fields={"tags": list(check_tags(sorted(tags), "add"))},
                    events=[_event(before, EventType.TASK_UPDATED)],
                )

            await self._change(project, one, change)
            changed += done
        return changed

    async def delete_task(self, project: str, task: str, etag: str) -> Task:
        """Delete a task; it can be brought back."""
        name = task_name(project, task)

        def change(body: Document) -> Change:
            before = _there(body, name)
            check_etag(etag, name, before.version)
            return Change(
                fields={"deleted": self._resources.now()},
                events=[_event(before, EventType.TASK_DELETED)],
            )

        return await self._change(project, task, change)

    async def undelete_task(self, project: str, task: str) -> Task:
        """Bring a deleted task back."""
        name = task_name(project, task)

        def change(body: Document) -> Change:
            before = _deleted(body, name, "there is nothing to bring back")
            return Change(
                fields={"deleted": None}, events=[_event(before, EventType.TASK_RESTORED)]
            )

        return await self._change(project, task, change)

    async def purge_task(self, project: str, task: str) -> None:
        """Remove a deleted task for good, with everything that was said about it.

        Predictions and history go first and the task last, so that a call that broke off can be
        repeated.

        Raises:
            FailedPreconditionError: It is not deleted.
            NotFoundError: There is no such task.
        """
        name = task_name(project, task)
        key = document_id(project, task)
        found = _deleted(await self._resources.get(TASKS, key, name), name, "delete it first")
        # Nothing may publish states of it behind the purge.
        await self._resources.settle(TASKS, key)
        while predictions := await self._store.find(
            PREDICTIONS, where=[Eq("project", project), Eq("task", task)], limit=_PAGE
        ):
            await self._store.delete_many(PREDICTIONS, [one.id for one in predictions])
        for resource in (
            name,
            *(completion_name(project, task, one.id) for one in found.completions),
        ):
            await self._purge_history(resource)
        event = NewEvent(type=EventType.TASK_PURGED, resource=name)
        await self._resources.remove(TASKS, key, event, project)

    async def _purge_history(self, resource: str) -> None:
        while found := await self._store.find(
            HISTORY, where=[Eq("resource", resource)], limit=_PAGE
        ):
            await self._store.delete_many(HISTORY, [one.id for one in found])

    async def _change(
        self, project: str, task: str, change: Callable[[Document], Change | None]
    ) -> Task:
        body = await self._resources.change(
            TASKS, document_id(project, task), task_name(project, task), change
        )
        return await self._catalog.with_present_labels(to_task(body))


def _event(before: Task, type: EventType) -> NewEvent:
    return NewEvent(
        type=type,
        resource=task_name(before.project, before.id),
        before=task_fields(before),
        before_version=before.version,
    )


def _there(body: Document, name: str) -> Task:
    task = to_task(body)
    if task.deleted is not None:
        raise FailedPreconditionError(
            Reason.STATE_CONFLICT,
            f"{name} is deleted: undelete it first.",
            metadata={"resource": name, "state": "DELETED"},
        )
    return task


def _deleted(body: Document, name: str, advice: str) -> Task:
    task = to_task(body)
    if task.deleted is None:
        raise FailedPreconditionError(
            Reason.STATE_CONFLICT,
            f"{name} is not deleted: {advice}.",
            metadata={"resource": name, "state": task.status.value},
        )
    return task
