"""The tokens of a text, for formats that mark spans by token."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import cache

import regex  # type: ignore[import-untyped]  # it has no types

from services.annotation.content import Span
from services.annotation.domain import Task
from services.annotation.formats.tags import Marked
from services.annotation.rules.limits import Effort
from services.annotation.rules.tokenizer import Tokenizer

_SECONDS = 60.0
_WORD = re.compile(r"[^ ]+")
_CHARACTER = regex.compile(r"\X")


def tokens_of(task: Task) -> list[tuple[int, int]]:
    """Return the extents of a task's tokens.

    A text that was read from a file of tokens has just these; others are divided by spaCy's
    tokeniser for no language in particular. No token is white space.
    """
    if task.tokenised:
        return [match.span() for match in _WORD.finditer(task.text) if not match.group().isspace()]
    found = _tokenizer().tokens(task.text, Effort(_SECONDS))
    extents = zip(found.starts, found.ends, strict=True)
    words = [(start, end) for start, end in extents if not task.text[start:end].isspace()]
    return words if task.text.isascii() else _whole(task.text, words)


def _whole(text: str, words: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Move the cuts that lie within what people see as one character behind it."""
    starts = [match.start() for match in _CHARACTER.finditer(text)]
    starts.append(len(text))
    moved: list[tuple[int, int]] = []
    for start, end in words:
        behind = starts[bisect_left(starts, start)]
        if behind == start or not moved or moved[-1][1] != start:
            moved.append((start, end))
            continue
        moved[-1] = (moved[-1][0], min(behind, end))
        if behind < end:
            moved.append((behind, end))
    return moved


@cache
def _tokenizer() -> Tokenizer:
    return Tokenizer([])


def fitting(
    extents: Sequence[tuple[int, int]], spans: Sequence[Span]
) -> tuple[list[tuple[Marked, Span]], int, int]:
    """Return the spans that tokens can mark side by side, in order.

    Of spans that overlap, the one that begins first is kept, of those the longest.

    Returns:
        The spans; how many overlap one that is kept (discontinuous ones among them); how many begin
        or end within a token.
    """
    begins = {start: place for place, (start, _) in enumerate(extents)}
    ends = {end: place for place, (_, end) in enumerate(extents)}
    kept: list[tuple[Marked, Span]] = []
    overlapping = unaligned = behind = 0
    for span in sorted(spans, key=lambda one: (one.start, -one.end, one.label)):
        first, last = begins.get(span.start), ends.get(span.end)
        if first is None or last is None:
            unaligned += 1
        elif span.start < behind or span.fragments:
            overlapping += 1
        else:
            kept.append((Marked(first, last, span.label), span))
            behind = span.end
    return kept, overlapping, unaligned
