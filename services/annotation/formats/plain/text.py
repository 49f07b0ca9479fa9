"""Plain text: one text per line, or the file as one text."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import BinaryIO

from services.annotation.formats.line_writer import LineWriter
from services.annotation.formats.lines import lines
from services.annotation.formats.losses import count_id, count_task
from services.annotation.formats.records import (
    ExportItem,
    ParsedTask,
    ReadOptions,
    Record,
    Refused,
    WriteOptions,
    refusal,
)
from services.annotation.spans import MAX_TEXT
from services.annotation.tasks import check_external_id, check_task_text
from services.common.errors import InvalidArgumentError, Reason

# A code point has at most four bytes.
_MAX_BYTES = 4 * MAX_TEXT + 4


def read(file: BinaryIO, options: ReadOptions) -> Iterator[Record]:
    """Yield the texts of a file; see `services.annotation.formats.records.Reader`."""
    if options.whole_file:
        yield from _whole(file, options)
        return
    ordinal = 0
    for line in lines(file, options.max_line_bytes):
        if isinstance(line, Refused):
            ordinal += 1
            yield line
        elif line.text.strip():
            ordinal += 1
            yield _task(line.number, ordinal, line.text, "")


def _task(line: int, ordinal: int, text: str, external_id: str) -> Record:
    try:
        check_task_text(text, "text")
        check_external_id(external_id, "file_name")
    except InvalidArgumentError as error:
        return refusal(line, error)
    return ParsedTask(line=line, ordinal=ordinal, text=text, external_id=external_id)


def writer(options: WriteOptions) -> Writer:  # noqa: ARG001 - the format leaves nothing open
    """Return a writer of one file."""
    return Writer()


class Writer(LineWriter):
    """Writes one text per line; see `services.annotation.formats.records.Writer`."""

    def __init__(self) -> None:
        """Begin a file."""
        super().__init__()
        self._begun = False

    def add(self, item: ExportItem) -> bytes:
        """Return a text as one line."""
        text = item.task.text
        if not text.strip():
            self.omitted["tasks without a text"] += 1
            return b""
        # One CR at the end of a line would be read as a part of the line's end.
        line = text.replace("\r\n", " ").replace("\n", " ").rstrip("\r")
        if line != text:
            self.omitted["line ends (written as blanks)"] += 1
        count_task(self.omitted, item)
        count_id(self.omitted, item)
        if item.chosen is not None:
            self.omitted["annotations"] += 1
        # A mark of byte order at the start of a file is no part of the first text.
        mark = "" if self._begun or not line.startswith("\ufeff") else "\ufeff"
        self._begun = True
        return f"{mark}{line}\n".encode()


def _whole(file: BinaryIO, options: ReadOptions) -> Iterator[Record]:
    raw = file.read(_MAX_BYTES + 1)
    if len(raw) > _MAX_BYTES:
        raise InvalidArgumentError(
            Reason.REQUEST_TOO_LARGE,
            f"A text has at most {MAX_TEXT} characters: divide the file, or import its lines.",
        )
    try:
        if raw[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
            text = raw.decode("utf-16")
        else:
            text = raw.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        yield Refused(
            line=raw.count(b"\n", 0, error.start) + 1,
            reason=Reason.REQUEST_MALFORMED,
            field="",
            message=f"Byte {error.start + 1} of the file is not UTF-8: save the file as UTF-8.",
        )
        return
    if text.strip():
        yield _task(1, 1, text, options.file_name)
