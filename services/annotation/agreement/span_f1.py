"""F1 between the spans of two annotators: equal ones, and ones that overlap.

F1 is the same whichever of the two is taken for the truth.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from services.annotation.agreement.domain import Measure

Extent: TypeAlias = tuple[int, int]

NO_SPANS = "Neither annotator has a span."


@dataclass(kw_only=True)
class Tally:
    """What was counted so far; tallies of items and labels add up.

    Attributes:
        first: Spans of the first annotator.
        second: Spans of the second.
        equal: Spans that both have.
        first_touching: Spans of the first that overlap one of the second.
        second_touching: Spans of the second that overlap one of the first.
    """

    first: int = 0
    second: int = 0
    equal: int = 0
    first_touching: int = 0
    second_touching: int = 0

    def add(self, first: frozenset[Extent], second: frozenset[Extent]) -> None:
        """Count the spans of one item and one label."""
        self.first += len(first)
        self.second += len(second)
        if not first or not second:
            return
        self.equal += len(first & second)
        if first == second:
            self.first_touching += len(first)
            self.second_touching += len(second)
        else:
            self.first_touching += _touching(first, second)
            self.second_touching += _touching(second, first)

    def merge(self, other: Tally) -> None:
        """Add what another tally counted."""
        self.first += other.first
        self.second += other.second
        self.equal += other.equal
        self.first_touching += other.first_touching
        self.second_touching += other.second_touching

    @property
    def spans(self) -> int:
        """Spans of both."""
        return self.first + self.second

    def exact_f1(self) -> Measure:
        """Return F1 where start, end and label are equal; undefined without any span."""
        return self._f1(self.equal, self.equal)

    def overlap_f1(self) -> Measure:
        """Return F1 where precision and recall are the shares of spans that overlap another's.

        A span may be found by several and find several; undefined without any span.
        """
        return self._f1(self.first_touching, self.second_touching)

    def _f1(self, first: int, second: int) -> Measure:
        if not self.spans:
            return Measure(value=None, reason=NO_SPANS)
        if not first or not second:
            return Measure(value=0.0)
        precision, recall = first / self.first, second / self.second
        return Measure(value=2 * precision * recall / (precision + recall))


def _touching(spans: frozenset[Extent], others: frozenset[Extent]) -> int:
    """Return how many of the spans share a character with one of the others."""
    starts, ends = _union(sorted(others))
    count = 0
    for start, end in spans:
        # The last stretch that begins before the span ends reaches furthest of all those.
        at = bisect_right(starts, end - 1) - 1
        count += at >= 0 and start < end and ends[at] > start
    return count


def _union(spans: Sequence[Extent]) -> tuple[list[int], list[int]]:
    """Return starts and ends of the stretches that sorted spans cover, empty ones left out."""
    starts: list[int] = []
    ends: list[int] = []
    for start, end in spans:
        if start >= end:
            continue
        if ends and start <= ends[-1]:
            ends[-1] = max(ends[-1], end)
        else:
            starts.append(start)
            ends.append(end)
    return starts, ends
