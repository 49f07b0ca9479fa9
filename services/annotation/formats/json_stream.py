"""The items of a JSON array, of JSON lines, or one JSON object, in bounded memory.

Which of the three a file is follows from its first lines. An item that is damaged is refused and
the items behind it are read on, as far as its end can be told.
"""

from __future__ import annotations

import json
import re
from codecs import getincrementaldecoder
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from services.annotation.formats.json_lines import Line, Utf8, lines_of, malformed, too_long
from services.annotation.formats.records import Refused
from services.common.errors import Reason

_BLANK = " \t\r\n"
_SIGN = re.compile(r'["\[\]{},]')
_IN_STRING = re.compile(r'["\\]')
_NOT_BLANK = re.compile(r"[^ \t\r\n]")
_HALF = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Item:
    """One value of a file.

    Attributes:
        number: Its place among the items, from 1, refused ones included.
        line: The line of the file on which it begins, from 1.
        value: The value. Its strings hold no half of a surrogate pair, but may hold NUL.
        prefix: What a path within the value begins with in messages: ``[2].`` for the third item
            of an array, else empty.
    """

    number: int
    line: int
    value: Any
    prefix: str = ""


def items(file: BinaryIO, max_line_bytes: int) -> Iterator[Item | Refused]:
    """Yield the items of a file that is open at its start and can be sought in.

    Args:
        file: UTF-8, with or without a byte order mark, or UTF-16 with one.
        max_line_bytes: Longest line, or item of an array; what is longer is refused.

    Yields:
        Items, and refusals: REQUEST_MALFORMED for what is not JSON or cannot be decoded,
        LINE_TOO_LONG, and FIELD_INVALID for a string with half of a surrogate pair. Blank lines
        are skipped; a file of nothing else yields nothing.
    """
    start = file.tell()
    kind = _kind(file, max_line_bytes)
    file.seek(start)
    if kind == "lines":
        return _line_items(Utf8(file), max_line_bytes)
    return _Values(Utf8(file), max_line_bytes, array=kind == "array").items()


def _kind(file: BinaryIO, limit: int) -> str:
    """Return ``lines``, ``array`` or ``objects`` (one or more, each over several lines)."""
    start = file.tell()
    lines = (
        one
        for one in lines_of(Utf8(file), limit)
        if isinstance(one, Refused) or one.text.strip(_BLANK)
    )
    first, second = next(lines, None), next(lines, None)
    if first is None:
        return "lines"
    if isinstance(first, Refused):
        file.seek(start)
        head = next(Utf8(file).chunks()).decode(errors="replace").strip(_BLANK)
        opens = first.reason is Reason.LINE_TOO_LONG and head.startswith("[")
        return "array" if opens else "lines"
    opening = first.text.strip(_BLANK)[0]
    if opening not in "[{":
        return "lines"
    scan = _Scan()
    scan.feed(first.text, 0, in_array=False)
    if opening == "[":
        return "lines" if scan.depth == 0 and second is not None else "array"
    # A line cut off within a string, or with another object below it, is a damaged line.
    if scan.depth == 0 or scan.in_string or not isinstance(second, Line):
        return "lines"
    return "lines" if second.text.lstrip(_BLANK).startswith("{") else "objects"


def _line_items(source: Utf8, limit: int) -> Iterator[Item | Refused]:
    number = 0
    for line in lines_of(source, limit):
        if isinstance(line, Line) and not line.text.strip(_BLANK):
            continue
        number += 1
        if isinstance(line, Refused):
            yield line
            continue
        try:
            value = _DECODER.decode(line.text)
        except (ValueError, RecursionError) as error:
            where = f" (column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
            yield malformed(
                line.number, f"The line is not JSON{where}: write one JSON object per line."
            )
            continue
        yield _checked(Item(number, line.number, value), line.text)


