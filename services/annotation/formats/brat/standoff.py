"""The lines of an annotation file, as values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from services.common.errors import InvalidArgumentError, Reason, invalid_field

EVENT_ID = re.compile(r"E\d+", re.ASCII)
_ID = re.compile(r"\S{1,100}")
_EXTENT = re.compile(r"(\d{1,9}) (\d{1,9})", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class TextBound:
    """``T1<tab>LABEL 0 5;10 15<tab>text``; `text` is None where the line has no third column."""

    line: int
    id: str
    label: str
    extents: tuple[tuple[int, int], ...]
    text: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class EventLine:
    """``E1<tab>TYPE:T1 Role:T2``; `args` are pairs of role and id."""

    line: int
    id: str
    type: str
    trigger: str
    args: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RelationLine:
    """``R1<tab>TYPE Arg1:T1 Arg2:T2``; `args` are pairs of name and id."""

    line: int
    id: str
    type: str
    args: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Equivalence:
    """``*<tab>Equiv T1 T2 T3``."""

    line: int
    type: str
    members: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Remark:
    """What is said about another line: an attribute (A, M), normalisation (N) or note (#).

    Attributes:
        line: Number of the line, from 1.
        id: Its id.
        kind: ``A``, ``N`` or ``#``.
        type: Name of the attribute, ``Reference``, or the kind of note.
        target: Id of the line that it is about.
        value: Value of the attribute, empty for a binary one; ``DB:id`` of a normalisation.
        text: The third column.
        raw: The line.
    """

    line: int
    id: str
    kind: str
    type: str
    target: str
    value: str
    text: str
    raw: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Other:
    """A line of a kind that is not known here."""

    line: int
    raw: str


Entry: TypeAlias = TextBound | EventLine | RelationLine | Equivalence | Remark | Other


def entries_of(ann: str, name: str) -> Iterator[Entry]:
    """Yield the entries of an annotation file.

    Args:
        ann: Its content.
        name: Its name, for refusals: ``NAME.ann`` gives the field ``NAME.ann:3``.

    Raises:
        InvalidArgumentError: FIELD_INVALID for a line that is not what its first letter says.
    """
    for number, raw in enumerate(ann.split("\n"), start=1):
        raw = raw.removesuffix("\r")
        if raw.strip():
            yield _entry(raw, number, f"{name}:{number}")


def _entry(raw: str, number: int, field: str) -> Entry:
    key, tab, rest = raw.partition("\t")
    kind = key[:1]
    if kind not in "TERAMN#*":
        return Other(line=number, raw=raw)
    if not tab or _ID.fullmatch(key) is None or (kind == "*" and key != "*"):
        raise _malformed(field, "an id, a tab and what it says")
    body, _, text = rest.partition("\t")
    if kind == "T":
        return _text_bound(key, body, text if "\t" in rest else None, number, field)
    words = body.split(" ")
    words = [word for word in words if word] if kind not in "AM" else words
    if not words or not words[0]:
        raise _malformed(field, "its type behind the tab")
    match kind:
        case "E":
            pairs = _pairs(words, field, "E1<tab>TYPE:T1 Role:T2")
            (kind_of, trigger), *args = pairs
            return EventLine(line=number, id=key, type=kind_of, trigger=trigger, args=tuple(args))
        case "R":
            args = _pairs(words[1:], field, "R1<tab>TYPE Arg1:T1 Arg2:T2")
            return RelationLine(line=number, id=key, type=words[0], args=tuple(args))
        case "*":
            if len(words) < 3:
                raise _malformed(field, "*<tab>Equiv T1 T2: a type and two ids or more")
            return Equivalence(line=number, type=words[0], members=tuple(words[1:]))
    if len(words) < 2 or not words[1]:
        raise _malformed(field, "a type and the id that it is about")
    value = " ".join(words[2:]).strip()
    if kind == "N" and (len(words) != 3 or ":" not in value):
        raise _malformed(field, "N1<tab>Reference T1 DB:id<tab>text")
    return Remark(
        line=number,
        id=key,
        kind="A" if kind == "M" else kind,
        type=words[0],
        target=words[1],
        value=value,
        text=text.strip(),
        raw=raw,
    )


def _text_bound(key: str, body: str, text: str | None, number: int, field: str) -> TextBound:
    label, _, places = body.strip(" ").partition(" ")
    extents = []
    for piece in places.split(";"):
        found = _EXTENT.fullmatch(piece)
        if found is None:
            raise _malformed(field, "T1<tab>LABEL 0 5<tab>text, or 0 5;10 15 for several pieces")
        start, end = int(found[1]), int(found[2])
        if start >= end:
            raise invalid_field(
                field, f"{end} is not behind start, which is {start}.", reason=Reason.OFFSET_INVALID
            )
        extents.append((start, end))
    return TextBound(line=number, id=key, label=label, extents=tuple(extents), text=text)


def _pairs(words: list[str], field: str, form: str) -> list[tuple[str, str]]:
    pairs = []
    for word in words:
        name, colon, key = word.rpartition(":")
        if not colon or not name or not key:
            raise _malformed(field, form)
        pairs.append((name, key))
    return pairs


def _malformed(field: str, form: str) -> InvalidArgumentError:
    return invalid_field(field, f"the line is not of the form {form}.")
