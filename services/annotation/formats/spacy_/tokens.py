"""Tokens of a text as spaCy has them: extents, and words with a blank behind or without."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from services.annotation.domain import Task
from services.annotation.formats.json_building import own_extra
from services.common.errors import invalid_field

_BLANKS = re.compile(r"\s*")
_PENN_TREEBANK = {
    "``": ('"', "\u201c", "\u201f"),
    "''": ('"', "\u201d"),
    "`": ("'", "\u2018"),
    "-LRB-": ("(",),
    "-RRB-": (")",),
    "-LSB-": ("[",),
    "-RSB-": ("]",),
    "-LCB-": ("{",),
    "-RCB-": ("}",),
}
_WORD = re.compile(r"[^ ]+")


def aligned(text: str, words: Iterable[tuple[str, str]]) -> list[tuple[int, int]]:
    """Return where words stand in a text, one behind the other with nothing but blanks between.

    Words may be spelt as in the Penn Treebank, e.g. two backquotes for an opening quotation mark.

    Args:
        text: The text.
        words: The words, each with its field for the refusal.

    Raises:
        InvalidArgumentError: FIELD_INVALID: a word does not stand where it should.
    """
    extents = []
    at = 0
    listed = list(words)
    for place, (word, field) in enumerate(listed):
        # The first blank behind a word is no token: one that is made of blanks ends where they end.
        late = word.isspace() and not any(one.isspace() for one, _ in listed[place + 1 : place + 2])
        extent = _next(text, at, word, late=late)
        if extent is None:
            raise invalid_field(
                field,
                f"{word[:100]!r} does not stand at character {at} of the text: correct either.",
            )
        at = extent[1]
        extents.append(extent)
    return extents


def _next(text: str, at: int, word: str, *, late: bool) -> tuple[int, int] | None:
    spellings = (word, *_PENN_TREEBANK.get(word, ())) if word else ()
    blanks = _BLANKS.match(text, at)
    last = blanks.end() if blanks else at
    # A word may itself be made of blanks.
    starts = range(at, last + 1)
    for start in reversed(starts) if late else starts:
        for one in spellings:
            if text.startswith(one, start):
                return start, start + len(one)
    return None


def words_of(text: str, extents: Sequence[tuple[int, int]]) -> tuple[list[str], list[bool]]:
    """Return words that make up the text, and whether a blank follows each.

    What lies between tokens beyond one blank becomes words of its own, as spaCy's tokens of blanks.
    """
    words: list[str] = []
    spaces: list[bool] = []
    behind = 0

    def fill(gap: str) -> None:
        if gap.startswith(" ") and words:
            spaces[-1] = True
            gap = gap[1:]
        if gap:
            words.append(gap)
            spaces.append(False)

    for start, end in extents:
        fill(text[behind:start])
        words.append(text[start:end])
        spaces.append(False)
        behind = end
    fill(text[behind:])
    return words, spaces


def task_tokens(task: Task) -> list[tuple[int, int]]:
    """Return the tokens of a task: those it was imported with, else those of spaCy's tokeniser."""
    kept = own_extra(task.extra, "spacy").get("tokens")
    if isinstance(kept, list) and _fits(kept, len(task.text)):
        return list(zip(kept[::2], kept[1::2], strict=True))
    if task.tokenised:
        return [match.span() for match in _WORD.finditer(task.text)]
    return [(one.idx, one.idx + len(one)) for one in _pipeline().make_doc(task.text)]


def flat(extents: Iterable[tuple[int, int]]) -> list[int]:
    """Return extents as `extra` keeps them."""
    return list(itertools.chain.from_iterable(extents))


@cache
def _pipeline() -> Any:
    import spacy

    return spacy.blank("xx")


def _fits(kept: Sequence[object], length: int) -> bool:
    """Whether these are extents of tokens in a text of this length."""
    numbers = [one for one in kept if type(one) is int]
    if len(numbers) != len(kept) or len(kept) % 2 or not kept:
        return False
    pairs = itertools.pairwise(numbers)
    rising = all(a < b if place % 2 == 0 else a <= b for place, (a, b) in enumerate(pairs))
    return rising and numbers[0] >= 0 and numbers[-1] <= length
