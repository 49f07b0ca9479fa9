"""Exporting tasks as files, and the two formats' writers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import regex  # type: ignore[import-untyped]  # it has no types

from services.annotation.documents import to_task
from services.annotation.domain import Span, Task, TaskFormat, TaskStatus
from services.annotation.handlers.catalog import Catalog
from services.annotation.schema import TASKS
from services.annotation.spans import encoded_extents
from services.common.offsets import OffsetEncoding
from services.common.store.port import (
    Condition,
    DocumentStore,
    Eq,
    Order,
    Scalar,
    position,
)

_PIECE = 256 * 1024
_PAGE = 200
_BY_CREATION = [Order(field="ord")]
# A word with its combining marks, or one other sign with its own.
_TOKEN = regex.compile(r"[\w\p{M}]+|[^\w\s]\p{M}*")
_WORD = regex.compile(r"[^ ]+")


@dataclass(frozen=True, kw_only=True)
class ExportPiece:
    """The next bytes of an exported file; the last piece carries the counts."""

    data: bytes
    last: bool = False
    tasks: int = 0
    omitted_spans: int = 0


class Exporter:
    """Writes the tasks of a project as one file."""

    def __init__(self, store: DocumentStore, catalog: Catalog) -> None:
        """Use an open store."""
        self._store = store
        self._catalog = catalog

    async def run(
        self,
        project: str,
        format: TaskFormat,
        status: TaskStatus | None,
        encoding: OffsetEncoding,
    ) -> AsyncIterator[ExportPiece]:
        """Yield the file in pieces, tasks in order of creation.

        Each task comes with the completion that was submitted last. CoNLL cannot say that a text
        is not annotated, so tasks without a submitted completion are left out of it.
        """
        await self._catalog.project(project)
        buffer = bytearray()
        tasks = omitted = 0
        async for task in self._tasks(project, status):
            if format is TaskFormat.JSONL:
                buffer += json_line(task, encoding)
            else:
                completion = task.last_submitted()
                lines, left_out = (b"", 0)
                if completion is not None:
                    lines, left_out = conll_lines(task, completion.spans)
                omitted += left_out
                if not lines:
                    continue
                buffer += lines
            tasks += 1
            if len(buffer) >= _PIECE:
                for start in range(0, len(buffer), _PIECE):
                    yield ExportPiece(data=bytes(buffer[start : start + _PIECE]))
                buffer.clear()
        yield ExportPiece(data=bytes(buffer), last=True, tasks=tasks, omitted_spans=omitted)

    async def _tasks(self, project: str, status: TaskStatus | None) -> AsyncIterator[Task]:
        where: list[Condition] = [Eq("project", project)]
        if status is not None:
            where.append(Eq("status", status.value))
        after: list[Scalar] | None = None
        while True:
            found = await self._store.find(
                TASKS, where=where, order=_BY_CREATION, limit=_PAGE, after=after
            )
            for stored in found:
                yield to_task(stored.body)
            if len(found) < _PAGE:
                return
            after = position(found[-1], _BY_CREATION)


def json_line(task: Task, encoding: OffsetEncoding) -> bytes:
    """Return a task as one line that an import reads back as the same task."""
    line: dict[str, Any] = {}
    if task.external_id:
        line["id"] = task.external_id
    line["text"] = task.text
    completion = task.last_submitted()
    if completion is not None:
        extents = encoded_extents(task.text, completion.spans, encoding)
        line["spans"] = [
            {"start": start, "end": end, "label": span.label, "id": span.id}
            for (start, end), span in zip(extents, completion.spans, strict=True)
        ]
    if task.split:
        line["split"] = task.split.value
    if task.metadata:
        line["metadata"] = dict(task.metadata)
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


def conll_lines(task: Task, spans: Sequence[Span]) -> tuple[bytes, int]:
    """Return a task as IOB2 lines with an empty line behind, and how many spans it cannot hold.

    Of spans that overlap, the one that begins first is kept, of those the longest. A text of
    nothing but blanks has no lines.
    """
    pattern = _WORD if task.tokenised else _TOKEN
    tokens = [match.span() for match in pattern.finditer(task.text)]
    begins = {start: place for place, (start, _) in enumerate(tokens)}
    ends = {end: place for place, (_, end) in enumerate(tokens)}
    tags = ["O"] * len(tokens)
    omitted = behind = 0
    for span in sorted(spans, key=lambda one: (one.start, -one.end, one.label)):
        first, last = begins.get(span.start), ends.get(span.end)
        if first is None or last is None or span.start < behind:
            omitted += 1
            continue
        tags[first : last + 1] = [f"B-{span.label}", *[f"I-{span.label}"] * (last - first)]
        behind = span.end
    if not tokens:
        return b"", omitted
    rows = (
        f"{task.text[start:end]}\t{tag}\n" for (start, end), tag in zip(tokens, tags, strict=True)
    )
    return ("".join(rows) + "\n").encode(), omitted
