"""fastText: classes as ``__label__class`` before the text, one text per line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from services.annotation.formats.line_writer import LineWriter
from services.annotation.formats.lines import Line, lines
from services.annotation.formats.losses import count_id
from services.annotation.formats.plain.classes import classes_of, classified
from services.annotation.formats.records import (
    ExportItem,
    ParsedTask,
    ReadOptions,
    Record,
    Refused,
    WriteOptions,
    refusal,
)
from services.annotation.tasks import check_task_text
from services.common.errors import InvalidArgumentError, invalid_field

PREFIX = "__label__"


def read(file: BinaryIO, options: ReadOptions) -> Iterator[Record]:
    """Yield the texts of a file; see `services.annotation.formats.records.Reader`."""
    ordinal = 0
    for line in lines(file, options.max_line_bytes):
        if isinstance(line, Refused):
            ordinal += 1
            yield line
        elif line.text.strip():
            ordinal += 1
            try:
                yield _task(line, ordinal, options)
            except InvalidArgumentError as error:
                yield refusal(line.number, error)


def writer(options: WriteOptions) -> Writer:
    """Return a writer of one file."""
    return Writer(options)


class Writer(LineWriter):
    """Writes one text per line; see `services.annotation.formats.records.Writer`."""

    def __init__(self, options: WriteOptions) -> None:
        """Write the choices that the options name."""
        super().__init__()
        self._name = options.choices_name
        self._begun = False

    def add(self, item: ExportItem) -> bytes:
        """Return a task as one line."""
        text = item.task.text
        line = text.replace("\r\n", " ").replace("\n", " ").strip()
        if not line:
            self.omitted["tasks without a text"] += 1
            return b""
        if line.startswith(PREFIX):
            self.omitted["tasks whose text begins like a class"] += 1
            return b""
        if line != text:
            self.omitted["blanks around texts and line ends (written as blanks)"] += 1
        count_id(self.omitted, item)
        classes = []
        for value in classes_of(item, self._name, self.omitted):
            # A class ends at a blank; underscores are what fastText's own examples use.
            clean = "_".join(value.split())
            if clean != value:
                self.omitted["blanks in classes (written as underscores)"] += 1
            classes.append(f"{PREFIX}{clean} ")
        out = f"{''.join(classes)}{line}\n"
        # A mark of byte order at the start of a file is no part of the first text.
        mark = "" if self._begun or not out.startswith("\ufeff") else "\ufeff"
        self._begun = True
        return (mark + out).encode()


def _task(line: Line, ordinal: int, options: ReadOptions) -> ParsedTask:
    classes = []
    rest = line.text.lstrip()
    while rest.startswith(PREFIX):
        head, *behind = rest.split(None, 1)
        rest = behind[0] if behind else ""
        value = head.removeprefix(PREFIX)
        if not value:
            raise invalid_field("label", f"there is no class behind {PREFIX}.")
        classes.append(value)
    if not rest.strip():
        raise invalid_field("text", "there is no text behind the classes.")
    check_task_text(rest, "text")
    return ParsedTask(
        line=line.number,
        ordinal=ordinal,
        text=rest,
        completions=classified(options.choices_name, classes, "label"),
    )
