"""Tags of column files: IOB1, IOB2, IOBES (also written BIOES or BILOU) and IO. Pure functions."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.annotation.formats.records import TagScheme

_TAG = re.compile(r"O|([BIESLU])-(.+)", re.DOTALL)
# BILOU calls the last token L and a single one U.
_AS_IOBES = {"L": "E", "U": "S"}


@dataclass(frozen=True, slots=True)
class Marked:
    """A span of tokens: `first` and `last` are places of tokens, both within it."""

    first: int
    last: int
    label: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A tag that its scheme does not allow where it stands."""

    place: int
    message: str


def is_tag(value: str) -> bool:
    """Whether a column is a tag."""
    return _TAG.fullmatch(value) is not None


def label_of(tag: str) -> str:
    """Return the label of a tag, empty for ``O``."""
    return tag.partition("-")[2]


def recognised(tags: Iterable[str]) -> TagScheme:
    """Return the scheme that tags are in, as far as they tell.

    E, S, L or U make IOBES. IOB1 begins spans with I, except where they touch one of the same
    label; IOB2 begins all of them with B: it is the one that more of the beginnings follow. Without
    any B it is IO.
    """
    prefixes: set[str] = set()
    by_i = by_b = 0
    before = "O"
    for tag in tags:
        prefix = tag[:1]
        prefixes.add(prefix)
        touches = before != "O" and label_of(before) == label_of(tag)
        by_i += prefix == "I" and not touches
        by_b += prefix == "B" and not touches
        before = tag
    if prefixes & {"E", "S", "L", "U"}:
        return TagScheme.IOBES
    if by_i and "B" not in prefixes:
        return TagScheme.IO
    return TagScheme.IOB1 if by_i > by_b else TagScheme.IOB2


def decode(tags: Sequence[str], scheme: TagScheme) -> tuple[list[Marked], list[Broken]]:
    """Return the spans that tags mark, and the tags that break the scheme.

    What is broken is read as it most likely was meant: an entity that is not begun as its scheme
    says begins where it is, one that is not ended ends where the next thing begins.
    """
    spans: list[Marked] = []
    broken: list[Broken] = []
    first = -1
    label = ""

    def close(place: int) -> None:
        nonlocal first
        if first >= 0:
            spans.append(Marked(first, place - 1, label))
            first = -1

    closed = True  # whether the open entity, if any, was ended as IOBES says
    for place, tag in enumerate(tags):
        prefix, _, name = tag.partition("-")
        prefix = _AS_IOBES.get(prefix, prefix)
        inside = first >= 0 and name == label
        if scheme is TagScheme.IOBES and first >= 0 and not (inside and prefix in {"I", "E"}):
            broken.append(Broken(place, f"{label} is not ended by E-{label} before {tag}"))
        if prefix in {"I", "E"}:
            if not inside:
                close(place)
                if prefix == "E" or scheme in {TagScheme.IOB2, TagScheme.IOBES}:
                    broken.append(Broken(place, f"{tag} does not continue an entity"))
                first, label = place, name
            closed = False
        else:
            close(place)
            if prefix in {"B", "S"}:
                first, label, closed = place, name, False
        if prefix in {"E", "S"}:
            close(place + 1)
            closed = True
    if scheme is TagScheme.IOBES and first >= 0 and not closed:
        broken.append(Broken(len(tags) - 1, f"{label} is not ended by E-{label}"))
    close(len(tags))
    return spans, broken


def encode(count: int, spans: Sequence[Marked], scheme: TagScheme) -> list[str]:
    """Return the tags of `count` tokens for spans in order that do not overlap.

    IO cannot tell two touching spans of one label apart: see `touching`.
    """
    tags = ["O"] * count
    behind, before = -2, ""
    for span in spans:
        touches = span.first == behind + 1 and span.label == before
        tags[span.first : span.last + 1] = _encoded(span, scheme, touches)
        behind, before = span.last, span.label
    return tags


def touching(spans: Sequence[Marked]) -> int:
    """Return how many spans begin right behind one of the same label: IO joins them."""
    return sum(
        one.first == other.last + 1 and one.label == other.label
        for other, one in itertools.pairwise(spans)
    )


def _encoded(span: Marked, scheme: TagScheme, touches: bool) -> list[str]:
    length = span.last - span.first + 1
    inner = [f"I-{span.label}"] * length
    match scheme:
        case TagScheme.IO:
            return inner
        case TagScheme.IOB1:
            return [f"B-{span.label}", *inner[1:]] if touches else inner
        case TagScheme.IOBES:
            if length == 1:
                return [f"S-{span.label}"]
            return [f"B-{span.label}", *inner[2:], f"E-{span.label}"]
        case TagScheme.IOB2 | TagScheme.AUTO:
            return [f"B-{span.label}", *inner[1:]]
