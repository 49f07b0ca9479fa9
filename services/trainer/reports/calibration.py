"""Whether a score of 0.8 is right eight times out of ten."""

from __future__ import annotations

from collections.abc import Iterable

from services.trainer.reports.model import CalibrationBin, ScoredText

BINS = 10


def calibration(texts: Iterable[ScoredText]) -> tuple[tuple[CalibrationBin, ...], float]:
    """Return the bins of equal width, and the expected calibration error.

    A prediction counts as right when the very same span with the same label was annotated.
    """
    counts, scores, right = [0] * BINS, [0.0] * BINS, [0] * BINS
    for text in texts:
        gold = set(text.gold)
        for start, end, label, score in text.predicted:
            index = min(max(int(score * BINS), 0), BINS - 1)
            counts[index] += 1
            scores[index] += score
            right[index] += (start, end, label) in gold
    bins = tuple(
        CalibrationBin(
            low=index / BINS,
            high=(index + 1) / BINS,
            count=counts[index],
            mean_score=scores[index] / max(counts[index], 1),
            precision=right[index] / max(counts[index], 1),
        )
        for index in range(BINS)
    )
    total = max(sum(counts), 1)
    error = sum(entry.count * abs(entry.mean_score - entry.precision) for entry in bins) / total
    return bins, error
