"""Rule sets of a project: stored, tried out, and applied to its tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from services.annotation.content import ScoredSpan
from services.annotation.documents import document_id
from services.annotation.domain import EventType, Prediction, Task, rule_set_name
from services.annotation.etags import check_etag
from services.annotation.handlers.catalog import Catalog
from services.annotation.handlers.predictions import (
    RULES_PREFIX,
    Predictions,
    prediction_id,
)
from services.annotation.outbox import NewEvent
from services.annotation.resources import Change, NewDocument, Resources
from services.annotation.rules.compiled import CompiledRules, compile_rules
from services.annotation.rules.documents import rule_set_document, to_rule_set
from services.annotation.rules.domain import Rule, RuleSet
from services.annotation.schema import PREDICTIONS, RULE_SETS
from services.annotation.selection.filters import TaskFilter
from services.annotation.selection.scan import TaskScan
from services.annotation.tasks import check_task_text
from services.common.errors import AlreadyExistsError, Reason, invalid_field
from services.common.paging import find_page, parse_page
from services.common.store.port import Document, DocumentStore, DuplicateError, Eq, Order
from services.common.validate import check_id, check_line, check_mask

_BY_CREATION = [Order(field="ord")]


@dataclass(frozen=True, kw_only=True)
class StoredRules:
    """A rule set with what the store knows of it; times are microseconds."""

    project: str
    rules: RuleSet
    version: int
    created: int
    updated: int


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far applying a rule set is."""

    generation: str
    tasks: int
    written: int
    unchanged: int
    spans: int


