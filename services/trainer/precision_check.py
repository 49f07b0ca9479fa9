"""Whether a precision costs a label too much. Pure.

Adapters that were trained on the precision are compared with what is reached on the trunk in fp32,
on the same dev texts: by a training on it, or, where the states are nearly those of fp32, by the
same adapters. The latter is cheap and sees only what rounding changes while serving.
"""

from __future__ import annotations

from services.trainer.domain import SplitEvaluation
from services.trainer.job_files import PrecisionCheck
from services.trainer.reports.model import PrecisionReport


def too_costly(report: PrecisionReport, served: SplitEvaluation) -> str:
    """Return what loses too much against fp32, as a sentence; empty if nothing does.

    Args:
        report: What was measured on fp32, and the limits.
        served: The same split, scored as it will be served.
    """
    known = report.fp32.labels
    pairs = [
        *((f"{label!r}", served.labels[label], known[label]) for label in sorted(known)),
        ("all labels together", served.micro, report.fp32.micro),
    ]
    lost = [
        f"{name} {found.f1:.3f} instead of {whole.f1:.3f} ({found.support} spans)"
        for name, found, whole in pairs
        # Rounded: a loss that is just allowed must not fail by the last bit of a difference.
        if found.support >= report.min_spans
        and round(whole.f1 - found.f1, 6) > report.max_label_loss
    ]
    if not lost:
        return ""
    return (
        f"Reading the trunk in {report.precision} costs more than {report.max_label_loss:g} of F1 "
        f"on dev: {'; '.join(lost)}."
    )


def measured(check: PrecisionCheck, precision: str, fp32: SplitEvaluation) -> PrecisionReport:
    """Return the report on a measurement."""
    return PrecisionReport(
        precision=precision,
        fp32=fp32,
        trained=check.train,
        max_label_loss=check.max_label_loss,
        min_spans=check.min_spans,
    )
