"""Completions, which lie within their task's document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from services.annotation import completion_state
from services.annotation.documents import document_id, task_document, to_task
from services.annotation.domain import (
    Completion,
    EventType,
    Span,
    Task,
    completion_name,
    task_name,
)
from services.annotation.etags import check_etag
from services.annotation.handlers.catalog import Catalog
from services.annotation.handlers.tasks import Tasks
from services.annotation.resources import Change, NewEvent, Resources
from services.annotation.schema import PREDICTIONS, TASKS
from services.annotation.spans import RawSpan, check_task_size, checked_spans
from services.common.errors import FailedPreconditionError, Reason, invalid_field, not_found
from services.common.idempotency import RequestKey, check_repeat
from services.common.names import parse_name
from services.common.offsets import OffsetEncoding
from services.common.paging import Page, next_token, parse_page
from services.common.store.port import Document, DocumentStore
from services.common.validate import check_line, check_mask

MAX_COMPLETIONS = 1_000


@dataclass(frozen=True, kw_only=True)
class NewCompletion:
    """A completion as a caller wants it."""

    author: str
    spans: Sequence[RawSpan]
    copied_from: str
    submit: bool
    encoding: OffsetEncoding


@dataclass(frozen=True, kw_only=True)
class Annotated:
    """A completion with the task that it belongs to."""

    task: Task
    completion: Completion


class Completions:
    """Creates, reads, lists and changes completions."""

    def __init__(
        self, store: DocumentStore, resources: Resources, catalog: Catalog, tasks: Tasks
    ) -> None:
        """Use an open store."""
        self._tasks = tasks
        self._store = store
        self._resources = resources
        self._catalog = catalog

    async def create_completion(
        self,
        project: str,
        task: str,
        new: NewCompletion,
        key: RequestKey | None,
    ) -> Annotated:
        """Create a completion, as a draft or submitted."""
        check_line(new.author, "completion.author", 1, 200)
        await self._check_copied_from(project, task, new.copied_from)
        before = await self._tasks.task(project, task)
        spans = await self._checked(before, new.spans, new.encoding)
        new_id = self._resources.new_id()
        made = new_id

        def change(body: Document) -> Change | None:
            nonlocal made
            if key is not None:
                for one in body["completions"]:
                    if one.get("request_key") == key.key:
                        check_repeat(one["request_fingerprint"], key)
                        made = one["id"]
                        return None
            current = to_task(body)
            if len(current.completions) >= MAX_COMPLETIONS:
                raise FailedPreconditionError(
                    Reason.STATE_CONFLICT,
                    f"The task has {MAX_COMPLETIONS} completions, which is the most it can have.",
                    metadata={"limit": str(MAX_COMPLETIONS)},
                )
            completion, event = completion_state.begin(
                id=new_id,
                author=new.author,
                spans=spans,
                copied_from=new.copied_from,
                submit=new.submit,
                now=self._resources.now(),
            )
            made = new_id
            return self._changed(body, (*current.completions, completion), new_id, event, key)

        after = await self._change(project, task, change)
        completion = after.completion(made)
        if completion is None:
            raise not_found(completion_name(project, task, made))
        return Annotated(task=after, completion=completion)

    async def completion(self, project: str, task: str, completion: str) -> Annotated:
        """Read a completion, or raise NotFoundError."""
        name = completion_name(project, task, completion)
        body = await self._resources.get(TASKS, document_id(project, task), name)
        found = to_task(body)
        one = found.completion(completion)
        if one is None:
            raise not_found(name)
        return Annotated(task=found, completion=one)

    async def list_completions(
        self, project: str, task: str, page_size: int, page_token: str
    ) -> tuple[Task, list[Completion], str]:
        """List the completions of a task in order of creation, with the task."""
        scope = f"ListCompletions {project} {task}"
        page = parse_page(page_size, page_token, scope)
        found = await self._tasks.task(project, task)
        start = _start(page)
        some = list(found.completions[start : start + page.size])
        end = start + len(some)
        more = end < len(found.completions)
        return found, some, next_token([end], scope) if more else ""

    async def update_completion(
        self,
        project: str,
        task: str,
        completion: str,
        *,
        etag: str,
        spans: Sequence[RawSpan],
        encoding: OffsetEncoding,
        mask: Sequence[str],
    ) -> Annotated:
        """Replace the spans of a completion; a submitted one stays submitted."""
        check_mask(mask, ["spans"])
        before = await self.completion(project, task, completion)
        checked = await self._checked(before.task, spans, encoding)
        return await self._advance(
            project,
            task,
            completion,
            etag,
            lambda one, now: completion_state.edit(one, checked, now),
        )

    async def submit_completion(
        self, project: str, task: str, completion: str, etag: str
    ) -> Annotated:
        """Hand a draft in."""
        return await self._advance(project, task, completion, etag, completion_state.submit)

    async def _advance(
        self,
        project: str,
        task: str,
        completion: str,
        etag: str,
        step: Callable[[Completion, int], tuple[Completion, EventType]],
    ) -> Annotated:
        name = completion_name(project, task, completion)

        def change(body: Document) -> Change:
            current = to_task(body)
            one = current.completion(completion)
            if one is None:
                raise not_found(name)
            # The state first: who repeats a submission whose answer was lost learns that it is in.
            changed, event = step(one, self._resources.now())
            check_etag(etag, name, one.version)
            others = tuple(
                changed if other.id == completion else other for other in current.completions
            )
            return self._changed(body, others, completion, event, None)

        after = await self._change(project, task, change, name)
        one = after.completion(completion)
        if one is None:
            raise not_found(name)
        return Annotated(task=after, completion=one)

    async def _change(
        self,
        project: str,
        task: str,
        change: Callable[[Document], Change | None],
        name: str = "",
    ) -> Task:
        return to_task(
            await self._resources.change(
                TASKS, document_id(project, task), name or task_name(project, task), change
            )
        )

    def _changed(
        self,
        body: Document,
        completions: tuple[Completion, ...],
        changed: str,
        event: EventType,
        key: RequestKey | None,
    ) -> Change:
        """Return the change of a task document to these completions, one of which is new."""
        task = replace(to_task(body), completions=completions)
        check_task_size(task.text, completions)
        kept = {one["id"]: one for one in body["completions"]}
        documents = task_document(task)["completions"]
        for one in documents:
            # Keys of the requests that made them stay with the completions.
            earlier = kept.get(one["id"], {})
            for field in ("request_key", "request_fingerprint"):
                if field in earlier:
                    one[field] = earlier[field]
            if one["id"] == changed and key is not None:
                one["request_key"] = key.key
                one["request_fingerprint"] = key.fingerprint
        resource = completion_name(task.project, task.id, changed)
        return Change(
            fields={"completions": documents, "status": task.status.value},
            events=[NewEvent(type=event, resource=resource)],
        )

    async def _checked(
        self, task: Task, spans: Sequence[RawSpan], encoding: OffsetEncoding
    ) -> tuple[Span, ...]:
        checked = checked_spans(task.text, spans, encoding, "completion.spans")
        missing = await self._catalog.missing_labels(task.project, {s.label for s in checked})
        for index, span in enumerate(spans):
            if span.label in missing:
                raise invalid_field(
                    f"completion.spans[{index}].label",
                    f"the project has no label {span.label!r}: create it first.",
                    reason=Reason.LABEL_UNKNOWN,
                )
        return checked

    async def _check_copied_from(self, project: str, task: str, copied_from: str) -> None:
        if not copied_from:
            return
        field = "completion.copied_from"
        parts = parse_name(
            "projects/{project}/tasks/{task}/predictions/{prediction}", copied_from, field
        )
        document = f"{parts['project']}/{parts['task']}/{parts['prediction']}"
        if (parts["project"], parts["task"]) != (project, task) or await self._store.get(
            PREDICTIONS, document
        ) is None:
            raise invalid_field(field, "is no prediction of this task.")


def _start(page: Page) -> int:
    if page.after is None:
        return 0
    (start,) = page.after if len(page.after) == 1 else (None,)
    if type(start) is not int or start < 0:
        raise invalid_field(
            "page_token", "is not a token of this list.", reason=Reason.PAGE_TOKEN_INVALID
        )
    return start
