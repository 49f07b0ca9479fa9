"""CoNLL columns: the token first, its tag last, whatever stands in between."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import BinaryIO

from services.annotation.formats.columns.omissions import (
    count,
    count_content,
    count_spans,
    plain,
)
from services.annotation.formats.columns.rows import (
    DOCUMENT,
    Block,
    blocks,
    check_tag,
    check_token,
    checked_separator,
    columns_of,
    document_name,
    head_of,
    task_of,
)
from services.annotation.formats.line_writer import LineWriter
from services.annotation.formats.records import (
    ExportItem,
    ReadOptions,
    Record,
    TagScheme,
    WriteOptions,
    refusal,
)
from services.annotation.formats.tags import encode, is_tag, recognised, touching
from services.annotation.formats.tokens import fitting, tokens_of
from services.common.errors import invalid_field

_KEY = "conll"
# What first lines call the columns.
_TOKENS = frozenset(("token", "tokens", "word", "words", "text", "form"))
_TAGS = frozenset(
    ("tag", "tags", "label", "labels", "ner", "ner_tag", "ner_tags", "iob", "bio", "entity")
)
_NUMBERED = invalid_field(
    "token",
    "the first column numbers the lines: take it out, so that the first column holds the token "
    "and the last one the tags wanted; GermEval has a format of its own.",
)


def read(file: BinaryIO, options: ReadOptions) -> Iterator[Record]:
    """Yield the texts of a file; see `services.annotation.formats.records.Reader`."""
    found = blocks(file, options, _check, _is_comment, DOCUMENT)
    head = head_of(found, lambda block: len(block.rows) + 1)
    scheme = options.scheme
    if scheme is TagScheme.AUTO:
        scheme = recognised(
            tag for block in head for tag in (*(row.columns[-1] for row in block.rows), "O")
        )
    for ordinal, block in enumerate(chain(head, found), start=1):
        yield _record(block, ordinal, scheme, options)


def writer(options: WriteOptions) -> Writer:
    """Return a writer of one file."""
    return Writer(options)


class Writer(LineWriter):
    """Writes tokens and tags; see `services.annotation.formats.records.Writer`."""

    def __init__(self, options: WriteOptions) -> None:
        """Write by these options; the default is IOB2 and tabs."""
        super().__init__()
        self._scheme = options.scheme
        self._separator = checked_separator(options.separator) or "\t"
        self._group = ""
        self._documents = 0
        self._begun = False

    def add(self, item: ExportItem) -> bytes:
        """Return a task with an empty line behind; a text that is not annotated has no place."""
        task, chosen = item.task, item.chosen
        if chosen is None:
            self.omitted["tasks without a completion"] += 1
            return b""
        extents = tokens_of(task)
        if not extents:
            self.omitted["tasks without a word"] += 1
            return b""
        kept, overlapping, unaligned = fitting(extents, chosen.spans)
        marked = [one for one, _ in kept]
        count_content(self.omitted, item, chosen, extents, ("groups",))
        count_spans(self.omitted, overlapping, unaligned)
        if self._scheme is TagScheme.IO:
            count(self.omitted, "borders between touching spans", touching(marked))
        comments, middle = self._kept(task.extra, len(extents))
        rows = (
            self._row([task.text[start:end], *(column[place] for column in middle), tag])
            for place, ((start, end), tag) in enumerate(
                zip(extents, encode(len(extents), marked, self._scheme), strict=True)
            )
        )
        document = self._document(task.group, len(middle))
        out = document + "".join(comments) + "\n".join(rows) + "\n\n"
        mark = "" if self._begun or not out.startswith("\ufeff") else "\ufeff"
        self._begun = True
        return (mark + out).encode()

    def _document(self, group: str, middle: int) -> str:
        # What stands behind a line that begins a document belongs to it, up to the next such line.
        if group == self._group and (group or not self._documents):
            return ""
        self._group = group
        self._documents += 1
        if group:
            count(self.omitted, "names of groups", group != document_name(self._documents))
        else:
            count(self.omitted, "texts outside of groups (written as documents of their own)", 1)
        columns = [DOCUMENT, *("-X-" for _ in range(middle)), "O"]
        return f"{self._separator.join(columns)}\n\n"

    def _row(self, cells: Sequence[str]) -> str:
        token, *middle, tag = cells
        instead = "_" if " " in self._separator else " "
        signs = "\r\n" + self._separator
        word = plain(self.omitted, token, signs, instead)
        # As long as the word was, so that spans keep their extents.
        word = word if word.strip() else "_" * max(len(word), 1)
        if word == DOCUMENT:
            word = plain(self.omitted, word, "-", "_")
        others = [plain(self.omitted, one, signs, "_") or "_" for one in (*middle, tag)]
        return self._separator.join([word, *others])

    def _kept(self, extra: str, tokens: int) -> tuple[list[str], list[list[str]]]:
        """Return the comments above a text and the columns that an import kept, if they fit."""
        kept = json.loads(extra).get(_KEY, {}) if extra else {}
        if not isinstance(kept, dict):
            return [], []
        columns, comments = kept.get("columns", []), kept.get("comments", [])
        middle: list[list[str]] = []
        if isinstance(columns, list) and columns:
            if all(isinstance(one, list) and len(one) == tokens for one in columns):
                middle = [[str(cell) for cell in column] for column in columns]
            else:
                self.omitted["columns between token and tag"] += len(columns)
        lines: list[str] = []
        for one in comments if isinstance(comments, list) else []:
            # What is not read as a comment again must not stand there.
            width = len(middle) + 2
            if (
                isinstance(one, str)
                and "\n" not in one
                and _is_comment(one, columns_of(one, self._separator), width)
            ):
                lines.append(f"{one}\n")
            else:
                self.omitted["comments"] += 1
        return lines, middle


def _record(block: Block, ordinal: int, scheme: TagScheme, options: ReadOptions) -> Record:
    if block.refused is not None:
        return block.refused
    if len(block.rows[0].columns) > 2 and _is_numbered(block):
        return refusal(block.first, _NUMBERED)
    tokens = [row.columns[0] for row in block.rows]
    tags = [row.columns[-1] for row in block.rows]
    middle = [list(column) for column in zip(*(row.columns[1:-1] for row in block.rows))]  # noqa: B905
    kept: dict[str, list[list[str]] | list[str]] = {}
    if middle:
        kept["columns"] = middle
    if block.comments:
        kept["comments"] = block.comments
    extra = json.dumps({_KEY: kept}, ensure_ascii=False) if kept else ""
    return task_of(
        block, ordinal, tokens, [tags], [scheme], options, extra=extra, group=block.group
    )


def _check(columns: Sequence[str]) -> None:
    if len(columns) < 2:
        raise invalid_field(
            "tag", "the line has one column: write the token, a tab and its tag (O, B-… or I-…)."
        )
    check_token(columns[0])
    check_tag(columns[-1])


def _is_comment(text: str, columns: Sequence[str], width: int) -> bool:
    """Whether a line above a text cannot be a token: ``# id = 7``, or the names of the columns."""
    if text.startswith("#"):
        return not is_tag(columns[-1]) or len(columns) != width
    names = [one.strip().lower() for one in columns]
    return len(names) > 1 and names[0] in _TOKENS and names[-1] in _TAGS


def _is_numbered(block: Block) -> bool:
    """Whether the first column counts 1, 2, …, as in CoNLL-U and GermEval: no text, surely."""
    return len(block.rows) > 1 and all(
        row.columns[0] == str(number) for number, row in enumerate(block.rows, start=1)
    )
