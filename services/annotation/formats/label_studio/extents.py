"""Where results lie in the text, and in which unit the file counts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.annotation.formats.json_fields import an_offset
from services.common.errors import InvalidArgumentError, Reason, invalid_field
from services.common.offsets import OffsetEncoding, to_code_points

_LABELS = ("labels", "hypertextlabels", "paragraphlabels")
_PLAIN_PATH = re.compile(r"(?:/text\(\)\[1\])?")
_MARKUP = re.compile(r"[<&]")
_SHOWN = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Extent:
    """Where a result lies, in the unit of the file.

    Attributes:
        start: Its first unit.
        end: The first unit behind it.
        said: What the file says stands there, or None.
        exact: Whether `start` and `end` are those of the value itself, not of paths into a page.
    """

    start: int
    end: int
    said: str | None
    exact: bool


def label_key(result: Mapping[str, Any]) -> str:
    """Return the key of the value under which the labels stand; empty when there are none."""
    value = result.get("value")
    if not isinstance(value, dict):
        return ""
    kind = result.get("type")
    for key in (kind, *_LABELS, "rectanglelabels"):
        found = value.get(key) if isinstance(key, str) and key.endswith("labels") else None
        if isinstance(found, list) and all(isinstance(one, str) for one in found):
            return str(key)
    return ""


def extent_of(
    result: Mapping[str, Any], text: str, names: frozenset[str], field: str
) -> Extent | None:
    """Return where a result lies in the text, or None when it lies elsewhere or cannot be told.

    Raises:
        InvalidArgumentError: OFFSET_INVALID: one of two offsets is no whole number.
    """
    value = result.get("value")
    if not isinstance(value, dict) or not text:
        return None
    if names and str(result.get("to_name")) not in names:
        return None
    if "channel" in value or "original_length" in result or "x" in value:
        return None  # a stretch of sound, or a box
    start, end = value.get("start"), value.get("end")
    if type(start) is int or type(end) is int:
        if isinstance(start, float) or isinstance(end, float):
            return None  # seconds
        said = value.get("text")
        return Extent(
            start=an_offset(start, f"{field}.value.start"),
            end=an_offset(end, f"{field}.value.end"),
            said=said if isinstance(said, str) else None,
            exact=True,
        )
    return _of_page(value, text) if isinstance(start, str) and isinstance(end, str) else None


def _of_page(value: Mapping[str, Any], text: str) -> Extent | None:
    """Return an extent that is given by paths into a page, if it is exact in the text as well."""
    said = value.get("text")
    offsets = value.get("globalOffsets")
    if isinstance(offsets, dict):
        found = (offsets.get("start"), offsets.get("end"))
    elif _PLAIN_PATH.fullmatch(value["start"]) and value["start"] == value["end"]:
        found = (value.get("startOffset"), value.get("endOffset"))
    else:
        return None
    start, end = found
    if type(start) is not int or type(end) is not int or not 0 <= start < end <= 2 * len(text):
        return None
    if not isinstance(said, str):
        # Without the words nothing but a text without markup is shown as it stands.
        return None if _MARKUP.search(text) else _page_extent(start, end, None)
    fits = any(_slice(text, start, end, unit) == said for unit in _UNITS)
    return _page_extent(start, end, said) if fits else None


def _page_extent(start: int, end: int, said: str | None) -> Extent:
    return Extent(start=start, end=end, said=said, exact=False)


_UNITS = (OffsetEncoding.CODE_POINT, OffsetEncoding.UTF16)


def unit_of(
    text: str, extents: Sequence[Extent], given: OffsetEncoding | None = None
) -> OffsetEncoding:
    """Return the unit in which a task counts: code points, unless its own words fit UTF-16 only.

    Args:
        text: The text.
        extents: All of the task.
        given: What the import was told; it is taken as it is.
    """
    if given is not None:
        return given
    if text.isascii():
        return OffsetEncoding.CODE_POINT
    said = [one for one in extents if one.said is not None]
    for unit in _UNITS:
        if _all_fit(text, said, unit):
            return unit
    return OffsetEncoding.CODE_POINT


def to_points(
    text: str, extents: Sequence[tuple[Extent, str]], unit: OffsetEncoding
) -> Iterator[tuple[int, int]]:
    """Yield extents in code points; the second of each pair is its path in the file.

    Raises:
        InvalidArgumentError: OFFSET_INVALID: an offset is outside the text, within a character, or
            not behind its start, or other words than the file says stand there.
    """
    flat = [offset for one, _ in extents for offset in (one.start, one.end)]

    def place(index: int) -> str:
        return f"{extents[index // 2][1]}.value.{'end' if index % 2 else 'start'}"

    points = to_code_points(text, flat, unit, place)
    for index, (one, field) in enumerate(extents):
        start, end = points[2 * index : 2 * index + 2]
        if start >= end:
            raise invalid_field(
                place(2 * index + 1),
                f"{one.end} is not behind start, which is {one.start}.",
                reason=Reason.OFFSET_INVALID,
            )
        if one.said is not None and not alike(one.said, text[start:end]):
            raise _other_words(one.said, text[start:end], field)
        yield start, end


def alike(said: str, found: str) -> bool:
    r"""Whether a file means these words: blanks differ, and a line end may be written ``\n``."""
    return said == found or _folded(said) == _folded(found)


def _folded(text: str) -> str:
    return "".join(text.replace("\\n", "\n").split())


def _all_fit(text: str, extents: Sequence[Extent], unit: OffsetEncoding) -> bool:
    try:
        points = to_code_points(text, [at for one in extents for at in (one.start, one.end)], unit)
    except InvalidArgumentError:
        return False
    pieces = zip(extents, points[::2], points[1::2], strict=True)
    return all(one.said and alike(one.said, text[start:end]) for one, start, end in pieces)


def _slice(text: str, start: int, end: int, unit: OffsetEncoding) -> str | None:
    if not 0 <= start < end:
        return None
    try:
        first, last = to_code_points(text, (start, end), unit)
    except InvalidArgumentError:
        return None
    return text[first:last]


def _other_words(said: str, found: str, field: str) -> InvalidArgumentError:
    return invalid_field(
        f"{field}.value.text",
        f"is {said[:_SHOWN]!r}, but from start to end the text says {found[:_SHOWN]!r}: correct "
        "the offsets, or name the unit in which they count.",
        reason=Reason.OFFSET_INVALID,
    )
