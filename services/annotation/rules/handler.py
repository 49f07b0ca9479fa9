"""Rule sets of a project: stored, tried out, and applied to its tasks.

What was deleted stays in the store as a removed rule set without rules, which is none for anybody:
so when its id is used again, its revisions go on. Predictions that are still there can then never
pass for those of other rules, and neither ids of events nor history repeat.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from services.annotation.content import ScoredSpan
from services.annotation.documents import document_id
from services.annotation.domain import EventType, rule_set_name
from services.annotation.etags import check_etag
from services.annotation.handlers.catalog import Catalog
from services.annotation.handlers.predictions import Predictions
from services.annotation.labels.table import LabelTable
from services.annotation.outbox import NewEvent
from services.annotation.principal import current_user
from services.annotation.resources import Change, NewDocument, Resources
from services.annotation.rules.applying import Applying, Progress
from services.annotation.rules.checks import size_of
from services.annotation.rules.compiled import CompiledRules, compile_rules
from services.annotation.rules.documents import rule_set_document, to_rule_set
from services.annotation.rules.domain import Rule, RuleSet
from services.annotation.rules.limits import PREVIEW_SECONDS
from services.annotation.rules.turns import Turns
from services.annotation.schema import RULE_SETS
from services.annotation.selection.filters import TaskFilter
from services.annotation.selection.scan import TaskScan
from services.annotation.tasks import check_task_text
from services.common.errors import AlreadyExistsError, Reason, invalid_field, not_found
from services.common.paging import find_page, next_token, parse_page
from services.common.store.port import (
    Document,
    DocumentStore,
    DuplicateError,
    Eq,
    Order,
    position,
)
from services.common.validate import check_id, check_line, check_mask

_BY_CREATION = [Order(field="ord")]
# Bounds a page of rule sets, each of which may have megabytes of terms.
_MAX_LISTED = 20
_MAX_LISTED_SIZE = 4 << 20
# When a deleted rule set was deleted; null or absent in the others.
_REMOVED = "removed"


@dataclass(frozen=True, kw_only=True)
class StoredRules:
    """A rule set with what the store knows of it; times are microseconds."""

    project: str
    rules: RuleSet
    version: int
    created: int
    updated: int


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
        self._turns = Turns()
        self._applying = Applying(store, resources, catalog, scan, predictions)

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
        await self._runnable(project, made)
        now = self._resources.now()
        document = NewDocument(
            id=document_id(project, rule_set_id),
            body={
                **rule_set_document(made),
                "project": project,
                "version": 1,
                "created": now,
                "updated": now,
            },
            events=[_created(project, rule_set_id)],
        )
        try:
            return _stored(await self._resources.create(RULE_SETS, document))
        except DuplicateError:
            return await self._create_again(project, made, now)

    async def _create_again(self, project: str, made: RuleSet, now: int) -> StoredRules:
        """Use the id of a deleted rule set again, or raise AlreadyExistsError."""
        name = rule_set_name(project, made.id)

        def change(body: Document) -> Change:
            if body.get(_REMOVED) is None:
                raise AlreadyExistsError(
                    Reason.RESOURCE_EXISTS,
                    f"{name} exists already: choose another rule_set_id, or change it.",
                    metadata={"resource": name},
                )
            again = replace(made, revision=to_rule_set(body).revision + 1)
            fields = {**rule_set_document(again), "created": now, "ord": now, _REMOVED: None}
            return Change(fields=fields, events=[_created(project, made.id)])

        key = document_id(project, made.id)
        return _stored(await self._resources.change(RULE_SETS, key, name, change))

    async def rule_set(self, project: str, rule_set: str) -> StoredRules:
        """Read a rule set, or raise NotFoundError."""
        name = rule_set_name(project, rule_set)
        body = await self._resources.get(RULE_SETS, document_id(project, rule_set), name)
        return _stored(_present(body, name))

    async def list_rule_sets(
        self, project: str, page_size: int, page_token: str
    ) -> tuple[list[StoredRules], str]:
        """List rule sets in order of creation; a page is shorter where they are large."""
        scope = f"ListRuleSets {project}"
        page = parse_page(page_size, page_token, scope)
        page = replace(page, size=min(page.size, _MAX_LISTED))
        await self._catalog.project(project)
        found, token = await find_page(
            self._store, RULE_SETS, [Eq("project", project)], _BY_CREATION, page, scope
        )
        listed: list[StoredRules] = []
        size = 0
        for place, stored in enumerate(found):
            if stored.body.get(_REMOVED) is not None:
                continue
            one = _stored(stored.body)
            size += size_of(one.rules)
            if listed and size > _MAX_LISTED_SIZE:
                return listed, next_token(position(found[place - 1], _BY_CREATION), scope)
            listed.append(one)
        return listed, token

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
            await self._runnable(project, replace(before.rules, rules=tuple(rules)))
        name = rule_set_name(project, rule_set)

        def change(body: Document) -> Change:
            current = to_rule_set(_present(body, name))
            check_etag(etag, name, body["version"])
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

        def change(body: Document) -> Change:
            current = to_rule_set(_present(body, name))
            check_etag(etag, name, body["version"])
            event = NewEvent(
                type=EventType.RULE_SET_DELETED,
                resource=name,
                before=rule_set_document(current),
                before_version=body["version"],
            )
            fields = {"rules": [], _REMOVED: self._resources.now()}
            return Change(fields=fields, events=[event])

        key = document_id(project, rule_set)
        await self._resources.change(RULE_SETS, key, name, change)

    async def preview(
        self, project: str, rules: Sequence[Rule], rule_set: str, text: str
    ) -> tuple[ScoredSpan, ...]:
        """Return what rules, or those of a rule set, find in a text.

        A caller's previews run one after the other, so that slow ones delay nobody else.

        Raises:
            ResourceExhaustedError: REQUEST_TOO_LARGE: the rules match too often.
            DeadlineExceededError: DEADLINE_EXCEEDED: they compute longer than PREVIEW_SECONDS.
        """
        check_task_text(text, "text")
        if bool(rules) == bool(rule_set):
            raise invalid_field("rules", "send either rules or the name of a rule_set.")
        if rule_set:
            wanted = (await self.rule_set(project, rule_set)).rules
        else:
            wanted = RuleSet(id="preview", name="preview", revision=1, rules=tuple(rules))
        table = await self._catalog.labels.table(project)

        def annotate() -> tuple[ScoredSpan, ...]:
            return _compiled(wanted, table).annotate(text, limit_s=PREVIEW_SECONDS)

        # Whoever calls for the services calls for many: these take turns by project.
        caller = current_user() or f"projects/{project}"
        found = await self._turns.run(caller, annotate)
        return (await self._catalog.labels.table(project)).scored(found)

    async def apply(
        self, project: str, rule_set: str, wanted: TaskFilter
    ) -> AsyncIterator[Progress]:
        """Write a prediction for each task without one of this revision; tell how far it is.

        What is written stays when the caller goes away; calling again goes on from there.
        """
        found = (await self.rule_set(project, rule_set)).rules
        compiled = await self._runnable(project, found)
        async for progress in self._applying.run(project, compiled, wanted):
            yield progress

    async def _runnable(self, project: str, rule_set: RuleSet) -> CompiledRules:
        """Return rules that run; see `_compiled`."""
        table = await self._catalog.labels.table(project)
        return await asyncio.to_thread(_compiled, rule_set, table)


def _compiled(rule_set: RuleSet, table: LabelTable) -> CompiledRules:
    """Return rules that run. Computes: run it in a thread.

    Raises:
        InvalidArgumentError: FIELD_INVALID for rules that cannot, or none; LABEL_UNKNOWN.
    """
    if not rule_set.rules:
        raise invalid_field("rules", "are none: give at least one rule.")
    compiled = compile_rules(rule_set)
    for place, rule in enumerate(rule_set.rules):
        if table.get(rule.label) is None:
            raise invalid_field(
                f"rules[{place}].label",
                f"the project has no label {rule.label!r}: create it first.",
                reason=Reason.LABEL_UNKNOWN,
            )
    return compiled


def _created(project: str, rule_set: str) -> NewEvent:
    return NewEvent(type=EventType.RULE_SET_CREATED, resource=rule_set_name(project, rule_set))


def _present(body: Document, name: str) -> Document:
    """Return the document of a rule set that was not deleted, or raise NotFoundError."""
    if body.get(_REMOVED) is not None:
        raise not_found(name)
    return body


def _stored(body: Document) -> StoredRules:
    return StoredRules(
        project=body["project"],
        rules=to_rule_set(body),
        version=body["version"],
        created=body["created"],
        updated=body["updated"],
    )
