"""CoNLL columns: tokens with IOB1, IOB2, IOBES or BILOU tags."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.annotation.domain import Span
from services.annotation.imports.lines import Line
from services.annotation.imports.records import ParsedText, Record, Refused, refusal
from services.annotation.spans import MAX_LABEL, MAX_SPANS, MAX_TEXT
from services.common.errors import InvalidArgumentError, Reason, invalid_field
from services.common.validate import check_line, check_text

_TAG = re.compile(r"O|([BIESLU])-(.+)", re.DOTALL)
_BLANKS = re.compile(r"[ \t]+")
_BLANK = " \t\r"
_DOCUMENT = "-DOCSTART-"
_MAX_TOKENS = 200_000
_NUMBERED = invalid_field(
    "token",
    "the first column numbers the lines: take it out, so that the first column holds the token "
    "and the last one the tags wanted.",
)


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    token: str
    tag: str


def columns_of(text: str) -> list[str]:
    """Return the columns of a line: split at tabs if it has any, else at blanks."""
    text = text.strip(_BLANK) if "\t" not in text else text.rstrip(_BLANK)
    return text.split("\t") if "\t" in text else _BLANKS.split(text)


def is_tag(value: str) -> bool:
    """Whether a column is a tag."""
    return _TAG.fullmatch(value) is not None


class ConllReader:
    """Gathers token lines to texts. One bad line refuses its whole text."""

    def __init__(self) -> None:
        """Start before the first text."""
        self._rows: list[_Row] = []
        self._first: int | None = None
        self._columns = 0
        self._refused: Refused | None = None
        self._ordinal = 0

    def read(self, line: Line | Refused) -> Iterator[Record]:
        """Take a line and yield the text that it ends, if it does."""
        if isinstance(line, Refused):
            self._begin(line.line)
            self._refuse(line)
            return
        if not line.text.strip(_BLANK):
            yield from self.end()
            return
        columns = columns_of(line.text)
        if columns[0] == _DOCUMENT:
            yield from self.end()
            return
        if self._first is None and line.text.startswith("#") and not is_tag(columns[-1]):
            return  # a comment above a text
        self._begin(line.number)
        if self._refused is None:
            try:
                self._rows.append(self._row(line.number, columns))
            except InvalidArgumentError as error:
                self._refuse(refusal(line.number, error))

    def end(self) -> Iterator[Record]:
        """Yield the text that is under way, if there is one."""
        if self._first is None:
            return
        rows, first, refused, columns = self._rows, self._first, self._refused, self._columns
        self._rows, self._first, self._refused, self._columns = [], None, None, 0
        self._ordinal += 1
        if refused is None and columns > 2 and _is_numbered(rows):
            refused = refusal(first, _NUMBERED)
        yield refused if refused is not None else _text_of(rows, first, self._ordinal)

    def _begin(self, number: int) -> None:
        if self._first is None:
            self._first = number

    def _refuse(self, refused: Refused) -> None:
        self._refused = self._refused or refused
        self._rows = []

    def _row(self, number: int, columns: Sequence[str]) -> _Row:
        if len(columns) < 2:
            raise invalid_field(
                "tag",
                "the line has one column: write the token, a tab and its tag (O, B-… or I-…).",
            )
        if self._columns and len(columns) != self._columns:
            raise invalid_field(
                "columns",
                f"the line has {len(columns)} columns, the lines above it {self._columns}: give "
                "all lines of a text the same columns.",
            )
        self._columns = len(columns)
        token, tag = columns[0], columns[-1]
        if not token.strip():
            raise invalid_field("token", "is blank: the first column holds the token.")
        check_text(token, "token", 1, MAX_TEXT)
        found = _TAG.fullmatch(tag)
        if found is None:
            raise invalid_field(
                "tag", f"{tag[:100]!r} is no tag: write O, or B, I, E, S, L or U, '-' and a label."
            )
        if found[2] is not None:
            check_line(found[2], "tag", 1, MAX_LABEL)
        if len(self._rows) >= _MAX_TOKENS:
            raise InvalidArgumentError(
                Reason.REQUEST_TOO_LARGE,
                f"The text has more than {_MAX_TOKENS} tokens: end it with an empty line.",
            )
        return _Row(number, token, tag)


def _is_numbered(rows: Sequence[_Row]) -> bool:
    """Whether the first column counts 1, 2, …, as in CoNLL-U and GermEval: no text, surely."""
    return len(rows) > 1 and all(
        row.token == str(number) for number, row in enumerate(rows, start=1)
    )


def _text_of(rows: Sequence[_Row], first: int, ordinal: int) -> Record:
    text = " ".join(row.token for row in rows)
    spans = decode_tags([row.token for row in rows], [row.tag for row in rows])
    if len(text) > MAX_TEXT or len(spans) > MAX_SPANS:
        return Refused(
            line=first,
            reason=Reason.REQUEST_TOO_LARGE,
            field="text",
            message=f"A text has at most {MAX_TEXT} characters and {MAX_SPANS} spans: divide it.",
        )
    labels: dict[str, tuple[int, str]] = {}
    for row in rows:
        if row.tag != "O":
            labels.setdefault(row.tag.partition("-")[2], (row.line, "tag"))
    return ParsedText(
        line=first,
        ordinal=ordinal,
        text=text,
        spans=spans,
        labels=labels,
        tokenised=True,
    )


def decode_tags(tokens: Sequence[str], tags: Sequence[str]) -> tuple[Span, ...]:
    """Return the spans that tags mark in the text of tokens joined by single blanks.

    An entity that is not begun as its scheme says (``I-x`` after ``O`` or behind another label,
    ``E-x`` without a beginning) begins where it is, as IOB1 reads it; so all schemes decode alike.
    """
    extents: list[tuple[int, int, str]] = []
    begun: tuple[int, str] | None = None  # the open entity: start and label
    offset = behind = 0
    for token, tag in zip(tokens, tags, strict=True):
        prefix, _, label = tag.partition("-")
        continues = begun is not None and prefix in ("I", "E", "L") and begun[1] == label
        if begun is not None and not continues:
            extents.append((begun[0], behind, begun[1]))
            begun = None
        if tag != "O" and begun is None:
            begun = (offset, label)
        behind = offset + len(token)
        if begun is not None and prefix in ("E", "L", "S", "U"):
            extents.append((begun[0], behind, begun[1]))
            begun = None
        offset = behind + 1
    if begun is not None:
        extents.append((begun[0], behind, begun[1]))
    return tuple(
        Span(start=start, end=end, label=label, id=f"s{number}")
        for number, (start, end, label) in enumerate(extents, start=1)
    )
