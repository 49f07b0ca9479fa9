"""Importing files of tasks."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from itertools import islice
from typing import BinaryIO, cast

from services.annotation.formats.detect import HEAD_BYTES, detect, explain, needs_more
from services.annotation.formats.records import ReadOptions, Record, TaskFormat
from services.annotation.formats.registry import FORMATS
from services.annotation.handlers.catalog import Catalog
from services.annotation.handlers.predictions import Predictions
from services.annotation.resources import Resources
from services.annotation.transfer.atomic import AtomicImports
from services.annotation.transfer.orders import (
    ImportLimits,
    ImportOrder,
    ImportReport,
    check_order,
)
from services.annotation.transfer.storing import Checking, NotAsAWholeError, Storing
from services.common.errors import InvalidArgumentError, Reason
from services.common.store.port import DocumentStore

_IN_MEMORY = 8 * 1024 * 1024
_PIECE = 256 * 1024
# White space and the byte order mark of UTF-8.
_BLANKS = b" \t\r\n\x0b\x0c\xef\xbb\xbf"
# How many texts are read on the thread at a time.
_READ_AHEAD = 200


class Importer:
    """Stores the texts of files, in bounded memory and in few writes."""

    def __init__(
        self,
        store: DocumentStore,
        resources: Resources,
        catalog: Catalog,
        predictions: Predictions,
        atomic: AtomicImports,
        limits: ImportLimits,
    ) -> None:
        """Use an open store through `resources`."""
        self._store = store
        self._resources = resources
        self._catalog = catalog
        self._predictions = predictions
        self._atomic = atomic
        self._limits = limits
        self._spool_dir = None if limits.spool_dir is None else str(limits.spool_dir)

    async def run(self, order: ImportOrder, pieces: AsyncIterator[bytes]) -> ImportReport:
        """Import one file that arrives in pieces.

        What the report counts as imported is stored for good. When this raises, what was stored
        until then stays (with `atomic`: is removed again), and the import can simply be repeated.

        Raises:
            InvalidArgumentError: IMPORT_EMPTY for a file without any text; FORMAT_UNKNOWN;
                REQUEST_TOO_LARGE.
            NotFoundError: There is no such project.
        """
        check_order(order)
        await self._catalog.project(order.project)
        order = replace(order, author=order.author or "import")
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=self._spool_dir) as spool:
            # Formats are recognised, and read, from a file that can be sought in.
            file = cast("BinaryIO", spool)
            digest = await self._receive(file, pieces)
            if await asyncio.to_thread(_is_blank, file):
                raise InvalidArgumentError(
                    Reason.IMPORT_EMPTY,
                    "The file holds no text: it is empty.",
                    metadata={"project": order.project},
                )
            order = replace(order, source_name=order.source_name or f"sha256:{digest}")
            found = await asyncio.to_thread(_format_of, file, order, self._limits.max_line_bytes)
            options = await self._options(order)
            report = await self._carry_out(order, found, options, file)
        report.format = found
        if report.empty:
            raise InvalidArgumentError(
                Reason.IMPORT_EMPTY,
                f"The file holds no text: it was read as {found.value}.",
                metadata={"project": order.project, "format": found.value},
            )
        return report

    async def _carry_out(
        self, order: ImportOrder, format: TaskFormat, options: ReadOptions, file: BinaryIO
    ) -> ImportReport:
        if order.validate_only or order.atomic:
            checking = Checking(
                order, self._store, self._resources, self._catalog, self._limits.batch_tasks
            )
            async for records in _read(format, options, file):
                await checking.take(records)
            await checking.flush()
            if order.validate_only or checking.report.refused:
                if not order.validate_only:
                    checking.report.nothing_stored()
                return checking.report
        storing = Storing(
            order,
            self._store,
            self._resources,
            self._catalog,
            self._predictions,
            self._limits.batch_tasks,
        )
        if not order.atomic:
            return await self._store_all(storing, format, options, file)
        try:
            async with self._atomic.begin(order.project) as transaction:
                storing.transaction = transaction
                return await self._store_all(storing, format, options, file)
        except NotAsAWholeError:
            report = storing.report
            created = report.created_labels
            report.nothing_stored()
            report.created_labels = created  # these stay
            return report

    async def _store_all(
        self, storing: Storing, format: TaskFormat, options: ReadOptions, file: BinaryIO
    ) -> ImportReport:
        async for records in _read(format, options, file):
            await storing.take(records)
        await storing.flush()
        return storing.report

    async def _options(self, order: ImportOrder) -> ReadOptions:
        return ReadOptions(
            encoding=order.encoding,
            scheme=order.scheme,
            repair=order.repair,
            separator=order.separator,
            text_column=order.text_column,
            label_column=order.label_column,
            choices_name=order.choices_name or ReadOptions.choices_name,
            whole_file=order.whole_file,
            file_name=order.file_name,
            config=await self._catalog.config(order.project),
            max_line_bytes=self._limits.max_line_bytes,
        )

    async def _receive(self, file: BinaryIO, pieces: AsyncIterator[bytes]) -> str:
        """Write the file down and return the hash of its content."""
        digest = hashlib.sha256()
        total = 0
        async for piece in pieces:
            total += len(piece)
            if total > self._limits.max_bytes:
                raise InvalidArgumentError(
                    Reason.REQUEST_TOO_LARGE,
                    f"The file has more than {self._limits.max_bytes} bytes: divide it.",
                    metadata={"limit": str(self._limits.max_bytes)},
                )
            digest.update(piece)
            await asyncio.to_thread(file.write, piece)
        return digest.hexdigest()


def _is_blank(file: BinaryIO) -> bool:
    file.seek(0)
    while piece := file.read(_PIECE):
        if piece.strip(_BLANKS):
            return False
    return True


def _format_of(file: BinaryIO, order: ImportOrder, max_line_bytes: int) -> TaskFormat:
    if order.format is not None:
        return order.format
    file.seek(0)
    head = file.read(HEAD_BYTES)
    if needs_more(head):
        # Longer objects are refused anyway.
        head += file.read(max_line_bytes)
    found = detect(head, order.file_name, order.separator)
    if found is None:
        raise InvalidArgumentError(
            Reason.FORMAT_UNKNOWN,
            explain(head, order.file_name),
            metadata={"file_name": order.file_name},
        )
    return found


async def _read(
    format: TaskFormat, options: ReadOptions, file: BinaryIO
) -> AsyncIterator[list[Record]]:
    """Yield the texts of a file, some at a time; a thread reads the next while these are stored."""
    file.seek(0)
    records: Iterator[Record] = FORMATS[format].reader(file, options)

    def some() -> list[Record]:
        return list(islice(records, _READ_AHEAD))

    ahead = asyncio.create_task(asyncio.to_thread(some))
    try:
        while found := await ahead:
            ahead = asyncio.create_task(asyncio.to_thread(some))
            yield found
    finally:
        # Whoever stops early closes the file: not while the thread still reads it.
        await asyncio.wait([ahead])
        if not ahead.cancelled():
            ahead.exception()  # told already, or of no interest any more
