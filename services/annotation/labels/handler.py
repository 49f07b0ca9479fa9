"""Labels: creating, renaming, linking them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from services.annotation.documents import document_id, label_document, to_label
from services.annotation.domain import EventType, Label, label_name, project_name
from services.annotation.etags import check_etag
from services.annotation.labels.table import LabelTable
from services.annotation.outbox import NewEvent
from services.annotation.resources import Change, NewDocument, Resources
from services.annotation.schema import LABELS
from services.annotation.spans import MAX_LABEL
from services.common.errors import AlreadyExistsError, Reason
from services.common.idempotency import RequestKey
from services.common.paging import find_page, parse_page
from services.common.store.port import Document, DocumentStore, DuplicateError, Eq, Order, Scalar
from services.common.validate import check_count, check_line, check_mask, check_text

MAX_LABELS = 10_000
MAX_LINKS = 1_000
_BY_CREATION = [Order(field="ord")]
_MAX_CACHED_PROJECTS = 256
# How long a change of labels by another process may go unseen.
_FRESH_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class LabelFields:
    """What a caller may say about a label."""

    value: str
    description: str = ""
    inherits: Sequence[str] = ()
    alias_as: str = ""


class Labels:
    """Creates, reads, lists and changes labels."""

    def __init__(self, store: DocumentStore, resources: Resources) -> None:
        """Use an open store."""
        self._store = store
        self._resources = resources
        self._tables: dict[str, tuple[float, LabelTable]] = {}
        # One change at a time: what is checked over all labels still holds when it is written.
        self._changing = asyncio.Lock()

    async def table(self, project: str) -> LabelTable:
        """Return all labels of a project; what this process changed is seen at once."""
        read, table = self._tables.get(project, (0.0, None))
        now = time.monotonic()
        if table is None or now - read > _FRESH_SECONDS:
            table = LabelTable(await self._all(project))
            if len(self._tables) >= _MAX_CACHED_PROJECTS:
                self._tables.clear()
            self._tables[project] = (now, table)
        return table

    async def create_label(
        self, project: str, fields: LabelFields, key: RequestKey | None
    ) -> Label:
        """Create a label, or raise AlreadyExistsError when the project has or had this value."""
        check_line(fields.value, "label.value", 1, MAX_LABEL)
        check_text(fields.description, "label.description", 0, 10_000)
        check_count(fields.inherits, "label.inherits", 0, MAX_LINKS)
        async with self._changing:
            if key is not None:
                first = await self._resources.made_by(LABELS, key)
                if first is not None:
                    return to_label(first)
            table = await self._fresh(project)
            self._check_free(project, table, fields.value, None)
            check_count([*table.labels, 0], "label", 0, MAX_LABELS)
            inherits, alias = table.check_links(
                fields.value, fields.inherits, fields.alias_as, "label"
            )
            label = replace(
                self._new(project, fields.value, fields.description),
                inherits=inherits,
                alias_as=alias,
            )
            try:
                return to_label(await self._resources.create(LABELS, _document(label), key))
            except DuplicateError:
                raise _taken(project, fields.value) from None
            finally:
                self._tables.pop(project, None)

    async def ensure(self, project: str, values: Iterable[str]) -> list[str]:
        """Create those of the labels that are missing and return them, in the order given."""
        created = []
        async with self._changing:
            table = await self._fresh(project)
            wanted = [value for value in dict.fromkeys(values) if table.get(value) is None]
            check_count([*table.labels, *wanted], "labels", 0, MAX_LABELS)
            for value in wanted:
                try:
                    await self._resources.create(LABELS, _document(self._new(project, value, "")))
                except DuplicateError:
                    continue
                created.append(value)
            self._tables.pop(project, None)
        return created

    async def label(self, project: str, label: str) -> Label:
        """Read a label, or raise NotFoundError."""
        return to_label(
            await self._resources.get(
                LABELS, document_id(project, label), label_name(project, label)
            )
        )

    async def list_labels(
        self, project: str, page_size: int, page_token: str
    ) -> tuple[list[Label], str]:
        """List labels in order of creation."""
        scope = f"ListLabels {project}"
        page = parse_page(page_size, page_token, scope)
        found, token = await find_page(
            self._store, LABELS, [Eq("project", project)], _BY_CREATION, page, scope
        )
        return [to_label(one.body) for one in found], token

    async def update_label(
        self, project: str, label: str, etag: str, fields: LabelFields, mask: list[str]
    ) -> Label:
        """Change a label; what was annotated under a former value carries the new one."""
        paths = check_mask(mask, ["value", "description", "inherits", "alias_as"])
        check_text(fields.description, "label.description", 0, 10_000)
        check_count(fields.inherits, "label.inherits", 0, MAX_LINKS)
        if "value" in paths:
            check_line(fields.value, "label.value", 1, MAX_LABEL)
        name = label_name(project, label)
        async with self._changing:
            before = await self.label(project, label)
            table = await self._fresh(project)
            wanted = before
            if "value" in paths and fields.value != before.value:
                self._check_free(project, table, fields.value, before)
                former = tuple(one for one in before.former_values if one != fields.value)
                wanted = replace(wanted, value=fields.value, former_values=(*former, before.value))
            if "description" in paths:
                wanted = replace(wanted, description=fields.description)
            if "inherits" in paths or "alias_as" in paths:
                inherits, alias = table.check_links(
                    before.value,
                    fields.inherits if "inherits" in paths else before.inherits,
                    fields.alias_as if "alias_as" in paths else before.alias_as,
                    "label",
                )
                wanted = replace(wanted, inherits=inherits, alias_as=alias)
            document = label_document(wanted)
            changed = ("value", "description", "inherits", "alias_as", "former_values")

            def change(body: Document) -> Change:
                check_etag(etag, name, body["version"])
                event = NewEvent(
                    type=EventType.LABEL_UPDATED,
                    resource=name,
                    before=label_document(to_label(body)),
                    before_version=body["version"],
                )
                return Change(fields={field: document[field] for field in changed}, events=[event])

            try:
                return to_label(
                    await self._resources.change(LABELS, document_id(project, label), name, change)
                )
            except DuplicateError:
                raise _taken(project, fields.value) from None
            finally:
                self._tables.pop(project, None)

    async def _fresh(self, project: str) -> LabelTable:
        self._tables.pop(project, None)
        return await self.table(project)

    async def _all(self, project: str) -> list[Label]:
        labels: list[Label] = []
        after: list[Scalar] | None = None
        while True:
            found = await self._store.find(
                LABELS,
                where=[Eq("project", project)],
                order=_BY_CREATION,
                limit=1_000,
                after=after,
            )
            labels.extend(to_label(one.body) for one in found)
            if len(found) < 1_000:
                return labels
            after = [found[-1].body["ord"], found[-1].id]

    def _check_free(self, project: str, table: LabelTable, value: str, label: Label | None) -> None:
        owner = table.get(value)
        if owner is not None and (label is None or owner.id != label.id):
            raise _taken(project, value)

    def _new(self, project: str, value: str, description: str) -> Label:
        now = self._resources.now()
        return Label(
            project=project,
            id=self._resources.new_id(),
            value=value,
            description=description,
            version=1,
            created=now,
            updated=now,
        )


def _document(label: Label) -> NewDocument:
    name = label_name(label.project, label.id)
    return NewDocument(
        id=document_id(label.project, label.id),
        body=label_document(label),
        events=[NewEvent(type=EventType.LABEL_CREATED, resource=name)],
    )


def _taken(project: str, value: str) -> AlreadyExistsError:
    return AlreadyExistsError(
        Reason.RESOURCE_EXISTS,
        f"{project_name(project)} has a label {value!r} already, or had one before it was renamed.",
        metadata={"resource": project_name(project), "value": value},
    )
