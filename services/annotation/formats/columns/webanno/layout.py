"""Which units a task has in WebAnno TSV: sentences, tokens, and parts of tokens where spans end."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

_WORD = re.compile(r"\S+")


@dataclass(kw_only=True)
class Token:
    """A token; `parts`: pieces of it that spans cover."""

    start: int
    end: int
    parts: set[tuple[int, int]] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A unit with its number, e.g. ``3-2`` or ``3-2.1``."""

    id: str
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Placed:
    """Where a span stands: its units, in order, and how many blanks it has around them."""

    units: tuple[tuple[int, int, int], ...]
    before: int
    after: int


class Layout:
    """The units of one text. First all spans are placed, then the rows can be asked for."""

    def __init__(self, text: str, extents: Sequence[tuple[int, int]]) -> None:
        """Divide a text with these tokens; no token keeps white space within."""
        self._text = text
        self._tokens = [
            Token(start=start + word.start(), end=start + word.end())
            for start, end in extents
            for word in _WORD.finditer(text[start:end])
        ]
        self._starts = [one.start for one in self._tokens]
        self._ends = [one.end for one in self._tokens]

    def place(self, start: int, end: int) -> Placed | None:
        """Return the units that a span covers, as (token, start, end); None if it has no token."""
        first = bisect_right(self._ends, start)
        last = bisect_left(self._starts, end) - 1
        if first > last:
            return None
        units = []
        for place in range(first, last + 1):
            token = self._tokens[place]
            unit = (max(start, token.start), min(end, token.end))
            if unit != (token.start, token.end):
                token.parts.add(unit)
            units.append((place, *unit))
        return Placed(
            units=tuple(units),
            before=units[0][1] - start,
            after=end - units[-1][2],
        )

    def sentences(self) -> list[tuple[int, int]]:
        """Return the sentences, which are lines, as first token and the one behind the last."""
        found: list[tuple[int, int]] = []
        begin = 0
        for place in range(1, len(self._tokens) + 1):
            if (
                place == len(self._tokens)
                or "\n" in self._text[self._ends[place - 1] : self._starts[place]]
            ):
                found.append((begin, place))
                begin = place
        return found

    def extent(self, first: int, behind: int) -> tuple[int, int]:
        """Return where the tokens from `first` to the one before `behind` begin and end."""
        return self._starts[first], self._ends[behind - 1]

    def rows(self, number: int, first: int, behind: int) -> list[tuple[tuple[int, int, int], Row]]:
        """Return the units of sentence `number`, each with its key in `Placed.units`."""
        found = []
        for place in range(first, behind):
            token = self._tokens[place]
            name = f"{number}-{place - first + 1}"
            pieces = [(token.start, token.end), *sorted(token.parts)]
            for part, (start, end) in enumerate(pieces):
                row = Row(id=f"{name}.{part}" if part else name, start=start, end=end)
                found.append(((place, start, end), row))
        return found
