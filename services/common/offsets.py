"""Text offsets in the units that callers count in, to and from Unicode code points."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from enum import StrEnum
from itertools import accumulate, chain

import regex  # type: ignore[import-untyped]  # it has no types

from services.common.errors import InvalidArgumentError, Reason, invalid_field

_GRAPHEME = regex.compile(r"\X")


class OffsetEncoding(StrEnum):
    """The unit in which offsets are counted."""

    CODE_POINT = "CODE_POINT"
    """Unicode code points, as Python counts; the unit inside the services."""
    UTF8 = "UTF8"
    """Bytes of UTF-8."""
    UTF16 = "UTF16"
    """UTF-16 code units, as JavaScript, Java and C# count."""


def to_code_points(
    text: str,
    offsets: Sequence[int],
    encoding: OffsetEncoding,
    field_of: Callable[[int], str] | None = None,
) -> list[int]:
    """Turn offsets into a text, counted in `encoding`, into code points.

    Args:
        text: The text.
        offsets: Any offsets from 0 to the text's length, in any order.
        encoding: Their unit.
        field_of: From the index of an offset to its path in the request, for the refusal.

    Raises:
        InvalidArgumentError: OFFSET_INVALID: an offset is outside the text or, counted in bytes or
            UTF-16 units, inside a code point, a surrogate pair or a grapheme cluster: there it
            cannot be what the caller meant.
    """
    if encoding is OffsetEncoding.CODE_POINT:
        for index, offset in enumerate(offsets):
            if not 0 <= offset <= len(text):
                raise _outside(index, offset, len(text), encoding, field_of)
        return list(offsets)
    starts = _unit_starts(text, encoding)
    graphemes = _grapheme_starts(text)
    found = []
    for index, offset in enumerate(offsets):
        length = len(text) if starts is None else starts[-1]
        if not 0 <= offset <= length:
            raise _outside(index, offset, length, encoding, field_of)
        point = offset if starts is None else bisect_left(starts, offset)
        if starts is not None and starts[point] != offset:
            raise _inside(index, offset, "a character", encoding, field_of)
        if graphemes is not None and point not in graphemes:
            raise _inside(index, offset, "a grapheme cluster", encoding, field_of)
        found.append(point)
    return found


def from_code_points(text: str, offsets: Sequence[int], encoding: OffsetEncoding) -> list[int]:
    """Turn code point offsets, from 0 to the text's length, into offsets counted in `encoding`."""
    starts = None if encoding is OffsetEncoding.CODE_POINT else _unit_starts(text, encoding)
    return list(offsets) if starts is None else [starts[offset] for offset in offsets]


def _unit_starts(text: str, encoding: OffsetEncoding) -> array[int] | None:
    """Return where each code point begins, and the length; None when they are numbered alike."""
    if text.isascii():
        return None
    if encoding is OffsetEncoding.UTF16:
        sizes = (2 if char > "\uffff" else 1 for char in text)
    else:
        sizes = (
            1 if char < "\x80" else 2 if char < "\u0800" else 3 if char <= "\uffff" else 4
            for char in text
        )
    return array("q", accumulate(chain((0,), sizes)))


def _grapheme_starts(text: str) -> set[int] | None:
    """Return the code points between which a text may be cut; None when it is all of them."""
    if text.isascii() and "\r\n" not in text:
        return None
    starts = {match.start() for match in _GRAPHEME.finditer(text)}
    starts.add(len(text))
    starts.add(0)
    return starts


def _field(index: int, field_of: Callable[[int], str] | None) -> str:
    return f"offsets[{index}]" if field_of is None else field_of(index)


def _outside(
    index: int,
    offset: int,
    length: int,
    encoding: OffsetEncoding,
    field_of: Callable[[int], str] | None,
) -> InvalidArgumentError:
    return invalid_field(
        _field(index, field_of),
        f"{offset} is outside the text, which has {length} {_UNITS[encoding]}.",
        reason=Reason.OFFSET_INVALID,
    )


def _inside(
    index: int,
    offset: int,
    what: str,
    encoding: OffsetEncoding,
    field_of: Callable[[int], str] | None,
) -> InvalidArgumentError:
    return invalid_field(
        _field(index, field_of),
        f"{offset} is inside {what}; offsets are counted in {_UNITS[encoding]} here.",
        reason=Reason.OFFSET_INVALID,
    )


_UNITS = {
    OffsetEncoding.CODE_POINT: "code points",
    OffsetEncoding.UTF8: "UTF-8 bytes",
    OffsetEncoding.UTF16: "UTF-16 units",
}
