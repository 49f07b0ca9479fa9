"""Completions, which lie within their task's document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from services.annotation import completion_state
from services.annotation.completion_changes import changed_task, event_of
from services.annotation.content import Content
from services.annotation.contents import (
    RawContent,
    checked_content,
    checked_lead_time,
    merged_content,
)
from services.annotation.documents import document_id, to_completion, to_task
from services.annotation.domain import (
    Completion,
    CompletionState,
    EventType,
    Task,
    completion_name,
    task_name,
)
from services.annotation.etags import check_etag
from services.annotation.handlers.catalog import Catalog
from services.annotation.handlers.tasks import Tasks
from services.annotation.history.documents import to_revision
from services.annotation.members.gate import Principal
from services.annotation.outbox import NewEvent
from services.annotation.resources import Change, Resources
from services.annotation.schema import HISTORY, PREDICTIONS, TASKS
from services.common.errors import FailedPreconditionError, Reason, invalid_field, not_found
from services.common.idempotency import RequestKey, check_repeat
from services.common.names import parse_name
from services.common.offsets import OffsetEncoding
from services.common.paging import Page, next_token, parse_page
from services.common.store.port import Document, DocumentStore
from services.common.validate import check_mask, check_text

MAX_COMPLETIONS = 1_000
_FIELD = "completion"
_CONTENT_FIELDS = ("spans", "choices", "relations", "regions", "extra")

Step = Callable[[Completion, int], tuple[Completion, EventType]]


@dataclass(frozen=True, kw_only=True)
class NewCompletion:
    """A completion as a caller wants it."""

    author: str
    content: RawContent
    copied_from: str
    submit: bool
    encoding: OffsetEncoding
    lead_time: float = 0.0


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
        principal: Principal,
    ) -> Annotated:
        """Create a completion, as a draft or submitted."""
        author = principal.check_author(new.author, "completion.author")
        lead_time = checked_lead_time(new.lead_time, "completion.lead_time_seconds")
        await self._check_copied_from(project, task, new.copied_from)
        before = await self._tasks.task(project, task)
        content = await self._checked(before, new.content, new.encoding)
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
            current = self._there(body, project, task)
            if len(current.completions) >= MAX_COMPLETIONS:
                raise FailedPreconditionError(
                    Reason.STATE_CONFLICT,
                    f"The task has {MAX_COMPLETIONS} completions, which is the most it can have.",
                    metadata={"limit": str(MAX_COMPLETIONS)},
                )
            completion, event = completion_state.begin(
                id=new_id,
                author=author,
                content=content,
                copied_from=new.copied_from,
                state=CompletionState.SUBMITTED if new.submit else CompletionState.DRAFT,
                now=self._resources.now(),
                lead_time=lead_time,
            )
            made = new_id
            resource = completion_name(project, task, new_id)
            return changed_task(
                body,
                (*current.completions, completion),
                [NewEvent(type=event, resource=resource, version=completion.version)],
                made_by={new_id: key} if key is not None else {},
            )

        after = await self._change(project, task, change)
        return self._annotated(after, made)

    async def completion(self, project: str, task: str, completion: str) -> Annotated:
        """Read a completion, also a deleted one, or raise NotFoundError."""
        name = completion_name(project, task, completion)
        body = await self._resources.get(TASKS, document_id(project, task), name)
        found = await self._catalog.with_present_labels(to_task(body))
        if found.completion(completion) is None:
            raise not_found(name)
        return self._annotated(found, completion)

    async def list_completions(
        self, project: str, task: str, page_size: int, page_token: str, *, deleted: bool = False
    ) -> tuple[Task, list[Completion], str]:
        """List the completions of a task in order of creation, with the task."""
        scope = f"ListCompletions {project} {task} {deleted}"
        page = parse_page(page_size, page_token, scope)
        found = await self._tasks.task(project, task)
        start = _start(page)
        wanted = [one for one in found.completions if deleted or one.deleted is None]
        some = wanted[start : start + page.size]
        end = start + len(some)
        more = end < len(wanted)
        return found, some, next_token([end], scope) if more else ""

    async def update_completion(
        self,
        project: str,
        task: str,
        completion: str,
        *,
        etag: str,
        content: RawContent,
        lead_time: float,
        encoding: OffsetEncoding,
        mask: Sequence[str],
        principal: Principal,
    ) -> Annotated:
        """Change what a completion says; one that was accepted is submitted again."""
        paths = check_mask(mask, [*_CONTENT_FIELDS, "lead_time_seconds"])
        before = await self.completion(project, task, completion)
        principal.check_own(before.completion.author)
        if "lead_time_seconds" in paths:
            checked_lead_time(lead_time, "completion.lead_time_seconds")
        fields = [path for path in paths if path in _CONTENT_FIELDS]
        sent = _only(content, fields)
        # Checked now; merged with what is there when it is written.
        table = await self._catalog.labels.table(project)
        checked = checked_content(
            before.task.text, len(before.task.pages), replace(sent, relations=()), encoding, _FIELD
        )
        await self._catalog.check_content(project, checked, _FIELD)
        checks = await self._catalog.config_checks(project) if "relations" in fields else None

        def step(one: Completion, now: int) -> tuple[Completion, EventType]:
            merged = merged_content(
                before.task.text,
                len(before.task.pages),
                one.content,
                sent,
                fields,
                encoding,
                _FIELD,
            )
            if checks is not None:
                # Only now it is known what they join; the choices that were sent are judged above.
                checks.check(replace(merged, choices=()), table, _FIELD)
            changed_lead = lead_time if "lead_time_seconds" in paths else one.lead_time
            return completion_state.edit(one, table.content(merged), changed_lead, now)

        return await self._advance(project, task, completion, etag, step)

    async def submit_completion(
        self, project: str, task: str, completion: str, etag: str, principal: Principal
    ) -> Annotated:
        """Hand a draft in, or a corrected completion again."""
        await self._check_own(project, task, completion, principal)
        return await self._advance(project, task, completion, etag, completion_state.submit)

    async def review_completion(
        self,
        project: str,
        task: str,
        completion: str,
        *,
        move: completion_state.Move,
        reviewer: str,
        comment: str,
        etag: str,
        principal: Principal,
    ) -> Annotated:
        """Accept or reject a completion, or withdraw its review."""
        check_text(comment, "comment", 0, 10_000)
        before = await self.completion(project, task, completion)
        who = principal.check_reviewer(reviewer, before.completion.author)
        return await self._advance(
            project,
            task,
            completion,
            etag,
            lambda one, now: completion_state.review(one, move, who, comment, now),
        )

    async def star_completion(
        self, project: str, task: str, completion: str, *, on: bool
    ) -> Annotated:
        """Make a completion the ground truth of its task, or take that away."""
        name = completion_name(project, task, completion)

        def change(body: Document) -> Change | None:
            current = self._there(body, project, task)
            one = current.completion(completion)
            if one is None:
                raise not_found(name)
            now = self._resources.now()
            starred = completion_state.star(one, on, now)
            if starred is None:
                return None
            changes = {completion: starred}
            for other in current.completions:
                if on and other.id != completion and other.ground_truth:
                    taken = completion_state.star(other, False, now)
                    if taken is not None:
                        changes[other.id] = taken
            return self._with_changes(body, current, changes)

        after = await self._change(project, task, change, name)
        return self._annotated(after, completion)

    async def delete_completion(
        self, project: str, task: str, completion: str, etag: str, principal: Principal
    ) -> Annotated:
        """Delete a completion; it can be brought back."""
        await self._check_own(project, task, completion, principal)
        return await self._advance(project, task, completion, etag, completion_state.delete)

    async def undelete_completion(
        self, project: str, task: str, completion: str, principal: Principal
    ) -> Annotated:
        """Bring a deleted completion back."""
        await self._check_own(project, task, completion, principal)
        return await self._advance(project, task, completion, "", completion_state.undelete)

    async def restore_revision(
        self,
        project: str,
        task: str,
        completion: str,
        *,
        version: int,
        etag: str,
        principal: Principal,
    ) -> Annotated:
        """Set a completion back to what an earlier revision of it said."""
        name = completion_name(project, task, completion)
        await self._check_own(project, task, completion, principal)
        stored = await self._store.get(HISTORY, f"{name}@{version}")
        if stored is None:
            raise invalid_field(
                "version", "is no earlier revision of the completion: see ListRevisions."
            )
        content = to_completion(to_revision(stored.body).state).content
        return await self._advance(
            project,
            task,
            completion,
            etag,
            lambda one, now: completion_state.restore_content(one, content, now),
        )

    async def _advance(
        self,
        project: str,
        task: str,
        completion: str,
        etag: str,
        step: Step,
    ) -> Annotated:
        name = completion_name(project, task, completion)

        def change(body: Document) -> Change:
            current = self._there(body, project, task)
            one = current.completion(completion)
            if one is None:
                raise not_found(name)
            # The state first: who repeats a submission whose answer was lost learns that it is in.
            changed = step(one, self._resources.now())
            check_etag(etag, name, one.version)
            return self._with_changes(body, current, {completion: changed})

        after = await self._change(project, task, change, name)
        return self._annotated(after, completion)

    def _with_changes(
        self,
        body: Document,
        current: Task,
        changes: dict[str, tuple[Completion, EventType]],
    ) -> Change:
        events = [
            event_of(current, before, changes[before.id][1])
            for before in current.completions
            if before.id in changes
        ]
        others = tuple(
            changes[one.id][0] if one.id in changes else one for one in current.completions
        )
        return changed_task(body, others, events)

    async def _change(
        self,
        project: str,
        task: str,
        change: Callable[[Document], Change | None],
        name: str = "",
    ) -> Task:
        body = await self._resources.change(
            TASKS, document_id(project, task), name or task_name(project, task), change
        )
        return await self._catalog.with_present_labels(to_task(body))

    def _there(self, body: Document, project: str, task: str) -> Task:
        current = to_task(body)
        if current.deleted is not None:
            raise FailedPreconditionError(
                Reason.STATE_CONFLICT,
                "The task is deleted: undelete it first.",
                metadata={"resource": task_name(project, task), "state": "DELETED"},
            )
        return current

    def _annotated(self, task: Task, completion: str) -> Annotated:
        one = task.completion(completion)
        if one is None:
            raise not_found(completion_name(task.project, task.id, completion))
        return Annotated(task=task, completion=one)

    async def _check_own(
        self, project: str, task: str, completion: str, principal: Principal
    ) -> None:
        found = await self.completion(project, task, completion)
        principal.check_own(found.completion.author)

    async def _checked(self, task: Task, raw: RawContent, encoding: OffsetEncoding) -> Content:
        checked = checked_content(task.text, len(task.pages), raw, encoding, _FIELD)
        await self._catalog.check_content(task.project, checked, _FIELD)
        table = await self._catalog.labels.table(task.project)
        return table.content(checked)

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


def _only(content: RawContent, fields: Sequence[str]) -> RawContent:
    """Return a content with nothing but these fields."""
    return RawContent(**{field: getattr(content, field) for field in fields})


def _start(page: Page) -> int:
    if page.after is None:
        return 0
    (start,) = page.after if len(page.after) == 1 else (None,)
    if type(start) is not int or start < 0:
        raise invalid_field(
            "page_token", "is not a token of this list.", reason=Reason.PAGE_TOKEN_INVALID
        )
    return start