class _Values:
    """The values of an array, or values one behind the other, over any number of lines."""

    def __init__(self, source: Utf8, limit: int, *, array: bool) -> None:
        self._chunks = source.chunks()
        # Undecodable bytes become halves of pairs, which cannot come from anything else, and are
        # refused with their item.
        self._decoder = getincrementaldecoder("utf-8")("surrogateescape")
        self._limit = limit
        self._array = array
        self._buffer, self._at, self._line, self._number = "", 0, 1, 0

    def items(self) -> Iterator[Item | Refused]:
        if self._array:
            self._skip_blanks()
            self._move(1)
        while (sign := self._skip_blanks()) and not (self._array and sign == "]"):
            self._number += 1
            yield self._item()
            if self._array:
                sign = self._skip_blanks()
                if sign == ",":
                    self._move(1)
                elif sign and sign != "]":
                    yield self._refusal("a comma is missing in front of the next item")
        if self._array:
            if not sign:
                yield self._refusal("the array has no end, the file seems to be cut off")
                return
            self._move(1)
            if self._skip_blanks():
                yield self._refusal("something stands behind the end of the array")

    def _item(self) -> Item | Refused:
        line, number = self._line, self._number
        prefix = f"[{number - 1}]." if self._array else ""
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._at)
            except (ValueError, RecursionError) as error:
                if len(self._buffer) - self._at <= self._limit and self._more():
                    continue
                fault = error.msg if isinstance(error, json.JSONDecodeError) else "too deep"
                size = self._skip_item()
                if size > self._limit:
                    return too_long("item", line, self._limit)
                return malformed(line, f"Item {number} is not JSON ({fault}): correct it.")
            # A number at the end of what was read may go on.
            if end == len(self._buffer) and self._more():
                continue
            break
        source = self._buffer[self._at : end]
        self._move(end - self._at)
        if len(source) > self._limit or len(source.encode("utf-8", "replace")) > self._limit:
            return too_long("item", line, self._limit)
        if not source.isascii() and _HALF.search(source):
            return malformed(line, f"Item {number} is not UTF-8: save the file as UTF-8.")
        return _checked(Item(number, line, value, prefix), source)

    def _skip_item(self) -> int:
        """Move behind a damaged item: in front of the comma or bracket, or behind its braces."""
        scan, size = _Scan(), 0
        while True:
            end = scan.feed(self._buffer, self._at, in_array=self._array)
            size += end - self._at
            self._move(end - self._at)
            if scan.stopped or not self._more():
                return size

    def _skip_blanks(self) -> str:
        """Move to the next sign and return it; empty at the end of the file."""
        while True:
            match = _NOT_BLANK.search(self._buffer, self._at)
            self._move((match.start() if match else len(self._buffer)) - self._at)
            if match:
                return match.group()
            if not self._more():
                return ""

    def _move(self, count: int) -> None:
        self._line += self._buffer.count("\n", self._at, self._at + count)
        self._at += count

    def _more(self) -> bool:
        """Read as much again as is held, so that one item is tried only a few times."""
        rest = self._buffer[self._at :]
        pieces, held = [rest], 0
        for data in self._chunks:
            pieces.append(self._decoder.decode(data))
            held += len(pieces[-1])
            if held and held >= len(rest):
                break
        else:
            pieces.append(self._decoder.decode(b"", True))
            held += len(pieces[-1])
        self._buffer, self._at = "".join(pieces), 0
        return held > 0

    def _refusal(self, fault: str) -> Refused:
        return malformed(self._line, f"The file is not JSON here: {fault}.")


class _Scan:
    """Follows brackets and strings without reading values."""

    def __init__(self) -> None:
        self.depth = 0
        self.in_string = False
        self.stopped = False
        self._skip = 0

    def feed(self, text: str, at: int, *, in_array: bool = True) -> int:
        """Go on through a text up to the end of the value, or of the text, and return the place.

        A value in an array ends at the comma or bracket behind it, another behind its braces.
        """
        at += self._skip
        self._skip = 0
        while match := (_IN_STRING if self.in_string else _SIGN).search(text, at):
            sign, at = match.group(), match.end()
            if sign == '"':
                self.in_string = not self.in_string
            elif sign == "\\":
                at += 1
                self._skip = max(0, at - len(text))
            elif sign in "[{":
                self.depth += 1
            elif in_array and self.depth == 0:
                self.stopped = sign in ",]"
                if self.stopped:
                    return match.start()
            elif sign in "]}":
                self.depth -= 1
                self.stopped = not in_array and self.depth == 0
                if self.stopped:
                    return at
        return len(text)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _checked(item: Item, source: str) -> Item | Refused:
    r"""Refuse what ``\ud800`` and the like in JSON make: no encoding can hold it."""
    if "\\ud" in source or "\\uD" in source:
        path = _half(item.value)
        if path is not None:
            field = item.prefix + path.removeprefix(".")
            return Refused(
                line=item.line,
                reason=Reason.FIELD_INVALID,
                field=field,
                message=f"{field}: holds half of a surrogate pair.",
            )
    return item


def _half(value: Any) -> str | None:
    """Return the path of the first string with half of a surrogate pair, or None."""
    inner: Iterator[tuple[str, Any]]
    if isinstance(value, str):
        return "" if _HALF.search(value) else None
    if isinstance(value, list):
        inner = ((f"[{index}]", one) for index, one in enumerate(value))
    elif isinstance(value, dict):
        if any(_HALF.search(key) for key in value):
            return " key"
        inner = ((f".{key}", one) for key, one in value.items())
    else:
        return None
    for path, one in inner:
        found = _half(one)
        if found is not None:
            return path + found
    return None
