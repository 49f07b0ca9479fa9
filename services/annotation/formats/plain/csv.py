"""CSV and TSV: a column of texts, and maybe one of classes; other columns are notes."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from services.annotation.formats.lines import Line, lines
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
from services.annotation.spans import MAX_TEXT
from services.annotation.tasks import check_external_id, check_metadata, check_task_text
from services.common.errors import InvalidArgumentError, Reason, invalid_field

_TEXTS = (
    *("text", "sentence", "document", "content", "body", "column_data", "comment", "review"),
    "utterance",
)
_LABELS = (
    *("label", "labels", "class", "category", "target", "column_label", "tag", "intent"),
    "sentiment",
)
_IDS = ("id", "external_id")
_JOIN = "|"


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Which column holds what; -1: none does. `names` are those of the header, or empty.

    `width` is the number of columns of the first row.
    """

    names: tuple[str, ...]
    width: int
    text: int
    label: int
    id: int


def read(file: BinaryIO, options: ReadOptions) -> Iterator[Record]:
    """Yield the rows of a file; see `services.annotation.formats.records.Reader`."""
    # The limit is one for the process; texts may be longer than its default.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_TEXT + 1))
    source = _Lines(file, options)
    separator = checked_separator(options.separator) or source.separator()
    reader = csv.reader(source, delimiter=separator, strict=True)
    layout: _Layout | None = None
    left_out = ""
    ordinal = 0
    while True:
        source.begin_row()
        try:
            row = next(reader, None)
        except csv.Error as error:
            ordinal += 1
            yield Refused(
                line=source.first,
                reason=Reason.REQUEST_MALFORMED,
                field="",
                message=f"The row cannot be read ({error}): mend its quotes.",
            )
            continue
        for bad in source.refused():
            ordinal += 1
            yield bad
        if row is None:
            return
        if not any(cell.strip() for cell in row):
            continue
        if layout is None:
            layout, is_header = _layout(row, options)
            if is_header:
                continue
            left_out = _left_out(layout)
        ordinal += 1
        try:
            task = _task(row, source.first, ordinal, layout, options)
        except InvalidArgumentError as error:
            yield refusal(source.first, error)
            continue
        # What concerns all rows is told with the first one.
        yield replace(task, notes=(*task.notes, left_out)) if left_out else task
        left_out = ""


def writer(options: WriteOptions) -> Writer:
    """Return a writer of one file."""
    return Writer(options)


class Writer:
    """Writes ``id``, ``text`` and ``label``; see `services.annotation.formats.records.Writer`."""

    wants_predictions = False

    def __init__(self, options: WriteOptions) -> None:
        """Write the choices that the options name, several divided by a bar."""
        self.omitted: Counter[str] = Counter()
        self._name = options.choices_name
        self._separator = checked_separator(options.separator) or ","

    def begin(self) -> bytes:
        """Return the header."""
        return self._row(["id", "text", "label"])

    def end(self) -> bytes:
        """Return what comes behind the last task."""
        return b""

    def add(self, item: ExportItem) -> bytes:
        """Return a task as one row."""
        task = item.task
        if not task.text.strip():
            self.omitted["tasks without a text"] += 1
            return b""
        classes = classes_of(item, self._name, self.omitted)
        plain = [one.replace(_JOIN, "/") for one in classes]
        if plain != classes:
            self.omitted["bars in classes (written as strokes)"] += 1
        return self._row([task.external_id, task.text, _JOIN.join(plain)])

    def _row(self, cells: Sequence[str]) -> bytes:
        out = io.StringIO()
        # Lone CRs are not quoted of themselves where LF ends the rows.
        table = csv.writer(
            out,
            delimiter=self._separator,
            lineterminator="\n",
            quoting=csv.QUOTE_ALL if any("\r" in cell for cell in cells) else csv.QUOTE_MINIMAL,
        )
        table.writerow(cells)
        return out.getvalue().encode()


def checked_separator(separator: str) -> str:
    """Return a separator, which may be empty, or raise FIELD_INVALID."""
    if len(separator) > 1 or separator in {"\r", "\n", '"'}:
        raise invalid_field("separator", "must be one sign, and neither a quote nor a line end.")
    return separator


