"""Exporting tasks, or the examples of a snapshot, as files."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace

from services.annotation.dataset import Example
from services.annotation.domain import Completion, CompletionState, Split, Task
from services.annotation.formats.records import ExportItem, TaskFormat, WriteOptions, Writer
from services.annotation.formats.registry import FORMATS
from services.annotation.handlers.catalog import Catalog
from services.annotation.handlers.predictions import Predictions
from services.annotation.handlers.snapshots import Snapshots
from services.annotation.selection.filters import TaskFilter
from services.annotation.selection.handler import Selector, of_filter
from services.common.errors import invalid_field

_PIECE = 256 * 1024


@dataclass(frozen=True, kw_only=True)
class ExportPiece:
    """The next bytes of an exported file; the last piece carries the counts."""

    data: bytes
    last: bool = False
    exported: int = 0
    omitted: Mapping[str, int] | None = None


class Exporter:
    """Writes the tasks of a project, or the examples of a snapshot, as one file."""

    def __init__(
        self,
        catalog: Catalog,
        selector: Selector,
        predictions: Predictions,
        snapshots: Snapshots,
    ) -> None:
        """Read through these."""
        self._catalog = catalog
        self._selector = selector
        self._predictions = predictions
        self._snapshots = snapshots

    async def tasks(
        self, project: str, format: TaskFormat, wanted: TaskFilter, options: WriteOptions
    ) -> AsyncIterator[ExportPiece]:
        """Yield the file of the tasks that a filter means, in order of creation.

        Formats with one annotation per text get the completion that a snapshot would take. Where
        the format has no place for predictions, those of all these tasks are counted as omitted,
        whether the task itself has a place or not.
        """
        options = replace(options, config=await self._catalog.config(project))
        run = _Run(_writer(format, options))
        async for pairs in self._selector.select(project, of_filter(wanted)):
            items = [_item(task, chosen) for task, chosen in pairs]
            if run.writer.wants_predictions:
                items = await self._with_predictions(project, items)
            else:
                run.leave_out(
                    "predictions",
                    await self._predictions.count_of_tasks(project, [task.id for task, _ in pairs]),
                )
            for piece in await run.add(items):
                yield piece
        for piece in await run.end():
            yield piece

    async def snapshot(
        self,
        project: str,
        snapshot: str,
        format: TaskFormat,
        split: Split,
        options: WriteOptions,
    ) -> AsyncIterator[ExportPiece]:
        """Yield the file of the examples of a snapshot, in their fixed order.

        What is written is what was frozen; the id of the task is its external id there.
        """
        found = await self._snapshots.snapshot(project, snapshot)
        options = replace(options, config=await self._catalog.config(project))
        run = _Run(_writer(format, options))
        async for examples in self._snapshots.read(project, snapshot):
            items = [
                _example_item(project, one, found.created)
                for one in examples
                if split in {Split.UNSPECIFIED, one.split}
            ]
            for piece in await run.add(items):
                yield piece
        for piece in await run.end():
            yield piece

    async def _with_predictions(
        self, project: str, items: Sequence[ExportItem]
    ) -> list[ExportItem]:
        found = await self._predictions.of_tasks(project, [item.task.id for item in items])
        return [replace(item, predictions=tuple(found.get(item.task.id, ()))) for item in items]


class _Run:
    """One file under way."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self._buffer = bytearray(writer.begin())
        self._given = 0
        self._left_out: Counter[str] = Counter()

    def leave_out(self, name: str, count: int) -> None:
        """Count what the writer is not given, as it has no place for it."""
        self._left_out[name] += count

    async def add(self, items: Sequence[ExportItem]) -> list[ExportPiece]:
        """Write tasks on a thread, and return the pieces that are full."""
        await asyncio.to_thread(self._write, items)
        full = len(self._buffer) - len(self._buffer) % _PIECE
        pieces = [
            ExportPiece(data=bytes(self._buffer[start : start + _PIECE]))
            for start in range(0, full, _PIECE)
        ]
        del self._buffer[:full]
        return pieces

    async def end(self) -> list[ExportPiece]:
        """Return what is left, the last piece with the counts."""
        self._buffer += await asyncio.to_thread(self.writer.end)
        pieces = [
            ExportPiece(data=bytes(self._buffer[start : start + _PIECE]))
            for start in range(0, len(self._buffer), _PIECE)
        ] or [ExportPiece(data=b"")]
        omitted: Counter[str] = self.writer.omitted + self._left_out
        # A writer that holds everything back until its end returns nothing for a task that it
        # took, so what was taken is what was given but for the tasks that it names as omitted.
        left_out = sum(count for name, count in omitted.items() if name.startswith("tasks "))
        pieces[-1] = replace(
            pieces[-1], last=True, exported=self._given - left_out, omitted=dict(+omitted)
        )
        return pieces

    def _write(self, items: Sequence[ExportItem]) -> None:
        for item in items:
            self._buffer += self.writer.add(item)
        self._given += len(items)


def _writer(format: TaskFormat, options: WriteOptions) -> Writer:
    info = FORMATS[format]
    if info.writer is None:
        raise invalid_field("format", f"{format.value} can be imported, but not exported.")
    return info.writer(options)


def _item(task: Task, chosen: Completion | None) -> ExportItem:
    there = tuple(one for one in task.completions if one.deleted is None)
    return ExportItem(task=replace(task, completions=there), chosen=chosen)


def _example_item(project: str, example: Example, created: int) -> ExportItem:
    completion = Completion(
        id=example.completion,
        author="snapshot",
        state=CompletionState.SUBMITTED,
        content=example.content,
        copied_from="",
        version=1,
        created=created,
        updated=created,
        submitted=created,
    )
    task = Task(
        project=project,
        id=example.task,
        text=example.text,
        external_id=example.task,
        split=example.split,
        metadata={},
        tokenised=False,
        completions=(completion,),
        version=1,
        created=created,
        updated=created,
        group=example.group,
    )
    return ExportItem(task=task, chosen=completion)