class RuleSets:
    """Creates, reads, lists, changes, removes, tries and applies rule sets."""

    def __init__(
        self,
        store: DocumentStore,
        resources: Resources,
        catalog: Catalog,
        scan: TaskScan,
        predictions: Predictions,
    ) -> None:
        """Use an open store."""
        self._store = store
        self._resources = resources
        self._catalog = catalog
        self._scan = scan
        self._predictions = predictions

    async def create(
        self, project: str, rule_set_id: str, display_name: str, rules: Sequence[Rule]
    ) -> StoredRules:
        """Create a rule set, or raise AlreadyExistsError."""
        check_id(rule_set_id, "rule_set_id")
        check_line(display_name, "rule_set.display_name", 0, 200)
        await self._catalog.project(project)
        made = RuleSet(
            id=rule_set_id,
            name=display_name or rule_set_id,
            revision=1,
            rules=tuple(rules),
        )
        await self._compiled(project, made)
        now = self._resources.now()
        name = rule_set_name(project, rule_set_id)
        document = NewDocument(
            id=document_id(project, rule_set_id),
            body={
                **rule_set_document(made),
                "project": project,
                "version": 1,
                "created": now,
                "updated": now,
            },
            events=[NewEvent(type=EventType.RULE_SET_CREATED, resource=name)],
        )
        try:
            return _stored(await self._resources.create(RULE_SETS, document))
        except DuplicateError:
            raise AlreadyExistsError(
                Reason.RESOURCE_EXISTS,
                f"{name} exists already: choose another rule_set_id, or change it.",
                metadata={"resource": name},
            ) from None

    async def rule_set(self, project: str, rule_set: str) -> StoredRules:
        """Read a rule set, or raise NotFoundError."""
        return _stored(
            await self._resources.get(
                RULE_SETS, document_id(project, rule_set), rule_set_name(project, rule_set)
            )
        )

    async def list_rule_sets(
        self, project: str, page_size: int, page_token: str
    ) -> tuple[list[StoredRules], str]:
        """List rule sets in order of creation."""
        scope = f"ListRuleSets {project}"
        page = parse_page(page_size, page_token, scope)
        await self._catalog.project(project)
        found, token = await find_page(
            self._store, RULE_SETS, [Eq("project", project)], _BY_CREATION, page, scope
        )
        return [_stored(one.body) for one in found], token

    async def update(
        self,
        project: str,
        rule_set: str,
        *,
        etag: str,
        display_name: str,
        rules: Sequence[Rule],
        mask: list[str],
    ) -> StoredRules:
        """Change a rule set; changed rules make a new revision."""
        paths = check_mask(mask, ["display_name", "rules"])
        check_line(display_name, "rule_set.display_name", 0, 200)
        before = await self.rule_set(project, rule_set)
        if "rules" in paths:
            await self._compiled(project, replace(before.rules, rules=tuple(rules)))
        name = rule_set_name(project, rule_set)

        def change(body: Document) -> Change:
            check_etag(etag, name, body["version"])
            current = to_rule_set(body)
            wanted = current
            if "display_name" in paths:
                wanted = replace(wanted, name=display_name or rule_set)
            if "rules" in paths and tuple(rules) != current.rules:
                wanted = replace(wanted, rules=tuple(rules), revision=current.revision + 1)
            event = NewEvent(
                type=EventType.RULE_SET_UPDATED,
                resource=name,
                before=rule_set_document(current),
                before_version=body["version"],
            )
            return Change(fields=rule_set_document(wanted), events=[event])

        key = document_id(project, rule_set)
        return _stored(await self._resources.change(RULE_SETS, key, name, change))

    async def delete(self, project: str, rule_set: str, etag: str) -> None:
        """Delete a rule set; predictions made by it stay."""
        name = rule_set_name(project, rule_set)
        before = await self.rule_set(project, rule_set)
        check_etag(etag, name, before.version)
        event = NewEvent(
            type=EventType.RULE_SET_DELETED,
            resource=name,
            before=rule_set_document(before.rules),
            before_version=before.version,
        )
        await self._resources.remove(RULE_SETS, document_id(project, rule_set), event, project)

    async def preview(
        self, project: str, rules: Sequence[Rule], rule_set: str, text: str
    ) -> tuple[ScoredSpan, ...]:
        """Return what rules, or those of a rule set, find in a text."""
        check_task_text(text, "text")
        if bool(rules) == bool(rule_set):
            raise invalid_field("rules", "send either rules or the name of a rule_set.")
        if rule_set:
            wanted = (await self.rule_set(project, rule_set)).rules
        else:
            wanted = RuleSet(id="preview", name="preview", revision=1, rules=tuple(rules))
        compiled = await self._compiled(project, wanted)
        table = await self._catalog.labels.table(project)
        return table.scored(await asyncio.to_thread(compiled.annotate, text))

    async def apply(
        self, project: str, rule_set: str, wanted: TaskFilter
    ) -> AsyncIterator[Progress]:
        """Write a prediction for each task without one of this revision; tell how far it is.

        What is written stays when the caller goes away; calling again goes on from there.
        """
        found = (await self.rule_set(project, rule_set)).rules
        compiled = await self._compiled(project, found)
        generation = f"{RULES_PREFIX}{found.id}@{found.revision}"
        progress = Progress(generation=generation, tasks=0, written=0, unchanged=0, spans=0)
        async for tasks in self._scan.tasks(project, wanted):
            ids = {task.id: prediction_id(task.id, generation) for task in tasks}
            keys = [f"{project}/{task}/{one}" for task, one in ids.items()]
            known = await self._store.get_many(PREDICTIONS, keys)
            missing = [task for task in tasks if f"{project}/{task.id}/{ids[task.id]}" not in known]
            now = self._resources.now()
            made = await asyncio.to_thread(_predictions, compiled, missing, generation, now)
            table = await self._catalog.labels.table(project)
            made = [replace(one, spans=table.scored(one.spans)) for one in made]
            written, unchanged = await self._predictions.write_checked(project, made)
            progress = replace(
                progress,
                tasks=progress.tasks + len(tasks),
                written=progress.written + written,
                unchanged=progress.unchanged + unchanged + len(known),
                spans=progress.spans + sum(len(one.spans) for one in made),
            )
            yield progress
        if progress.tasks == 0:
            yield progress

    async def _compiled(self, project: str, rule_set: RuleSet) -> CompiledRules:
        """Return rules that run.

        Raises:
            InvalidArgumentError: FIELD_INVALID for rules that cannot; LABEL_UNKNOWN.
        """
        compiled = await asyncio.to_thread(compile_rules, rule_set)
        table = await self._catalog.labels.table(project)
        for place, rule in enumerate(rule_set.rules):
            if table.get(rule.label) is None:
                raise invalid_field(
                    f"rules[{place}].label",
                    f"the project has no label {rule.label!r}: create it first.",
                    reason=Reason.LABEL_UNKNOWN,
                )
        return compiled


def _predictions(
    compiled: CompiledRules, tasks: Sequence[Task], generation: str, now: int
) -> list[Prediction]:
    return [
        Prediction(
            project=task.project,
            task=task.id,
            id=prediction_id(task.id, generation),
            generation=generation,
            adapters={},
            model_versions={},
            spans=compiled.annotate(task.text) if task.text else (),
            created=now,
        )
        for task in tasks
    ]


def _stored(body: Document) -> StoredRules:
    return StoredRules(
        project=body["project"],
        rules=to_rule_set(body),
        version=body["version"],
        created=body["created"],
        updated=body["updated"],
    )
