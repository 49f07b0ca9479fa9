"""Snapshots: frozen copies of the selected completions of a project."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from services.annotation.dataset import Example, Snapshot, SplitPolicy
from services.annotation.dataset_documents import (
    example_list,
    snapshot_document,
    to_example,
    to_snapshot,
)
from services.annotation.documents import document_id
from services.annotation.domain import EventType, snapshot_name
from services.annotation.handlers.catalog import Catalog
from services.annotation.outbox import NewEvent
from services.annotation.resources import NewDocument, Resources
from services.annotation.schema import CHUNKS, SNAPSHOTS
from services.annotation.selection.handler import Selector
from services.annotation.selection.rules import Selection
from services.annotation.selection.scan import chunk_id
from services.annotation.splits import check_policy, content_hash, counts, divide, with_positives
from services.common.errors import DataLossError, FailedPreconditionError, Reason
from services.common.idempotency import RequestKey
from services.common.paging import find_page, parse_page
from services.common.store.port import DocumentStore, Eq, Order
from services.common.validate import check_text

# Chunks are closed at this size, so that one is at most twice as large but for one huge text.
_CHUNK_BYTES = 512 * 1024
_BY_CREATION = [Order(field="ord")]


class Snapshots:
    """Takes, lists and reads snapshots."""

    def __init__(
        self, store: DocumentStore, resources: Resources, catalog: Catalog, selector: Selector
    ) -> None:
        """Use an open store."""
        self._store = store
        self._resources = resources
        self._catalog = catalog
        self._selector = selector

    async def create(
        self,
        project: str,
        policy: SplitPolicy | None,
        key: RequestKey | None,
        selection: Selection | None = None,
        description: str = "",
    ) -> Snapshot:
        """Freeze the completions that a selection takes.

        The examples are written first and the snapshot last, so a half-written one is never seen.
        """
        if policy is not None:
            check_policy(policy, "split_policy")
        check_text(description, "description", 0, 1_000)
        await self._catalog.project(project)
        if key is not None:
            first = await self._resources.made_by(SNAPSHOTS, key)
            if first is not None:
                return to_snapshot(first)
        used = await self._selector.settled(project, selection or Selection())
        selected = await self._select(project, used)
        if not selected:
            raise FailedPreconditionError(
                Reason.NO_TRAINING_DATA,
                "No completion is selected: annotate and submit, import some, or select otherwise; "
                "PreviewSelection says for each completion why it is not taken.",
                metadata={"project": project},
            )
        # After the tasks: a label that a completion uses is in the table.
        table = await self._catalog.labels.table(project)
        trained = table.trained()
        labels = tuple(trained)
        examples, split = await asyncio.to_thread(divide, selected, policy)
        examples = await asyncio.to_thread(with_positives, examples, trained)
        digest = await asyncio.to_thread(content_hash, labels, examples)
        counted = counts(labels, examples)
        new_id = self._resources.new_id()
        chunks = await self._write_chunks(project, new_id, examples)
        snapshot = Snapshot(
            project=project,
            id=new_id,
            content_hash=digest,
            policy=split,
            labels=labels,
            example_counts=counted.examples,
            span_counts=counted.spans,
            choice_counts=counted.choices,
            assertion_counts=counted.assertions,
            chunks=chunks,
            created=self._resources.now(),
            selection=used,
            positives={
                label: tuple(sorted(values)) for label, values in trained.items() if len(values) > 1
            },
            description=description,
        )
        new = NewDocument(
            id=document_id(project, new_id),
            body=snapshot_document(snapshot),
            events=[
                NewEvent(type=EventType.SNAPSHOT_CREATED, resource=snapshot_name(project, new_id))
            ],
        )
        stored = to_snapshot(await self._resources.create(SNAPSHOTS, new, key))
        if stored.id != new_id:  # the same request came twice at once and the other one was first
            ids = [chunk_id(project, new_id, number) for number in range(chunks)]
            await self._store.delete_many(CHUNKS, ids)
        return stored

    async def snapshot(self, project: str, snapshot: str) -> Snapshot:
        """Read a snapshot without its examples, or raise NotFoundError."""
        return to_snapshot(
            await self._resources.get(
                SNAPSHOTS, document_id(project, snapshot), snapshot_name(project, snapshot)
            )
        )

    async def list_snapshots(
        self, project: str, page_size: int, page_token: str
    ) -> tuple[list[Snapshot], str]:
        """List snapshots in order of creation."""
        scope = f"ListSnapshots {project}"
        page = parse_page(page_size, page_token, scope)
        await self._catalog.project(project)
        found, token = await find_page(
            self._store, SNAPSHOTS, [Eq("project", project)], _BY_CREATION, page, scope
        )
        return [to_snapshot(one.body) for one in found], token

    async def read(self, project: str, snapshot: str) -> AsyncIterator[list[Example]]:
        """Yield the examples in their fixed order, some at a time."""
        found = await self.snapshot(project, snapshot)
        for number in range(found.chunks):
            chunk = await self._store.get(CHUNKS, chunk_id(project, snapshot, number))
            if chunk is None:
                name = snapshot_name(project, snapshot)
                raise DataLossError(
                    Reason.ARTIFACT_CORRUPT,
                    f"Examples of {name} are missing from the database: restore it or take a new "
                    "snapshot.",
                    metadata={"resource": name},
                )
            yield [to_example(stored) for stored in chunk.body["examples"]]

    async def _select(self, project: str, selection: Selection) -> list[Example]:
        examples: list[Example] = []
        async for pairs in self._selector.select(project, selection):
            examples.extend(
                Example(
                    task=task.id,
                    completion=completion.id,
                    text=task.text,
                    # What a file said beyond annotations is no training data.
                    content=replace(completion.content, extra="", regions=()),
                    split=task.split,
                    group=task.group,
                    tags=task.tags,
                )
                for task, completion in pairs
                if completion is not None and task.text
            )
        return examples

    async def _write_chunks(self, project: str, snapshot: str, examples: Sequence[Example]) -> int:
        number = held = 0
        chunk: list[object] = []
        for place, example in enumerate(examples, start=1):
            stored = example_list(example)
            chunk.append(stored)
            held += len(json.dumps(stored, ensure_ascii=False).encode())
            if held >= _CHUNK_BYTES or place == len(examples):
                await self._store.insert(
                    CHUNKS, chunk_id(project, snapshot, number), {"examples": chunk}
                )
                number, held, chunk = number + 1, 0, []
        return number
