"""Lines of columns gathered to texts: what the formats with a token per line have in common."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import BinaryIO, TypeVar

from services.annotation.content import Content, Span
from services.annotation.formats.lines import Line, lines
from services.annotation.formats.records import (
    ParsedCompletion,
    ParsedTask,
    ReadOptions,
    Refused,
    TagScheme,
    refusal,
)
from services.annotation.formats.tags import Broken, decode, is_tag, label_of
from services.annotation.spans import MAX_LABEL, MAX_SPANS, MAX_TEXT
from services.common.errors import InvalidArgumentError, Reason, invalid_field
from services.common.validate import check_line, check_text

MAX_TOKENS = 200_000
# Begins a document in CoNLL-2003 and its kin.
DOCUMENT = "-DOCSTART-"
# So many lines tell how they are divided.
_LOOK = 500
_SEPARATORS = ("", ",", "|", ";")
_MAX_SEPARATOR = 10
_MAX_NOTES = 20
_HEAD_TOKENS = 50_000
T = TypeVar("T")
_BLANK = " \t\r"
_BLANKS = re.compile(r"[ \t]+")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of columns."""

    line: int
    columns: tuple[str, ...]


@dataclass(kw_only=True)
class Block:
    """The rows of one text; `refused`: why it cannot be used. `comments` stood above it."""

    first: int
    rows: list[Row] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    refused: Refused | None = None
    group: str = ""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How lines are divided. `separator`: empty for tabs or blanks; `width`: columns of most."""

    separator: str
    width: int


def checked_separator(separator: str) -> str:
    """Return what divides columns, which may be empty, or raise FIELD_INVALID.

    Letters, digits, hyphens and underscores stand in tokens and tags, and in what is written
    instead of a separator within them.
    """
    if len(separator) > _MAX_SEPARATOR or not all(
        sign == "\t" or (sign.isprintable() and not sign.isalnum() and sign not in "-_")
        for sign in separator
    ):
        raise invalid_field(
            "separator",
            f"must be 1 to {_MAX_SEPARATOR} signs like a tab, a blank, a comma or a bar: no line "
            "end, letter, digit, hyphen or underscore.",
        )
    return separator


def shape_of(head: Sequence[Line | Refused], separator: str) -> Shape:
    """Return how the lines of a file are divided, told from its first ones.

    Files without tabs and blanks before their tags have commas, bars or semicolons there.
    """
    found = [one.text for one in head if isinstance(one, Line) and one.text.strip(_BLANK)]
    if not separator:
        shares = {
            sign: sum(_is_row(columns_of(text, sign)) for text in found) for sign in _SEPARATORS
        }
        separator = max(_SEPARATORS, key=lambda sign: shares[sign])
    widths = Counter(len(columns_of(text, separator)) for text in found)
    return Shape(separator=separator, width=widths.most_common(1)[0][0] if widths else 0)


def _is_row(columns: Sequence[str]) -> bool:
    return len(columns) > 1 and is_tag(columns[-1])


def columns_of(text: str, separator: str = "") -> list[str]:
    """Return the columns of a line, divided by the separator, else by tabs, else by blanks."""
    if separator and separator != " ":
        return text.rstrip("\r").split(separator)
    if not separator and "\t" in text:
        return text.rstrip(_BLANK).split("\t")
    return _BLANKS.split(text.strip(_BLANK))


def blocks(
    file: BinaryIO,
    options: ReadOptions,
    check: Callable[[Sequence[str]], None],
    is_comment: Callable[[str, Sequence[str], int], bool],
    document: str = "",
) -> Iterator[Block]:
    """Yield the texts of a file, which empty lines divide. One bad line refuses its whole text.

    Args:
        file: Open at its start.
        options: Separator and bounds.
        check: Raises InvalidArgumentError for columns that cannot be used.
        is_comment: Whether a line (its columns, and how many most lines have) above a text is a
            comment.
        document: First column of lines that begin a document; empty: there are none.

    Raises:
        InvalidArgumentError: FIELD_INVALID: the separator cannot divide columns.
    """
    separator = checked_separator(options.separator)
    block: Block | None = None
    comments: list[str] = []
    documents = 0
    found = lines(file, options.max_line_bytes)
    head = list(islice(found, _LOOK))
    shape = shape_of(head, separator)
    for line in chain(head, found):
        if isinstance(line, Refused):
            block = block or Block(first=line.line, comments=comments)
            block.refused = block.refused or line
            continue
        if not line.text.strip(_BLANK):
            if block is not None:
                yield _grouped(block, documents)
                block, comments = None, []
            continue
        columns = columns_of(line.text, shape.separator)
        if document and columns[0] == document:
            if block is not None:
                yield _grouped(block, documents)
                block, comments = None, []
            documents += 1
            continue
        if block is None and is_comment(line.text, columns, shape.width):
            comments.append(line.text)
            continue
        if block is None:
            block, comments = Block(first=line.number, comments=comments), []
        if block.refused is None:
            _add(block, line, columns, check)
    if block is not None:
        yield _grouped(block, documents)


def document_name(number: int) -> str:
    """Return what the texts of a document are grouped by."""
    return f"document {number}"


def _grouped(block: Block, documents: int) -> Block:
    block.group = document_name(documents) if documents else ""
    return block


def _add(
    block: Block, line: Line, columns: Sequence[str], check: Callable[[Sequence[str]], None]
) -> None:
    try:
        if block.rows and len(columns) != len(block.rows[0].columns):
            raise invalid_field(
                "columns",
                f"the line has {len(columns)} columns, the lines above it "
                f"{len(block.rows[0].columns)}: give all lines of a text the same columns.",
            )
        check(columns)
        _check_length(block)
    except InvalidArgumentError as error:
        block.refused = refusal(line.number, error)
        block.rows = []
        return
    block.rows.append(Row(line.number, tuple(columns)))


def _check_length(block: Block) -> None:
    if len(block.rows) >= MAX_TOKENS:
        raise InvalidArgumentError(
            Reason.REQUEST_TOO_LARGE,
            f"The text has more than {MAX_TOKENS} tokens: end it with an empty line.",
        )


def check_token(token: str) -> None:
    """Raise FIELD_INVALID when a column cannot be a token."""
    if not token.strip():
        raise invalid_field("token", "is blank: the first column holds the token.")
    check_text(token, "token", 1, MAX_TEXT)


def check_tag(tag: str) -> None:
    """Raise FIELD_INVALID when a column cannot be a tag."""
    if not is_tag(tag):
        raise invalid_field(
            "tag", f"{tag[:100]!r} is no tag: write O, or B, I, E, S, L or U, '-' and a label."
        )
    if tag != "O":
        check_line(label_of(tag), "tag", 1, MAX_LABEL)


def task_of(
    block: Block,
    ordinal: int,
    tokens: Sequence[str],
    levels: Sequence[Sequence[str]],
    schemes: Sequence[TagScheme],
    options: ReadOptions,
    *,
    extra: str = "",
    group: str = "",
    metadata: dict[str, str] | None = None,
) -> ParsedTask | Refused:
    """Return the text of tokens joined by single blanks, with the spans of all levels of tags.

    Args:
        block: Where it stands in the file.
        ordinal: Its place among the texts of the file.
        tokens: Its tokens.
        levels: For each level the tags of all tokens.
        schemes: Of each level.
        options: Whether broken tags are repaired or refused.
        extra: See `ParsedTask`.
        group: See `ParsedTask`.
        metadata: See `ParsedTask`.
    """
    text = " ".join(tokens)
    starts, place = [], 0
    for token in tokens:
        starts.append(place)
        place += len(token) + 1
    extents: dict[tuple[int, int, str], None] = {}
    notes: list[str] = []
    labels: dict[str, tuple[int, str]] = {}
    for level, (tags, scheme) in enumerate(zip(levels, schemes, strict=True), start=1):
        column = "tag" if len(levels) == 1 else f"tag {level}"
        marked, broken = decode(tags, scheme)
        if broken and not options.repair:
            return _inconsistent(block, broken[0], scheme, column)
        notes += _repaired(block, broken, column)
        for one in marked:
            end = starts[one.last] + len(tokens[one.last])
            extents.setdefault((starts[one.first], end, one.label))
            labels.setdefault(one.label, (block.rows[one.first].line, column))
    if len(text) > MAX_TEXT or len(extents) > MAX_SPANS:
        return Refused(
            line=block.first,
            reason=Reason.REQUEST_TOO_LARGE,
            field="text",
            message=f"A text has at most {MAX_TEXT} characters and {MAX_SPANS} spans: divide it.",
        )
    spans = tuple(
        Span(start=start, end=end, label=label, id=f"s{number}")
        for number, (start, end, label) in enumerate(sorted(extents), start=1)
    )
    return ParsedTask(
        line=block.first,
        ordinal=ordinal,
        text=text,
        completions=(ParsedCompletion(content=Content(spans=spans)),),
        labels=labels,
        tokenised=not any(" " in token for token in tokens),
        extra=extra,
        group=group,
        metadata=metadata or {},
        notes=tuple(notes),
    )


def _repaired(block: Block, broken: Sequence[Broken], column: str) -> list[str]:
    notes = [
        f"line {block.rows[one.place].line}, {column}: {one.message}: repaired."
        for one in broken[:_MAX_NOTES]
    ]
    if len(broken) > _MAX_NOTES:
        notes.append(f"{column}: {len(broken) - _MAX_NOTES} more tags were repaired.")
    return notes


def head_of(found: Iterable[T], size: Callable[[T], int]) -> list[T]:
    """Return the first of something, so many that they tell the scheme of their tags."""
    head: list[T] = []
    total = 0
    for one in found:
        head.append(one)
        total += size(one)
        if total >= _HEAD_TOKENS:
            break
    return head


def _inconsistent(block: Block, broken: Broken, scheme: TagScheme, column: str) -> Refused:
    return Refused(
        line=block.rows[broken.place].line,
        reason=Reason.TAGS_INCONSISTENT,
        field=column,
        message=f"{column}: {broken.message}, as {scheme.value} asks: mend the file, or have "
        "inconsistent tags repaired.",
    )
