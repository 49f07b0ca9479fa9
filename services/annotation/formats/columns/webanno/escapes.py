r"""How WebAnno TSV escapes signs: ``\t`` and the like, a backslash before others."""

from __future__ import annotations

import re

_TEXT = {"\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", "\b": "\\b", "\\": "\\\\"}
_TEXT |= {chr(one): f"\\{chr(one)}" for one in range(32) if not 7 < one < 14}
_NAMED = {"t": "\t", "n": "\n", "f": "\f", "r": "\r", "b": "\b"}
_IN_TEXT = re.compile("[\x00-\x08\t\n\x0c\r\x0e-\x1f\\\\]")
_IN_VALUE = re.compile(r"->|[\\\[\]|_;\t\n*]")
_VALUE = {"\t": "\\t", "\n": "\\n"}
# Version 3.0 and 3.1 wrote as Java does, where \u and four digits are a UTF-16 unit.
_JAVA = re.compile(r"\\(u+[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_DISAMBIGUATED = re.compile(r"(?s)(.*)\[(\d+)(?:_(\d+))?\]")
_CHAINED = re.compile(r"(?s)(.*)->(\d+)-(\d+)")


def escape_text(text: str) -> str:
    """Return a line of text as it stands behind ``#Text=``."""
    return _IN_TEXT.sub(lambda match: _TEXT[match[0]], text)


def unescape_text(text: str, minor: int) -> str:
    """Return what stands behind ``#Text=`` in a file of version 3.`minor`."""
    if "\\" not in text:
        return text
    if minor >= 2:
        return _ESCAPED.sub(lambda match: _NAMED.get(match[1], match[1]), text)
    found = _JAVA.sub(
        lambda match: (
            chr(int(match[1].lstrip("u"), 16))
            if len(match[1]) > 1
            else _NAMED.get(match[1], match[1])
        ),
        text,
    )
    # Halves of surrogate pairs were written one by one.
    return found.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def escape_value(value: str) -> str:
    """Return the value of a feature as it stands in its column."""
    return _IN_VALUE.sub(lambda match: _VALUE.get(match[0], f"\\{match[0]}"), value)


def unescape_value(value: str) -> str:
    """Return the value of a feature from its column."""
    return _ESCAPED.sub(lambda match: {"t": "\t", "n": "\n"}.get(match[1], match[1]), value)


def split(cell: str, separator: str) -> list[str]:
    """Split a column at a sign, except where it is escaped."""
    parts, start, place = [], 0, 0
    while place < len(cell):
        if cell[place] == "\\":
            place += 2
            continue
        if cell[place] == separator:
            parts.append(cell[start:place])
            start = place + 1
        place += 1
    parts.append(cell[start:])
    return parts


def numbered(value: str) -> tuple[str, int, int]:
    """Divide ``value[3]`` or ``value[3_4]`` into the value and its numbers, else 0."""
    match = _DISAMBIGUATED.fullmatch(value)
    if match is None or _is_escaped(match[1]):
        return value, 0, 0
    return match[1], int(match[2]), int(match[3] or 0)


def chained(value: str) -> tuple[str, int, int] | None:
    """Divide ``value->2-1`` into the value, its chain and its place there; None if it is not so."""
    match = _CHAINED.fullmatch(value)
    if match is None or _is_escaped(match[1]):
        return None
    return match[1], int(match[2]), int(match[3])


def _is_escaped(before: str) -> bool:
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1
