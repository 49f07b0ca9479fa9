"""Projects and their labels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.annotation.documents import (
    document_id,
    label_document,
    project_document,
    to_label,
    to_project,
)
from services.annotation.domain import (
    EventType,
    Label,
    Project,
    TaskStatus,
    label_name,
    project_name,
)
from services.annotation.etags import check_etag
from services.annotation.resources import Change, NewDocument, NewEvent, Resources
from services.annotation.schema import LABELS, PROJECTS, TASKS
from services.annotation.spans import MAX_LABEL
from services.common.errors import AlreadyExistsError, Reason
from services.common.idempotency import RequestKey
from services.common.paging import find_page, parse_page
from services.common.store.port import Document, DocumentStore, DuplicateError, Eq, Order
from services.common.validate import check_id, check_line, check_mask, check_text

_BY_CREATION = [Order(field="ord")]
_MAX_CACHED_PROJECTS = 256


@dataclass(frozen=True, kw_only=True)
class ProjectCounts:
    """How many tasks a project has."""

    tasks: int
    submitted: int


class Catalog:
    """Creates, reads, lists and changes projects and labels."""

    def __init__(self, store: DocumentStore, resources: Resources) -> None:
        """Use an open store."""
        self._store = store
        self._resources = resources
        # Labels are never removed, so a label once seen stays known.
        self._labels: dict[str, set[str]] = {}

    async def create_project(
        self, project_id: str, display_name: str, key: RequestKey | None
    ) -> Project:
        """Create a project; its display name defaults to its id."""
        check_id(project_id, "project_id")
        check_line(display_name, "project.display_name", 0, 200)
        now = self._resources.now()
        project = Project(
            id=project_id,
            uid=self._resources.new_id(),
            display_name=display_name or project_id,
            version=1,
            created=now,
            updated=now,
        )
        name = project_name(project_id)
        new = NewDocument(
            id=project_id,
            body=project_document(project),
            events=[NewEvent(type=EventType.PROJECT_CREATED, resource=name)],
        )
        try:
            return to_project(await self._resources.create(PROJECTS, new, key))
        except DuplicateError:
            raise AlreadyExistsError(
                Reason.RESOURCE_EXISTS,
                f"{name} exists already: choose another project_id.",
                metadata={"resource": name},
            ) from None

    async def project(self, project: str) -> Project:
        """Read a project, or raise NotFoundError."""
        return to_project(await self._resources.get(PROJECTS, project, project_name(project)))

    async def counts(self, project: str) -> ProjectCounts:
        """Count the tasks of a project."""
        return ProjectCounts(
            tasks=await self._store.count(TASKS, where=[Eq("project", project)]),
            submitted=await self._store.count(
                TASKS, where=[Eq("project", project), Eq("status", TaskStatus.SUBMITTED.value)]
            ),
        )

    async def list_projects(self, page_size: int, page_token: str) -> tuple[list[Project], str]:
        """List projects in order of creation."""
        scope = "ListProjects"
        page = parse_page(page_size, page_token, scope)
        found, token = await find_page(self._store, PROJECTS, [], _BY_CREATION, page, scope)
        return [to_project(one.body) for one in found], token

    async def update_project(
        self, project: str, etag: str, display_name: str, mask: list[str]
    ) -> Project:
        """Change a project's display name."""
        check_mask(mask, ["display_name"])
        check_line(display_name, "project.display_name", 0, 200)
        name = project_name(project)

        def change(body: Document) -> Change:
            check_etag(etag, name, body["version"])
            return Change(
                fields={"display_name": display_name or project},
                events=[NewEvent(type=EventType.PROJECT_UPDATED, resource=name)],
            )

        return to_project(await self._resources.change(PROJECTS, project, name, change))

    async def create_label(
        self, project: str, value: str, description: str, key: RequestKey | None
    ) -> Label:
        """Create a label, or raise AlreadyExistsError when the project has this value."""
        check_line(value, "label.value", 1, MAX_LABEL)
        check_text(description, "label.description", 0, 10_000)
        await self.project(project)
        new = self._new_label(project, value, description)
        try:
            label = to_label(await self._resources.create(LABELS, new, key))
        except DuplicateError:
            raise AlreadyExistsError(
                Reason.RESOURCE_EXISTS,
                f"{project_name(project)} has a label {value!r} already.",
                metadata={"resource": project_name(project), "value": value},
            ) from None
        self._known(project).add(label.value)
        return label

    async def ensure_labels(self, project: str, values: Iterable[str]) -> list[str]:
        """Create those of the labels that are missing and return them, in the order given."""
        created = []
        for value in values:
            new = self._new_label(project, value, "")
            try:
                await self._resources.create(LABELS, new)
            except DuplicateError:
                pass
            else:
                created.append(value)
            self._known(project).add(value)
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
        await self.project(project)
        found, token = await find_page(
            self._store, LABELS, [Eq("project", project)], _BY_CREATION, page, scope
        )
        return [to_label(one.body) for one in found], token

    async def update_label(
        self, project: str, label: str, etag: str, description: str, mask: list[str]
    ) -> Label:
        """Change a label's description."""
        check_mask(mask, ["description"])
        check_text(description, "label.description", 0, 10_000)
        name = label_name(project, label)

        def change(body: Document) -> Change:
            check_etag(etag, name, body["version"])
            return Change(
                fields={"description": description},
                events=[NewEvent(type=EventType.LABEL_UPDATED, resource=name)],
            )

        document = document_id(project, label)
        return to_label(await self._resources.change(LABELS, document, name, change))

    async def missing_labels(self, project: str, values: Iterable[str]) -> set[str]:
        """Return which of the values are no labels of the project."""
        wanted = set(values)
        if not wanted <= self._known(project):
            self._known(project).update(await self.label_values(project))
        return wanted - self._known(project)

    async def label_values(self, project: str) -> list[str]:
        """Return the values of all labels of a project, sorted."""
        values: list[str] = []
        after: list[str | int | float | bool | None] | None = None
        while True:
            found = await self._store.find(
                LABELS,
                where=[Eq("project", project)],
                order=[Order(field="value")],
                limit=1_000,
                after=after,
            )
            values.extend(one.body["value"] for one in found)
            if len(found) < 1_000:
                return values
            after = [values[-1], found[-1].id]

    def _new_label(self, project: str, value: str, description: str) -> NewDocument:
        now = self._resources.now()
        label = Label(
            project=project,
            id=self._resources.new_id(),
            value=value,
            description=description,
            version=1,
            created=now,
            updated=now,
        )
        return NewDocument(
            id=document_id(project, label.id),
            body=label_document(label),
            events=[NewEvent(type=EventType.LABEL_CREATED, resource=label_name(project, label.id))],
        )

    def _known(self, project: str) -> set[str]:
        if project not in self._labels and len(self._labels) >= _MAX_CACHED_PROJECTS:
            self._labels.clear()
        return self._labels.setdefault(project, set())