class _Lines:
    """The lines of a file for the csv module, with their ends; bad ones are put aside."""

    def __init__(self, file: BinaryIO, options: ReadOptions) -> None:
        self._lines = lines(file, options.max_line_bytes)
        self._head: Line | None = None
        self._bad: list[Refused] = []
        # Of the first line that the row under way has; 0 before it is known.
        self.first = 0
        self._head = self._next()

    def begin_row(self) -> None:
        """Let the next line be the first one of a row."""
        self.first = 0

    def separator(self) -> str:
        """Return the separator that the first line has most of."""
        head = "" if self._head is None else self._head.text
        return max(",\t;|", key=head.count)

    def refused(self) -> list[Refused]:
        """Return the lines that could not be read since the last call."""
        bad, self._bad = self._bad, []
        return bad

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line, self._head = self._head, None
        line = line or self._next()
        if line is None:
            raise StopIteration
        self.first = self.first or line.number
        return line.text + line.end

    def _next(self) -> Line | None:
        for line in self._lines:
            if isinstance(line, Line):
                return line
            self._bad.append(line)
        return None


def _layout(row: Sequence[str], options: ReadOptions) -> tuple[_Layout, bool]:
    """Return which column holds what, and whether this first row is a header.

    Raises:
        InvalidArgumentError: FIELD_INVALID: a column that was asked for is not there.
    """
    names = tuple(cell.strip() for cell in row)
    lower = [name.lower() for name in names]
    text = _column(options.text_column, names, "text_column")
    label = _column(options.label_column, names, "label_column")
    named = any(
        column and not column.isdigit() for column in (options.text_column, options.label_column)
    )
    is_header = named or any(name in lower for name in (*_TEXTS, *_LABELS))
    if text < 0:
        # Without names the longest cell is the text.
        longest = max(range(len(row)), key=lambda place: (place != label, len(row[place])))
        text = _first(lower, _TEXTS) if is_header else longest
    if text < 0:
        raise invalid_field(
            "text_column",
            f"none of the columns {', '.join(names)[:200]} is called text: name the one that holds "
            "the texts.",
        )
    if label < 0:
        label = _first(lower, _LABELS) if is_header else (1 - text if len(row) == 2 else -1)
    layout = _Layout(
        names=names if is_header else (),
        width=len(row),
        text=text,
        label=-1 if label == text else label,
        id=_first(lower, _IDS) if is_header else -1,
    )
    return layout, is_header


def _left_out(layout: _Layout) -> str:
    """Return a note about columns that nothing names, if there are any."""
    used = {layout.text, layout.label, layout.id}
    others = [str(place + 1) for place in range(layout.width) if place not in used]
    if layout.names or not others:
        return ""
    what = "column" if len(others) == 1 else "columns"
    return (
        f"columns: no row names the columns, so what {what} {', '.join(others)[:200]} of the file "
        "held was left out: name the columns in the first row to keep it."
    )


def _column(wanted: str, names: Sequence[str], field: str) -> int:
    if not wanted:
        return -1
    if wanted in names:
        return names.index(wanted)
    if wanted.isdigit() and 1 <= int(wanted) <= len(names):
        return int(wanted) - 1
    raise invalid_field(
        field, f"{wanted!r} is neither the name nor the number of a column: {', '.join(names)}."
    )


def _first(names: Sequence[str], wanted: Sequence[str]) -> int:
    return next((names.index(one) for one in wanted if one in names), -1)


def _task(
    row: Sequence[str], line: int, ordinal: int, layout: _Layout, options: ReadOptions
) -> ParsedTask:
    if len(row) != layout.width:
        advice = (
            ": put a text with the separator in it into quotes"
            + ("" if layout.width > 1 else ", or import lines of text with --format text")
            if len(row) > layout.width
            else ": is there another separator?"
        )
        raise invalid_field(
            "columns",
            f"the row has {len(row)} columns, the {'header' if layout.names else 'first row'} "
            f"{layout.width}{advice}.",
        )
    text = check_task_text(row[layout.text], "text")
    if not text.strip():
        raise invalid_field("text", "is blank: leave the row out.")
    label = row[layout.label].strip() if layout.label >= 0 else ""
    classes = [one.strip() for one in label.split(_JOIN) if one.strip()]
    used = {layout.text, layout.label, layout.id}
    notes = {
        layout.names[place]: cell
        for place, cell in enumerate(row)
        if layout.names and place not in used and cell
    }
    return ParsedTask(
        line=line,
        ordinal=ordinal,
        text=text,
        completions=classified(options.choices_name, classes, "label"),
        external_id=check_external_id(row[layout.id].strip(), "id") if layout.id >= 0 else "",
        metadata=check_metadata(notes, "columns"),
    )
