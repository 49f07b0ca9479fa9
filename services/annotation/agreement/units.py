"""Turns spans into ratings of words, which the kappas and alpha compare.

The units are the words of the items. For one label the rating of a word is whether a span of that
label shares a character with it: two categories, without the difference between the beginning and
the inside of a span. For all labels together it is the set of the labels that do so, where sets are
alike or not: {A} and {A, B} disagree. Most words have no label at all, so a rare label has a high
agreement by chance, and a kappa far below F1 is usual.

An item without any word has no units.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from services.annotation.agreement.domain import SpanTuple

Labels = frozenset[str]
NONE: Labels = frozenset()


def label_words(words: Sequence[tuple[int, int]], spans: Iterable[SpanTuple]) -> dict[int, Labels]:
    """Return the labels of each word that has any, by its index."""
    starts = [start for start, _ in words]
    found: dict[int, set[str]] = {}
    for start, end, label in set(spans):
        # The word in which the span begins, or the first one after it.
        at = max(bisect_right(starts, start) - 1, 0)
        while at < len(words) and starts[at] < end:
            if words[at][1] > start and start < end:
                found.setdefault(at, set()).add(label)
            at += 1
    return {word: frozenset(labels) for word, labels in found.items()}


def rated_pairs(
    first: Mapping[int, Labels], second: Mapping[int, Labels], words: int
) -> Counter[tuple[Labels, Labels]]:
    """Count how two annotators rated the words of an item that has `words` of them."""
    labelled = first.keys() | second.keys()
    counts = Counter((first.get(word, NONE), second.get(word, NONE)) for word in labelled)
    counts[NONE, NONE] += words - len(labelled)
    return counts


def rated_words(
    annotators: Sequence[Mapping[int, Labels]], words: int
) -> Counter[tuple[Labels, ...]]:
    """Count how all annotators of an item rated its words."""
    labelled: set[int] = set().union(*(one.keys() for one in annotators))
    counts = Counter(tuple(one.get(word, NONE) for one in annotators) for word in labelled)
    counts[(NONE,) * len(annotators)] += words - len(labelled)
    return counts


def pairs_of_label(
    counts: Mapping[tuple[Labels, Labels], int], label: str
) -> Counter[tuple[bool, bool]]:
    """Return the counts of two annotators' ratings as whether a word has the label."""
    reduced: Counter[tuple[bool, bool]] = Counter()
    for (first, second), count in counts.items():
        reduced[label in first, label in second] += count
    return reduced


def ratings_of_label(
    counts: Mapping[tuple[Labels, ...], int], label: str
) -> Counter[tuple[bool, ...]]:
    """Return the counts of all annotators' ratings as whether a word has the label."""
    reduced: Counter[tuple[bool, ...]] = Counter()
    for rating, count in counts.items():
        reduced[tuple(sorted(label in one for one in rating))] += count
    return reduced
