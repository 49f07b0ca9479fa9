"""Projects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.annotation.content import Content
from services.annotation.documents import project_document, to_project
from services.annotation.domain import (
    EventType,
    Project,
    Task,
    TaskStatus,
    TieBreak,
    project_name,
)
from services.annotation.etags import check_etag
from services.annotation.labeling.checks import (
    ConfigChecks,
    label_values_of,
    usable_config,
)
from services.annotation.labeling.config import LabelingConfig
from services.annotation.labels.handler import Labels
from services.annotation.outbox import NewEvent
from services.annotation.resources import Change, NewDocument, Resources
from services.annotation.schema import PROJECTS, TASKS
from services.common.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    Reason,
    invalid_field,
)
from services.common.idempotency import RequestKey
from services.common.logs import get_logger
from services.common.paging import find_page, parse_page
from services.common.store.port import Document, DocumentStore, DuplicateError, Eq, Order
from services.common.validate import check_id, check_line, check_mask

_BY_CREATION = [Order(field="ord")]
_MAX_CACHED_CONFIGS = 256

_log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class ProjectFields:
    """What a caller may say about a project."""

    display_name: str = ""
    labeling_config: str = ""
    tie_break: TieBreak = TieBreak.MOST_RECENT


class Catalog:
    """Creates, reads, lists and changes projects, and checks contents against them."""

    def __init__(self, store: DocumentStore, resources: Resources, labels: Labels) -> None:
        """Use an open store."""
        self._store = store
        self._resources = resources
        self.labels = labels
        self._configs: dict[str, tuple[LabelingConfig, ConfigChecks]] = {}

    async def create_project(
        self, project_id: str, new: ProjectFields, key: RequestKey | None
    ) -> Project:
        """Create a project; its display name defaults to its id.

        Raises:
            FailedPreconditionError: LABELING_CONFIG_INVALID.
        """
        check_id(project_id, "project_id")
        display_name = check_line(new.display_name, "project.display_name", 0, 200)
        config = usable_config(new.labeling_config, "project.labeling_config")
        now = self._resources.now()
        project = Project(
            id=project_id,
            uid=self._resources.new_id(),
            display_name=display_name or project_id,
            version=1,
            created=now,
            updated=now,
            labeling_config=new.labeling_config,
            tie_break=new.tie_break,
        )
        name = project_name(project_id)
        document = NewDocument(
            id=project_id,
            body=project_document(project),
            events=[NewEvent(type=EventType.PROJECT_CREATED, resource=name)],
        )
        try:
            made = to_project(await self._resources.create(PROJECTS, document, key))
        except DuplicateError:
            raise AlreadyExistsError(
                Reason.RESOURCE_EXISTS,
                f"{name} exists already: choose another project_id.",
                metadata={"resource": name},
            ) from None
        if config is not None:
            await self.labels.ensure(project_id, label_values_of(config))
        return made

    async def project(self, project: str) -> Project:
        """Read a project, or raise NotFoundError."""
        return to_project(await self._resources.get(PROJECTS, project, project_name(project)))

    async def counts(self, project: str) -> dict[TaskStatus, int]:
        """Count the tasks of a project that are not deleted, by status."""
        there = [Eq("project", project), Eq("deleted", None)]
        return {
            status: await self._store.count(TASKS, where=[*there, Eq("status", status.value)])
            for status in TaskStatus
        }

    async def list_projects(self, page_size: int, page_token: str) -> tuple[list[Project], str]:
        """List projects in order of creation."""
        scope = "ListProjects"
        page = parse_page(page_size, page_token, scope)
        found, token = await find_page(self._store, PROJECTS, [], _BY_CREATION, page, scope)
        return [to_project(one.body) for one in found], token

    async def update_project(
        self, project: str, etag: str, wanted: ProjectFields, mask: list[str]
    ) -> Project:
        """Change a project.

        Raises:
            FailedPreconditionError: LABELING_CONFIG_INVALID.
        """
        paths = check_mask(mask, ["display_name", "labeling_config", "tie_break"])
        check_line(wanted.display_name, "project.display_name", 0, 200)
        name = project_name(project)
        config = None
        if "labeling_config" in paths:
            await self.project(project)
            config = usable_config(wanted.labeling_config, "project.labeling_config")
            if config is not None:
                # Labels first: a config never names one that is not there.
                await self.labels.ensure(project, label_values_of(config))
        values: Document = {
            "display_name": wanted.display_name or project,
            "labeling_config": wanted.labeling_config,
            "tie_break": wanted.tie_break.value,
        }

        def change(body: Document) -> Change:
            check_etag(etag, name, body["version"])
            return Change(
                fields={path: values[path] for path in paths},
                events=[project_event(to_project(body))],
            )

        return to_project(await self._resources.change(PROJECTS, project, name, change))

    async def change_config(
        self, project: str, rewrite: Callable[[str], str]
    ) -> tuple[Project, bool]:
        """Rewrite a project's labelling config in one guarded write.

        What could not be used is not stored: the config stays as it is then.

        Returns:
            The project after it, and whether anything was changed.
        """
        name = project_name(project)
        changed = False

        def change(body: Document) -> Change | None:
            nonlocal changed
            before = to_project(body)
            after = rewrite(before.labeling_config)
            changed = after != before.labeling_config and _is_usable(project, after)
            if not changed:
                return None
            return Change(fields={"labeling_config": after}, events=[project_event(before)])

        stored = await self._resources.change(PROJECTS, project, name, change)
        return to_project(stored), changed

    async def config(self, project: str) -> LabelingConfig | None:
        """Return the parsed labelling config of a project, or None when it has none."""
        found = await self._config(project)
        return None if found is None else found[0]

    async def config_checks(self, project: str) -> ConfigChecks | None:
        """Return what checks contents against a project's config, or None when it has none."""
        found = await self._config(project)
        return None if found is None else found[1]

    async def _config(self, project: str) -> tuple[LabelingConfig, ConfigChecks] | None:
        xml = (await self.project(project)).labeling_config
        if not xml:
            return None
        found = self._configs.get(xml)
        if found is None:
            if len(self._configs) >= _MAX_CACHED_CONFIGS:
                self._configs.clear()
            config = usable_config(xml, "project.labeling_config")
            assert config is not None  # noqa: S101 - only an empty config is None
            found = self._configs[xml] = (config, ConfigChecks(config))
        return found

    async def check_content(self, project: str, content: Content, field: str) -> None:
        """Return when the project has the labels and choices of a content.

        Raises:
            InvalidArgumentError: LABEL_UNKNOWN, or FIELD_INVALID for what the labelling config does
                not have, and for spans that are the same by the present names of their labels.
        """
        table = await self.labels.table(project)
        for index, span in enumerate(content.spans):
            if table.get(span.label) is None:
                raise _unknown_label(f"{field}.spans[{index}].label", span.label)
        for index, region in enumerate(content.regions):
            for place, label in enumerate(region.labels):
                if table.get(label) is None:
                    raise _unknown_label(f"{field}.regions[{index}].labels[{place}]", label)
        table.check_distinct(content, field)
        if content.choices or content.relations or any(one.assertion for one in content.spans):
            checks = await self.config_checks(project)
            if checks is not None:
                checks.check(content, table, field)

    async def with_present_labels(self, task: Task) -> Task:
        """Return a task with labels as they are called now."""
        return (await self.labels.table(task.project)).task(task)


def _is_usable(project: str, xml: str) -> bool:
    try:
        usable_config(xml, "project.labeling_config")
    except FailedPreconditionError as refusal:
        _log.warning("config_not_rewritten", project=project, code=refusal.metadata["code"])
        return False
    return True


def _unknown_label(field: str, label: str) -> InvalidArgumentError:
    return invalid_field(
        field,
        f"the project has no label {label!r}: create it first.",
        reason=Reason.LABEL_UNKNOWN,
    )


def project_event(before: Project) -> NewEvent:
    """Return the event of a change of a project, with the state that it ends."""
    return NewEvent(
        type=EventType.PROJECT_UPDATED,
        resource=project_name(before.id),
        before=project_document(before),
        before_version=before.version,
    )
