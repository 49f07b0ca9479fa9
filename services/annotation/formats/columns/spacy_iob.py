"""One sentence per line of ``word|tag`` or ``word|part-of-speech|tag``, as spaCy's examples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from services.annotation.formats.columns.omissions import (
    count,
    count_content,
    count_spans,
    plain,
)
from services.annotation.formats.columns.rows import (
    MAX_TOKENS,
    Block,
    Row,
    check_tag,
    check_token,
    head_of,
    task_of,
)
from services.annotation.formats.line_writer import LineWriter
from services.annotation.formats.lines import Line, lines
from services.annotation.formats.records import (
    ExportItem,
    ReadOptions,
    Record,
    Refused,
    TagScheme,
    WriteOptions,
    refusal,
)
from services.annotation.formats.tags import encode, recognised, touching
from services.annotation.formats.tokens import fitting, tokens_of
from services.common.errors import InvalidArgumentError, Reason, invalid_field

_KEY = "spacy_iob"


def read(file: BinaryIO, options: ReadOptions) -> Iterator[Record]:
    """Yield the sentences of a file; see `services.annotation.formats.records.Reader`."""
    found = _sentences(file, options)
    head = head_of(found, lambda one: 1 if isinstance(one, Refused) else len(one.rows) + 1)
    scheme = options.scheme
    if scheme is TagScheme.AUTO:
        scheme = recognised(
            tag
            for one in head
            if isinstance(one, Block)
            for tag in (*(row.columns[-1] for row in one.rows), "O")
        )
    for ordinal, one in enumerate(chain(head, found), start=1):
        yield one if isinstance(one, Refused) else _task(one, ordinal, scheme, options)


def _sentences(file: BinaryIO, options: ReadOptions) -> Iterator[Block | Refused]:
    for line in lines(file, options.max_line_bytes):
        if isinstance(line, Refused):
            yield line
        elif line.text.strip():
            try:
                yield _sentence(line)
            except InvalidArgumentError as error:
                yield refusal(line.number, error)


def writer(options: WriteOptions) -> Writer:
    """Return a writer of one file."""
    return Writer(options)


class Writer(LineWriter):
    """Writes a sentence per line; see `services.annotation.formats.records.Writer`."""

    def __init__(self, options: WriteOptions) -> None:
        """Write tags in the scheme of the options, by default IOB2."""
        super().__init__()
        self._scheme = options.scheme
        self._begun = False

    def add(self, item: ExportItem) -> bytes:
        """Return a task as one line; a text that is not annotated has no place."""
        task, chosen = item.task, item.chosen
        if chosen is None:
            self.omitted["tasks without a completion"] += 1
            return b""
        extents = tokens_of(task)
        if not extents:
            self.omitted["tasks without a word"] += 1
            return b""
        kept, overlapping, unaligned = fitting(extents, chosen.spans)
        count_content(self.omitted, item, chosen, extents)
        count_spans(self.omitted, overlapping, unaligned)
        if self._scheme is TagScheme.IO:
            count(self.omitted, "borders between touching spans", touching([m for m, _ in kept]))
        tags = encode(len(extents), [one for one, _ in kept], self._scheme)
        parts = self._parts(task.extra, len(extents))
        words = [task.text[start:end] for start, end in extents]
        cells = zip(words, *([parts] if parts else []), tags, strict=True)
        out = " ".join("|".join(self._clean(cell) for cell in one) for one in cells) + "\n"
        mark = "" if self._begun or not out.startswith("\ufeff") else "\ufeff"
        self._begun = True
        return (mark + out).encode()

    def _clean(self, cell: str) -> str:
        blank = "".join(char for char in set(cell) if char.isspace())
        return plain(self.omitted, plain(self.omitted, cell, blank, "_"), "|", "/") or "_"

    def _parts(self, extra: str, tokens: int) -> list[str]:
        """Return the parts of speech that an import kept, if they fit."""
        kept = json.loads(extra).get(_KEY, {}) if extra else {}
        parts = kept.get("parts", []) if isinstance(kept, dict) else []
        if not isinstance(parts, list) or len(parts) != tokens:
            count(self.omitted, "parts of speech", bool(parts))
            return []
        return [str(one) for one in parts]


def _sentence(line: Line) -> Block:
    cells = [cell.split("|") for cell in line.text.split()]
    if len(cells) > MAX_TOKENS:
        raise InvalidArgumentError(
            Reason.REQUEST_TOO_LARGE, f"The line has more than {MAX_TOKENS} words: divide it."
        )
    width = len(cells[0])
    for number, cell in enumerate(cells, start=1):
        if len(cell) != width or width not in {2, 3}:
            raise invalid_field(
                f"word {number}",
                f"{'|'.join(cell)[:80]!r} is neither word|tag nor word|part-of-speech|tag "
                "throughout the line.",
            )
        check_token(cell[0])
        check_tag(cell[-1])
    return Block(first=line.number, rows=[Row(line.number, tuple(cell)) for cell in cells])


def _task(block: Block, ordinal: int, scheme: TagScheme, options: ReadOptions) -> Record:
    extra = ""
    if len(block.rows[0].columns) == 3:
        parts = [row.columns[1] for row in block.rows]
        extra = json.dumps({_KEY: {"parts": parts}}, ensure_ascii=False)
    tokens = [row.columns[0] for row in block.rows]
    tags = [row.columns[-1] for row in block.rows]
    return task_of(block, ordinal, tokens, [tags], [scheme], options, extra=extra)
