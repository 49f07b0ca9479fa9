"""Computes the whole report: spans per label and overall, then each Choices control."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from services.annotation.agreement.choices import choice_agreements
from services.annotation.agreement.domain import (
    AgreementReport,
    Item,
    SpanAgreement,
    SpanPair,
    SpanTuple,
    Support,
)
from services.annotation.agreement.kappas import (
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
    mean,
)
from services.annotation.agreement.span_f1 import Extent, Tally
from services.annotation.agreement.units import (
    Labels,
    label_words,
    pairs_of_label,
    rated_pairs,
    rated_words,
    ratings_of_label,
)

ALL = ""
"""Stands for all labels together."""


def agreement_report(items: Iterable[Item]) -> AgreementReport:
    """Return how far the annotators of some items agree; see `Comparison`."""
    comparison = Comparison()
    for item in items:
        comparison.add(item)
    return comparison.report()


class Comparison:
    """Compares annotators, item by item in any order.

    Only items that at least two annotators annotated count, and for a pair of them only those that
    both did; a control only where at least two answered it. What is kept of each item is small.
    Time grows with spans, words and pairs of annotators per item.
    """

    def __init__(self) -> None:
        """Begin without any item."""
        self._spans = _Spans()
        self._answers: dict[str, list[Mapping[str, frozenset[str]]]] = {}
        self._looked_at = 0

    @property
    def annotators(self) -> tuple[str, ...]:
        """Who annotated items that count, sorted."""
        return tuple(sorted(self._spans.annotators))

    @property
    def rows(self) -> int:
        """How many pairs of annotators a report would tell of, under all labels and controls."""
        return self._spans.pairs * (1 + len(self._spans.labels) + len(self._answers))

    def add(self, item: Item) -> None:
        """Count one more item."""
        self._looked_at += 1
        self._spans.add(item)
        by_name: dict[str, dict[str, frozenset[str]]] = {}
        for annotator, annotation in item.annotations.items():
            for name, values in annotation.choices.items():
                by_name.setdefault(name, {})[annotator] = values
        for name, given in by_name.items():
            self._answers.setdefault(name, []).append(given)

    def report(self) -> AgreementReport:
        """Return how far the annotators of the items so far agree."""
        return AgreementReport(
            items=self._looked_at,
            overall=self._spans.agreement(ALL),
            labels=tuple(self._spans.agreement(label) for label in sorted(self._spans.labels)),
            choices=choice_agreements(self._answers),
        )


class _Pair:
    """What two annotators have in common, so far."""

    def __init__(self) -> None:
        self.items = 0
        self.tallies: dict[str, Tally] = {}
        self.words: Counter[tuple[Labels, Labels]] = Counter()

    def tally(self, label: str) -> Tally:
        if label != ALL:
            return self.tallies.get(label, Tally())
        total = Tally()
        for tally in self.tallies.values():
            total.merge(tally)
        return total


class _Spans:
    """What was counted of the spans of all items so far."""

    def __init__(self) -> None:
        self._items = 0
        self._spans: Counter[str] = Counter()
        self._annotators: set[str] = set()
        self._pairs: dict[tuple[str, str], _Pair] = {}
        self._words: Counter[tuple[Labels, ...]] = Counter()

    @property
    def annotators(self) -> frozenset[str]:
        return frozenset(self._annotators)

    @property
    def labels(self) -> set[str]:
        return set(self._spans)

    @property
    def pairs(self) -> int:
        return len(self._pairs)

    def add(self, item: Item) -> None:
        annotators = sorted(item.annotations)
        if len(annotators) < 2:
            return
        self._items += 1
        self._annotators.update(annotators)
        extents = [_by_label(item.annotations[one].spans) for one in annotators]
        words = [label_words(item.words, item.annotations[one].spans) for one in annotators]
        for by_label in extents:
            for label, found in by_label.items():
                self._spans[label] += len(found)
        self._words.update(rated_words(words, len(item.words)))
        for first, second in combinations(range(len(annotators)), 2):
            pair = self._pairs.setdefault((annotators[first], annotators[second]), _Pair())
            pair.items += 1
            pair.words.update(rated_pairs(words[first], words[second], len(item.words)))
            for label in extents[first].keys() | extents[second].keys():
                pair.tallies.setdefault(label, Tally()).add(
                    extents[first].get(label, frozenset()), extents[second].get(label, frozenset())
                )

    def agreement(self, label: str) -> SpanAgreement:
        pairs = tuple(_span_pair(names, self._pairs[names], label) for names in sorted(self._pairs))
        if label == ALL:
            fleiss, alpha = fleiss_kappa(self._words), krippendorff_alpha(self._words)
        else:
            ratings = ratings_of_label(self._words, label)
            fleiss, alpha = fleiss_kappa(ratings), krippendorff_alpha(ratings)
        return SpanAgreement(
            label=label,
            support=Support(
                items=self._items,
                spans=self._spans.total() if label == ALL else self._spans[label],
                annotators=len(self._annotators),
            ),
            pairs=pairs,
            mean_exact_f1=mean(pair.exact_f1 for pair in pairs),
            mean_overlap_f1=mean(pair.overlap_f1 for pair in pairs),
            mean_cohen_kappa=mean(pair.cohen_kappa for pair in pairs),
            fleiss_kappa=fleiss,
            krippendorff_alpha=alpha,
        )


def _span_pair(names: tuple[str, str], pair: _Pair, label: str) -> SpanPair:
    tally = pair.tally(label)
    return SpanPair(
        first=names[0],
        second=names[1],
        items=pair.items,
        spans=tally.spans,
        exact_f1=tally.exact_f1(),
        overlap_f1=tally.overlap_f1(),
        cohen_kappa=cohen_kappa(pair.words)
        if label == ALL
        else cohen_kappa(pairs_of_label(pair.words, label)),
    )


def _by_label(spans: Sequence[SpanTuple]) -> dict[str, frozenset[Extent]]:
    found: dict[str, set[Extent]] = {}
    for start, end, label in spans:
        found.setdefault(label, set()).add((start, end))
    return {label: frozenset(extents) for label, extents in found.items()}
