"""Lines of WebAnno TSV gathered to documents: header, sentences, units. Values stay as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from services.annotation.formats.columns.rows import MAX_TOKENS
from services.annotation.formats.columns.webanno.escapes import unescape_text
from services.annotation.formats.columns.webanno.layers import Layer, layer_of, layers_of, width
from services.annotation.formats.lines import Line, lines
from services.annotation.formats.records import ReadOptions, Refused, refusal
from services.annotation.spans import MAX_TEXT
from services.common.errors import InvalidArgumentError, Reason, invalid_field

# Comments that other tools pass over: what the format has no place for.
TASK = "#Spanloop.task="
SPAN = "#Spanloop.span="
RELATION = "#Spanloop.relation="
GAP = "#Spanloop.gap="
_FORMAT = re.compile(r"#FORMAT=WebAnno TSV (\d+)\.(\d+)\s*")
_ROW = re.compile(r"\d+-\d+(?:\.\d+)?\t")
_OFFSETS = re.compile(r"(\d{1,9})-(\d{1,9})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """A token or a part of one. `begin` and `end` are as in the file, -1 in version 2."""

    line: int
    id: str
    begin: int
    end: int
    surface: str
    cells: tuple[str, ...]


@dataclass(kw_only=True)
class Sentence:
    """A sentence: its text, what stands before it (if the file says so), its units."""

    line: int
    text: str | None = None
    gap: str | None = None
    units: list[Unit] = field(default_factory=list)


@dataclass(kw_only=True)
class Document:
    """A document, one task. `task`, `spans` and `relations` hold the comments, if there are any."""

    line: int
    version: tuple[int, int]
    layers: list[Layer]
    sentences: list[Sentence] = field(default_factory=list)
    task: dict[str, object] | None = None
    spans: list[dict[str, object]] = field(default_factory=list)
    relations: list[dict[str, object]] = field(default_factory=list)
    ids: bool = False
    refused: Refused | None = None
    characters: int = 0
    units: int = 0


def documents(file: BinaryIO, options: ReadOptions) -> Iterator[Document]:
    """Yield the documents of a file one by one. One bad line refuses its document.

    Raises:
        InvalidArgumentError: REQUEST_MALFORMED: the file is not of this format.
    """
    gatherer = _Gatherer()
    for line in lines(file, options.max_line_bytes):
        yield from gatherer.take(line)
    yield from gatherer.end()


class _Gatherer:
    def __init__(self) -> None:
        self._document: Document | None = None
        self._layers: list[Layer] = []
        self._version = (0, 0)
        # Whether we are above the first unit of a sentence.
        self._heading = True

    def take(self, line: Line | Refused) -> Iterator[Document]:
        if isinstance(line, Refused):
            document = self._current(line.line)
            document.refused = document.refused or line
            return
        text = line.text
        if self._version == (0, 0) and not text.strip():
            return
        if text.startswith("#FORMAT="):
            yield from self.end()
            self._begin(text)
            return
        if self._version == (0, 0):
            self._begin_old(text)
            return
        if text.startswith(TASK):
            yield from self.end()
        if self._version[0] == 3 and self._document is None and self._declares(text):
            return
        if self._document is None and not text.strip():
            return
        document = self._current(line.number)
        if document.refused is not None:
            return
        try:
            self._read(document, line)
        except InvalidArgumentError as error:
            document.refused = refusal(line.number, error)
            document.sentences.clear()
            document.spans.clear()
            document.relations.clear()

    def end(self) -> Iterator[Document]:
        document, self._document = self._document, None
        self._heading = True
        if document is not None and (
            document.sentences or document.refused is not None or document.task is not None
        ):
            yield document

    def _current(self, line: int) -> Document:
        if self._document is None:
            self._document = Document(line=line, version=self._version, layers=self._layers)
        return self._document

    def _begin(self, text: str) -> None:
        match = _FORMAT.fullmatch(text)
        if match is None or match[1] != "3":
            raise InvalidArgumentError(
                Reason.REQUEST_MALFORMED,
                f"{text[:80]!r} is not WebAnno TSV 3: export the document as WebAnno TSV 3.3.",
            )
        self._version, self._layers = (3, int(match[2])), []

    def _begin_old(self, text: str) -> None:
        stripped = text.strip()
        if not stripped.startswith("# ") or "|" not in stripped:
            raise InvalidArgumentError(
                Reason.REQUEST_MALFORMED,
                "The file begins neither with #FORMAT=WebAnno TSV 3 nor with the layers of version "
                "2: export the document as WebAnno TSV 3.3.",
            )
        self._version, self._layers = (2, 0), layers_of(stripped)

    def _declares(self, text: str) -> bool:
        layer = layer_of(text)
        if layer is not None:
            self._layers.append(layer)
        return layer is not None

    def _read(self, document: Document, line: Line) -> None:
        text = line.text
        if not text.strip():
            self._heading = True
        elif _ROW.match(text) and (document.sentences or self._version[0] == 3):
            self._unit(document, line)
        elif text.startswith("#") and self._heading:
            self._comment(document, line)
        elif self._version[0] == 2 and document.sentences and not document.sentences[-1].units:
            # Version 2 does not escape line ends in the text of a sentence.
            document.sentences[-1].text = f"{document.sentences[-1].text or ''}\n{text}"
        else:
            raise _malformed(line)

    def _comment(self, document: Document, line: Line) -> None:
        name, _, value = line.text.partition("=")
        if name in ("#Text", "#text"):
            sentence = self._sentence(document, line.number)
            if self._version[0] == 3:
                value = unescape_text(value, self._version[1])
            sentence.text = value if sentence.text is None else f"{sentence.text}\n{value}"
            document.characters += len(value) + 1
            _check_size(document)
        elif name in ("#Sentence.id", "#id"):
            document.ids = document.ids or name == "#Sentence.id"
        elif line.text.startswith(TASK):
            document.task = _object(value, line)
        elif line.text.startswith(SPAN):
            document.spans.append(_object(value, line))
        elif line.text.startswith(RELATION):
            document.relations.append(_object(value, line))
        elif line.text.startswith(GAP):
            gap = _json(value, line)
            if not isinstance(gap, str):
                raise _malformed(line)
            self._sentence(document, line.number).gap = gap

    def _sentence(self, document: Document, number: int) -> Sentence:
        if not document.sentences or document.sentences[-1].units:
            document.sentences.append(Sentence(line=number))
        return document.sentences[-1]

    def _unit(self, document: Document, line: Line) -> None:
        if self._heading:
            self._sentence(document, line.number)
            self._heading = False
        fields = line.text.split("\t")
        begin = end = -1
        if self._version[0] == 3:
            match = _OFFSETS.fullmatch(fields[1])
            if match is None or len(fields) < 3:
                raise _malformed(line)
            begin, end = int(match[1]), int(match[2])
            del fields[1]
        cells = fields[2:]
        wanted = width(self._layers)
        # Tabs may end a line, or be missing there where nothing follows.
        while len(cells) > wanted and not cells[-1]:
            cells.pop()
        if len(cells) != wanted:
            raise invalid_field(
                "columns",
                f"the line has {len(cells)} columns of layers, the header {wanted}: export the "
                "document again.",
            )
        sentence = document.sentences[-1]
        sentence.units.append(
            Unit(
                line=line.number,
                id=fields[0],
                begin=begin,
                end=end,
                surface=fields[1],
                cells=tuple(cells),
            )
        )
        document.units += 1
        _check_size(document)


def _check_size(document: Document) -> None:
    if document.characters > MAX_TEXT + 1 or document.units > MAX_TOKENS:
        raise InvalidArgumentError(
            Reason.REQUEST_TOO_LARGE,
            f"A text has at most {MAX_TEXT} characters and {MAX_TOKENS} tokens: divide the "
            "document.",
        )


def _object(value: str, line: Line) -> dict[str, object]:
    found = _json(value, line)
    if not isinstance(found, dict):
        raise _malformed(line)
    return found


def _json(value: str, line: Line) -> object:
    try:
        found: object = json.loads(value)
        # Escapes can make halves of surrogate pairs, which no encoding holds.
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise _malformed(line) from None
    return found


def _malformed(line: Line) -> InvalidArgumentError:
    return InvalidArgumentError(
        Reason.REQUEST_MALFORMED,
        f"{line.text[:80]!r} is neither a token (number, extent, text, columns) nor a comment "
        "above a sentence: export the document again.",
        metadata={"field": "line"},
    )
