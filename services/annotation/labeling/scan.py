"""Finding the tags of a config in its very text, so that places are exact and rewriting is safe."""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.annotation.labeling.config import Place

_NAME = r"[^\s<>/=\"'?!&][^\s<>/=\"'&]*"
_TAG = re.compile(
    rf"<(?P<name>{_NAME})"
    rf"(?P<attributes>(?:\s+{_NAME}\s*=\s*(?:\"[^\"]*\"|'[^']*'))*)"
    r"\s*/?>"
)
# What else begins with "<", and what ends it; the longer beginnings first.
_OTHERS = (("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>"), ("<!", ">"), ("</", ">"))
_ATTRIBUTE = re.compile(
    rf"(?P<name>{_NAME})\s*=\s*(?P<quote>[\"'])(?P<value>.*?)(?P=quote)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class ScannedAttribute:
    """An attribute: where it stands, and its value as written, without the quotes."""

    name: str
    start: int
    value_start: int
    value_end: int
    quote: str


@dataclass(frozen=True, slots=True)
class ScannedTag:
    """A start tag or empty-element tag: from `start`, its attributes end at `inner_end`."""

    name: str
    start: int
    inner_end: int
    attributes: tuple[ScannedAttribute, ...]

    def attribute(self, name: str) -> ScannedAttribute | None:
        """Return the attribute of this name, or None."""
        return next((one for one in self.attributes if one.name == name), None)


def scan(xml: str) -> list[ScannedTag]:
    """Return the start tags of an XML text in order.

    Comments, CDATA sections and processing instructions are skipped whatever they hold. An
    unescaped ``<`` or ``>`` within an attribute value is taken as a part of it.
    """
    found = []
    position = 0
    while (start := xml.find("<", position)) >= 0:
        other = next((one for one in _OTHERS if xml.startswith(one[0], start)), None)
        if other is not None:
            begin, ending = other
            end = xml.find(ending, start + len(begin))
            if end < 0:  # nothing behind it is a tag; and to look on would take quadratic time
                break
            position = end + len(ending)
            continue
        match = _TAG.match(xml, start)
        if match is None:  # not well-formed: the XML parser says where and why
            position = start + 1
            continue
        position = match.end()
        found.append(_scanned(match))
    return found


def _scanned(match: re.Match[str]) -> ScannedTag:
    begin = match.start("attributes")
    attributes = tuple(
        ScannedAttribute(
            name=one["name"],
            start=begin + one.start("name"),
            value_start=begin + one.start("value"),
            value_end=begin + one.end("value"),
            quote=one["quote"],
        )
        for one in _ATTRIBUTE.finditer(match["attributes"])
    )
    return ScannedTag(match["name"], match.start(), match.end("attributes"), attributes)


def escaped(xml: str, tags: Sequence[ScannedTag]) -> tuple[str, list[int]]:
    """Return the text with every ``<`` in attribute values escaped, and where these stood."""
    places = [
        place
        for tag in tags
        for attribute in tag.attributes
        for place in range(attribute.value_start, attribute.value_end)
        if xml[place] == "<"
    ]
    pieces, behind = [], 0
    for place in places:
        pieces += [xml[behind:place], "&lt;"]
        behind = place + 1
    pieces.append(xml[behind:])
    return "".join(pieces), places


def original_index(index: int, escapes: Sequence[int]) -> int:
    """Return the index in the text as given of an index in the escaped one.

    Within what replaced a ``<``, that is the index of the ``<``.
    """
    added = len("&lt;") - 1
    # The escape before the index: number k begins k times `added` later than its "<" did.
    low = bisect.bisect_right(range(len(escapes)), index, key=lambda k: escapes[k] + k * added)
    if low == 0:
        return index
    return max(escapes[low - 1], index - low * added)


class Lines:
    """Turns indexes of a text into lines and columns."""

    def __init__(self, text: str) -> None:
        """Find the line ends: LF, CRLF, and CR alone."""
        self._starts = [0, *(one.end() for one in re.finditer(r"\r\n|\n|\r", text))]

    def place(self, index: int) -> Place:
        """Return the place of a code point."""
        line = bisect.bisect_right(self._starts, index)
        return Place(line=line, column=index - self._starts[line - 1] + 1)
