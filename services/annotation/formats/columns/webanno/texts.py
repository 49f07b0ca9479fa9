"""The text of a WebAnno document and where its units stand in it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from services.annotation.formats.columns.webanno.documents import Document, Unit
from services.annotation.spans import MAX_TEXT
from services.common.errors import InvalidArgumentError, Reason, invalid_field
from services.common.offsets import OffsetEncoding, from_code_points

# Java counts in UTF-16; other tools that write the format count otherwise.
_UNITS = (OffsetEncoding.UTF16, OffsetEncoding.CODE_POINT, OffsetEncoding.UTF8)
_PAD = " "


def placed(
    document: Document, encoding: OffsetEncoding | None
) -> tuple[str, list[tuple[int, int]], list[str]]:
    """Return the text, the extents of all units in code points, and notes.

    Raises:
        InvalidArgumentError: OFFSET_INVALID: the extents do not mark the tokens of the text.
    """
    if document.version[0] == 2:
        return _searched(document)
    encodings = _UNITS if encoding is None else (encoding,)
    refused: InvalidArgumentError | None = None
    for one in encodings:
        try:
            text, extents = _counted(document, one)
        except InvalidArgumentError as error:
            refused = refused or error
        else:
            return text, extents, []
    if refused is None:
        raise AssertionError("there is at least one encoding")
    raise refused


def _counted(document: Document, encoding: OffsetEncoding) -> tuple[str, list[tuple[int, int]]]:
    """Put the sentences where their offsets say.

    Sentences are divided by what the file says stands there, else by a line end and as many blanks
    as are missing, as WebAnno itself reads them.
    """
    text, length, base = "", 0, 0
    pieces: list[str] = []
    for number, sentence in enumerate(document.sentences):
        if not sentence.units:
            raise _missing(sentence.line)
        begin = sentence.units[0].begin
        if (number or document.task is None) and begin - base - length > MAX_TEXT:
            raise _outside(sentence.units[0])
        if number == 0:
            gap = sentence.gap
            if document.task is not None:
                gap = gap or ""
                base = begin - _length(gap, encoding)
            elif gap is None:
                gap = _PAD * begin
        elif sentence.gap is not None:
            gap = sentence.gap
        else:
            gap = "\n"[: begin - base - length] + _PAD * (begin - base - length - 1)
        pieces += [gap, sentence.text or ""]
        length += _length(gap, encoding) + _length(sentence.text or "", encoding)
    after = (document.task or {}).get("after", "")
    text = "".join(pieces) + (after if isinstance(after, str) else "")
    units = [unit for sentence in document.sentences for unit in sentence.units]
    return text, _points(text, units, base, encoding)


def _points(
    text: str, units: Sequence[Unit], base: int, encoding: OffsetEncoding
) -> list[tuple[int, int]]:
    starts = None
    if not text.isascii() and encoding is not OffsetEncoding.CODE_POINT:
        starts = from_code_points(text, range(len(text) + 1), encoding)
    found = []
    for unit in units:
        begin, end = unit.begin - base, unit.end - base
        if starts is not None:
            counted = (begin, end)
            begin, end = bisect_left(starts, begin), bisect_left(starts, end)
            if end > len(text) or (starts[begin], starts[end]) != counted:
                raise _outside(unit)
        if not 0 <= begin <= end <= len(text) or text[begin:end] != unit.surface:
            raise _outside(unit)
        found.append((begin, end))
    return found


def _searched(document: Document) -> tuple[str, list[tuple[int, int]], list[str]]:
    """Find the tokens of version 2, which has no offsets, in the texts of their sentences."""
    pieces: list[str] = []
    extents: list[tuple[int, int]] = []
    notes: list[str] = []
    start = 0
    for sentence in document.sentences:
        if not sentence.units:
            raise _missing(sentence.line)
        tokens = [unit.surface for unit in sentence.units]
        text = sentence.text or ""
        places = _places(text, tokens)
        if places is None:
            text = " ".join(tokens)
            places = _places(text, tokens)
            notes.append(
                f"line {sentence.line}: the text of the sentence is not that of its tokens, which "
                "were taken."
            )
        if places is None:
            raise _missing(sentence.line)
        extents += [(start + begin, start + end) for begin, end in places]
        pieces.append(text)
        start += len(text) + 1
    return "\n".join(pieces), extents, notes


def _places(text: str, tokens: Sequence[str]) -> list[tuple[int, int]] | None:
    """Return where tokens stand that have only blanks between them."""
    found, place = [], 0
    for token in tokens:
        begin = text.find(token, place)
        if begin < 0 or not token or text[place:begin].strip():
            return None
        place = begin + len(token)
        found.append((begin, place))
    return None if text[place:].strip() else found


def _length(text: str, encoding: OffsetEncoding) -> int:
    return from_code_points(text, [len(text)], encoding)[0]


def _outside(unit: Unit) -> InvalidArgumentError:
    return InvalidArgumentError(
        Reason.OFFSET_INVALID,
        f"line {unit.line}: {unit.begin}-{unit.end} does not mark {unit.surface[:60]!r} in the "
        "text: offsets are counted in UTF-16 units, or name the unit of the file.",
        metadata={"field": f"line {unit.line}"},
    )


def _missing(line: int) -> InvalidArgumentError:
    return invalid_field(f"line {line}", "the sentence has no tokens: export the document again.")
