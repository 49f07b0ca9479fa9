"""From scored texts to a report."""

from __future__ import annotations

from collections.abc import Sequence

from services.trainer.domain import SplitEvaluation
from services.trainer.reports.calibration import calibration
from services.trainer.reports.confusion import confusion
from services.trainer.reports.model import ScoredText, SplitReport
from services.trainer.reports.worst import worst_examples


def split_report(evaluation: SplitEvaluation, texts: Sequence[ScoredText]) -> SplitReport:
    """Return the report on one split."""
    matched = confusion(texts, sorted(evaluation.labels))
    bins, error = calibration(texts)
    return SplitReport(
        evaluation=evaluation,
        confusion=matched.cells,
        errors=matched.errors,
        calibration=bins,
        calibration_error=error,
        worst=worst_examples(texts),
    )
