"""Importing files of tasks."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from services.annotation import completion_state
from services.annotation.domain import Completion, EventType, Span, Split, Task, TaskFormat
from services.annotation.handlers.catalog import Catalog
from services.annotation.handlers.tasks import new_task_document
from services.annotation.imports.reader import FileReader
from services.annotation.imports.records import ParsedText, Record, Refused, refusal
from services.annotation.resources import NewDocument, Resources
from services.annotation.schema import TASKS
from services.annotation.spans import check_task_size
from services.common.errors import InvalidArgumentError, Reason
from services.common.offsets import OffsetEncoding
from services.common.validate import check_line

MAX_ERRORS = 1_000
_BATCH_BYTES = 8 * 1024 * 1024
_IN_MEMORY = 8 * 1024 * 1024
_PIECE = 1024 * 1024
# Together with "#" and a number it is an external id.
_MAX_SOURCE_NAME = 180


@dataclass(frozen=True, kw_only=True)
class ImportLimits:
    """Bounds of an import; see `AnnotationSettings`. Large files are kept in `spool_dir`."""

    max_line_bytes: int
    max_bytes: int
    batch_tasks: int
    spool_dir: Path | None = None


@dataclass(frozen=True, kw_only=True)
class ImportOrder:
    """What to import and how; see ``ImportTasksHeader``. `format` None: recognise it."""

    project: str
    format: TaskFormat | None = None
    split: Split = Split.UNSPECIFIED
    author: str = ""
    encoding: OffsetEncoding = OffsetEncoding.CODE_POINT
    create_labels: bool = False
    ignore_completions: bool = False
    source_name: str = ""


@dataclass(kw_only=True)
class ImportReport:
    """What an import did, growing while it runs; see ``ImportTasksResponse``."""

    tasks: int = 0
    completions: int = 0
    spans: int = 0
    unchanged: int = 0
    refused: int = 0
    errors: list[Refused] = field(default_factory=list)
    created_labels: list[str] = field(default_factory=list)
    format: TaskFormat | None = None

    def refuse(self, refused: Refused) -> None:
        """Count a refused text; the first MAX_ERRORS are kept."""
        self.refused += 1
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(refused)


class Importer:
    """Stores the texts of files, in bounded memory and in few writes."""

    def __init__(self, resources: Resources, catalog: Catalog, limits: ImportLimits) -> None:
        """Use an open store through `resources`."""
        self._resources = resources
        self._catalog = catalog
        self._limits = limits
        self._spool_dir = None if limits.spool_dir is None else str(limits.spool_dir)

    async def run(self, order: ImportOrder, pieces: AsyncIterator[bytes]) -> ImportReport:
        """Import one file that arrives in pieces.

        What the report counts as imported is stored for good; when this raises, what was stored
        until then stays, and the import can simply be repeated.

        Raises:
            InvalidArgumentError: IMPORT_EMPTY for a file without any text; REQUEST_TOO_LARGE.
            NotFoundError: There is no such project.
        """
        check_line(order.author, "header.author", 0, 200)
        check_line(order.source_name, "header.source_name", 0, _MAX_SOURCE_NAME)
        await self._catalog.project(order.project)
        order = replace(order, author=order.author or "import")
        pieces = self._bounded(pieces)
        if order.source_name:
            report = await self._import(order, pieces)
        else:
            # The hash of the whole file names its texts, so it must be here before the first one.
            with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=self._spool_dir) as file:
                digest = hashlib.sha256()
                async for piece in pieces:
                    digest.update(piece)
                    await asyncio.to_thread(file.write, piece)
                file.seek(0)
                order = replace(order, source_name=f"sha256:{digest.hexdigest()}")
                report = await self._import(order, _read(file))
        if not (report.tasks or report.unchanged or report.refused):
            raise InvalidArgumentError(
                Reason.IMPORT_EMPTY,
                "The file holds no text: send JSON lines or CoNLL columns.",
                metadata={"project": order.project},
            )
        return report

    async def _import(self, order: ImportOrder, pieces: AsyncIterator[bytes]) -> ImportReport:
        reader = FileReader(order.format, order.encoding, self._limits.max_line_bytes)
        run = _Run(order, self._resources, self._catalog, self._limits.batch_tasks)
        async for piece in pieces:
            # Reading is work for the processor: off the event loop, other calls go on.
            await run.take(await asyncio.to_thread(reader.feed, piece))
        await run.take(await asyncio.to_thread(reader.end))
        await run.flush()
        run.report.format = reader.format
        return run.report

    async def _bounded(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        total = 0
        async for piece in pieces:
            total += len(piece)
            if total > self._limits.max_bytes:
                raise InvalidArgumentError(
                    Reason.REQUEST_TOO_LARGE,
                    f"The file has more than {self._limits.max_bytes} bytes: divide it.",
                    metadata={"limit": str(self._limits.max_bytes)},
                )
            yield piece


class _Run:
    """One import under way: gathers texts to batches and stores them."""

    def __init__(
        self, order: ImportOrder, resources: Resources, catalog: Catalog, batch_tasks: int
    ) -> None:
        self._order = order
        self._resources = resources
        self._catalog = catalog
        self._batch_tasks = batch_tasks
        self._batch: list[tuple[NewDocument, int | None]] = []
        self._batch_bytes = 0
        self._unknown: set[str] = set()
        self.report = ImportReport()

    async def take(self, records: Iterable[Record]) -> None:
        for record in records:
            if isinstance(record, Refused):
                self.report.refuse(record)
                continue
            try:
                await self._add(record)
            except InvalidArgumentError as error:
                self.report.refuse(refusal(record.line, error))
            if len(self._batch) >= self._batch_tasks or self._batch_bytes >= _BATCH_BYTES:
                await self.flush()

    async def flush(self) -> None:
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        outcomes = await self._resources.create_many(
            self._order.project, TASKS, [document for document, _ in batch]
        )
        for stored, (_, spans) in zip(outcomes, batch, strict=True):
            if stored is None:
                self.report.unchanged += 1
                continue
            self.report.tasks += 1
            if spans is not None:
                self.report.completions += 1
                self.report.spans += spans

    async def _add(self, record: ParsedText) -> None:
        spans = None if self._order.ignore_completions else record.spans
        if spans is not None:
            refused = await self._check_labels(record)
            if refused is not None:
                self.report.refuse(refused)
                return
        now = self._resources.now()
        completions: tuple[Completion, ...] = ()
        event: EventType | None = None
        if spans is not None:
            one, event = self._completion(spans, now)
            completions = (one,)
        task = Task(
            project=self._order.project,
            id=self._resources.new_id(),
            text=record.text,
            external_id=record.external_id or f"{self._order.source_name}#{record.ordinal}",
            split=record.split or self._order.split,
            metadata=record.metadata,
            tokenised=record.tokenised,
            completions=completions,
            version=1,
            created=now,
            updated=now,
        )
        check_task_size(task.text, task.completions)
        self._batch.append((new_task_document(task, event), None if spans is None else len(spans)))
        self._batch_bytes += len(record.text) + 64 * len(spans or ())

    def _completion(self, spans: tuple[Span, ...], now: int) -> tuple[Completion, EventType]:
        return completion_state.begin(
            id=self._resources.new_id(),
            author=self._order.author,
            spans=spans,
            copied_from="",
            submit=True,
            now=now,
        )

    async def _check_labels(self, record: ParsedText) -> Refused | None:
        """Make the record's labels exist, or return why it is refused."""
        missing = set(record.labels) & self._unknown
        if not missing:
            missing = await self._catalog.missing_labels(self._order.project, record.labels)
        if not missing:
            return None
        if self._order.create_labels:
            wanted = [label for label in record.labels if label in missing]
            self.report.created_labels += await self._catalog.ensure_labels(
                self._order.project, wanted
            )
            return None
        self._unknown |= missing
        label = next(label for label in record.labels if label in missing)
        line, place = record.labels[label]
        return Refused(
            line=line,
            reason=Reason.LABEL_UNKNOWN,
            field=place,
            message=f"{place}: the project has no label {label!r}: create it first, or let the "
            "import create labels.",
        )


async def _read(file: tempfile.SpooledTemporaryFile[bytes]) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(file.read, _PIECE):
        yield piece
