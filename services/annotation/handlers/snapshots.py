"""Snapshots: frozen copies of the submitted completions of a project."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

from services.annotation.documents import (
    document_id,
    example_list,
    snapshot_document,
    to_example,
    to_snapshot,
    to_task,
)
from services.annotation.domain import (
    EventType,
    Example,
    Ratios,
    Snapshot,
    SplitPolicy,
    TaskStatus,
    snapshot_name,
)
from services.annotation.handlers.catalog import Catalog
from services.annotation.resources import NewDocument, NewEvent, Resources
from services.annotation.schema import CHUNKS, SNAPSHOTS, TASKS
from services.annotation.splits import check_ratios, content_hash, counts, divide
from services.common.errors import DataLossError, FailedPreconditionError, Reason
from services.common.idempotency import RequestKey
from services.common.paging import find_page, parse_page
from services.common.store.port import DocumentStore, Eq, Order, Scalar, position

# Chunks are closed at this size, so that one is at most twice as large but for one huge text.
_CHUNK_BYTES = 512 * 1024
_PAGE = 500
_BY_CREATION = [Order(field="ord")]


class Snapshots:
    """Takes, lists and reads snapshots."""

    def __init__(self, store: DocumentStore, resources: Resources, catalog: Catalog) -> None:
        """Use an open store."""
        self._store = store
        self._resources = resources
        self._catalog = catalog

    async def create(
        self, project: str, policy: SplitPolicy | None, key: RequestKey | None
    ) -> Snapshot:
        """Freeze the completion submitted last of each task.

        The examples are written first and the snapshot last, so a half-written one is never seen.
        """
        if isinstance(policy, Ratios):
            check_ratios(policy, "split_policy.ratios")
        await self._catalog.project(project)
        if key is not None:
            first = await self._resources.made_by(SNAPSHOTS, key)
            if first is not None:
                return to_snapshot(first)
        selected = await self._select(project)
        if not selected:
            raise FailedPreconditionError(
                Reason.NO_TRAINING_DATA,
                "The project has no submitted completion: annotate and submit, or import some.",
                metadata={"project": project},
            )
        # After the tasks: a label that a completion uses is in the list.
        labels = tuple(await self._catalog.label_values(project))
        examples, used = await asyncio.to_thread(divide, selected, policy)
        digest = await asyncio.to_thread(content_hash, labels, examples)
        example_counts, span_counts = counts(labels, examples)
        new_id = self._resources.new_id()
        chunks = await self._write_chunks(project, new_id, examples)
        snapshot = Snapshot(
            project=project,
            id=new_id,
            content_hash=digest,
            policy=used,
            labels=labels,
            example_counts=example_counts,
            span_counts=span_counts,
            chunks=chunks,
            created=self._resources.now(),
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
            for number in range(chunks):
                await self._store.delete(CHUNKS, _chunk_id(project, new_id, number))
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
            chunk = await self._store.get(CHUNKS, _chunk_id(project, snapshot, number))
            if chunk is None:
                name = snapshot_name(project, snapshot)
                raise DataLossError(
                    Reason.ARTIFACT_CORRUPT,
                    f"Examples of {name} are missing from the database: restore it or take a new "
                    "snapshot.",
                    metadata={"resource": name},
                )
            yield [to_example(stored) for stored in chunk.body["examples"]]

    async def _select(self, project: str) -> list[Example]:
        examples: list[Example] = []
        after: list[Scalar] | None = None
        while True:
            found = await self._store.find(
                TASKS,
                where=[Eq("project", project), Eq("status", TaskStatus.SUBMITTED.value)],
                order=_BY_CREATION,
                limit=_PAGE,
                after=after,
            )
            for stored in found:
                task = to_task(stored.body)
                completion = task.last_submitted()
                if completion is not None:
                    examples.append(
                        Example(
                            task=task.id,
                            completion=completion.id,
                            text=task.text,
                            spans=completion.spans,
                            split=task.split,
                        )
                    )
            if len(found) < _PAGE:
                return examples
            after = position(found[-1], _BY_CREATION)

    async def _write_chunks(self, project: str, id: str, examples: Sequence[Example]) -> int:
        number = held = 0
        chunk: list[object] = []
        for place, example in enumerate(examples, start=1):
            stored = example_list(example)
            chunk.append(stored)
            held += len(json.dumps(stored, ensure_ascii=False).encode())
            if held >= _CHUNK_BYTES or place == len(examples):
                await self._store.insert(
                    CHUNKS, _chunk_id(project, id, number), {"examples": chunk}
                )
                number, held, chunk = number + 1, 0, []
        return number


def _chunk_id(project: str, snapshot: str, number: int) -> str:
    return f"{project}/{snapshot}/{number:06d}"
