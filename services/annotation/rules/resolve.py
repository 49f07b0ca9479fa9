"""Chooses between overlapping matches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from services.annotation.content import ScoredSpan
from services.annotation.rules.domain import Rule

Match: TypeAlias = tuple[int, int, int]
"""Start, end and the index of the rule."""


def resolve(matches: Iterable[Match], rules: Sequence[Rule], length: int) -> list[ScoredSpan]:
    """Return the spans that remain of the matches in a text of `length` code points.

    Spans of different labels may overlap. Of overlapping matches of one label the longest stays;
    of equally long ones that with the higher priority, then that of the earlier rule, then the
    leftmost. Spans are ordered by start, end and label. Linear but for sorting.
    """
    by_label: dict[str, list[Match]] = {}
    for match in matches:
        by_label.setdefault(rules[match[2]].label, []).append(match)
    ranks = _ranks(rules)
    spans = [
        ScoredSpan(start=start, end=end, label=label, score=rules[rule].score)
        for label, found in by_label.items()
        for start, end, rule in _choose(found, ranks, length)
    ]
    spans.sort(key=lambda span: (span.start, span.end, span.label))
    return spans


def _choose(matches: list[Match], ranks: Mapping[int, int], length: int) -> list[Match]:
    matches.sort(key=lambda match: (match[0] - match[1], ranks[match[2]], match[0]))
    taken = bytearray(length)
    chosen = []
    for match in matches:
        start, end, _ = match
        # What was chosen before is at least as long, so it cannot lie between the two ends.
        if not taken[start] and not taken[end - 1]:
            taken[start:end] = b"\x01" * (end - start)
            chosen.append(match)
    return chosen


def _ranks(rules: Sequence[Rule]) -> dict[int, int]:
    order = sorted(range(len(rules)), key=lambda index: (-rules[index].priority, index))
    return {index: rank for rank, index in enumerate(order)}
