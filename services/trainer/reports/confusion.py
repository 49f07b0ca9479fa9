"""Who was taken for whom: annotations matched with predictions.

Each annotation and each prediction of a text is matched at most once, in four rounds: same extent
and label (correct); same extent (another label); overlap with the same label (other borders);
overlap. Within the overlapping rounds the longest overlap goes first. What is left was missed or
is spurious.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from services.trainer.reports.model import ConfusionCell, LabelErrors, ScoredText, Span

MAX_CELLS = 5_000
"""Of more different pairs the most frequent are kept: a report stays one document."""


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """The matrix and the errors by label."""

    cells: tuple[ConfusionCell, ...]
    errors: tuple[LabelErrors, ...]


def confusion(texts: Iterable[ScoredText], labels: Sequence[str]) -> Confusion:
    """Match the annotations and predictions of all texts.

    The matrix pairs whatever was matched, so its diagonal holds other borders too; the errors tell
    the two apart.
    """
    cells: Counter[tuple[str, str]] = Counter()
    errors = {label: LabelErrors(label=label) for label in labels}

    def count(label: str, kind: str) -> None:
        found = errors.get(label) or LabelErrors(label=label)
        errors[label] = replace(found, **{kind: getattr(found, kind) + 1})

    for text in texts:
        matched, missed, spurious = match(text)
        for gold, found in matched:
            cells[gold[2], found[2]] += 1
            same_extent, same_label = gold[:2] == found[:2], gold[2] == found[2]
            if same_label:
                count(gold[2], "correct" if same_extent else "boundary")
            elif same_extent:
                count(gold[2], "wrong_label")
            else:
                count(gold[2], "missed")
                count(found[2], "spurious")
        for gold in missed:
            cells[gold[2], ""] += 1
            count(gold[2], "missed")
        for found in spurious:
            cells["", found[2]] += 1
            count(found[2], "spurious")
    return Confusion(
        cells=tuple(
            ConfusionCell(annotated=annotated, predicted=predicted, count=number)
            for (annotated, predicted), number in sorted(
                cells.items(), key=lambda item: (-item[1], item[0])
            )[:MAX_CELLS]
        ),
        errors=tuple(errors[label] for label in sorted(errors)),
    )


def match(text: ScoredText) -> tuple[list[tuple[Span, Span]], list[Span], list[Span]]:
    """Return the pairs, what was missed and what is spurious."""
    gold = sorted(set(text.gold))
    found = sorted({(start, end, label) for start, end, label, _ in text.predicted})
    pairs: list[tuple[Span, Span]] = []
    for fits in (_equal, _same_extent, _overlap_of_label, _overlap):
        gold, found = _round(gold, found, fits, pairs)
    return pairs, gold, found


def _round(
    gold: list[Span],
    found: list[Span],
    fits: Callable[[Span, Span], int],
    pairs: list[tuple[Span, Span]],
) -> tuple[list[Span], list[Span]]:
    """Pair what fits, the best first; returns what is left."""
    candidates = sorted(
        (-size, one, other) for one, other in _near(gold, found) if (size := fits(one, other)) > 0
    )
    used_gold: set[Span] = set()
    used_found: set[Span] = set()
    for _, one, other in candidates:
        if one not in used_gold and other not in used_found:
            used_gold.add(one)
            used_found.add(other)
            pairs.append((one, other))
    return (
        [span for span in gold if span not in used_gold],
        [span for span in found if span not in used_found],
    )


def _near(gold: list[Span], found: list[Span]) -> Iterable[tuple[Span, Span]]:
    """Yield the pairs that may overlap; both lists are sorted."""
    longest = max((end - start for start, end, _ in gold), default=0)
    first = 0
    for other in found:
        while first < len(gold) and gold[first][0] < other[0] - longest:
            first += 1
        for one in gold[first:]:
            if one[0] > other[1]:
                break
            yield one, other


def _equal(one: Span, other: Span) -> int:
    return int(one == other)


def _same_extent(one: Span, other: Span) -> int:
    return int(one[:2] == other[:2])


def _overlap(one: Span, other: Span) -> int:
    return min(one[1], other[1]) - max(one[0], other[0])


def _overlap_of_label(one: Span, other: Span) -> int:
    return _overlap(one, other) if one[2] == other[2] else 0
