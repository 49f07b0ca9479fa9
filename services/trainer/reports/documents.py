"""Reports as documents: in the job's folder, in the store, and on the way to the page."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from services.common.store.port import Document
from services.trainer.documents import evaluation_of, evaluation_value
from services.trainer.reports.model import (
    CalibrationBin,
    ConfusionCell,
    LabelErrors,
    LearningCurvePoint,
    PrecisionReport,
    SplitReport,
    TrainingReport,
    WorstExample,
)


def report_value(report: TrainingReport) -> Document:
    """Return a report's document value."""
    return {
        "splits": [
            {
                "evaluation": evaluation_value([split.evaluation])[0],
                "confusion": [
                    [cell.annotated, cell.predicted, cell.count] for cell in split.confusion
                ],
                "errors": [asdict(entry) for entry in split.errors],
                "calibration": [asdict(entry) for entry in split.calibration],
                "calibration_error": split.calibration_error,
                "worst": [
                    {
                        **asdict(entry),
                        "missed": list(entry.missed),
                        "spurious": list(entry.spurious),
                    }
                    for entry in split.worst
                ],
            }
            for split in report.splits
        ],
        "learning_curve": [[point.texts, point.micro_f1] for point in report.learning_curve],
        "precision": report.precision
        and {
            **asdict(report.precision),
            "fp32": evaluation_value([report.precision.fp32])[0],
        },
    }


def report_of(value: Document) -> TrainingReport:
    """Return the report that a document value holds.

    Raises:
        KeyError, TypeError, ValueError: It is none.
    """
    return TrainingReport(
        splits=tuple(_split(entry) for entry in value["splits"]),
        learning_curve=tuple(
            LearningCurvePoint(texts=texts, micro_f1=f1) for texts, f1 in value["learning_curve"]
        ),
        # Reports of earlier releases have none.
        precision=_precision(found) if (found := value.get("precision")) else None,
    )


def _precision(entry: dict[str, Any]) -> PrecisionReport:
    (fp32,) = evaluation_of([entry["fp32"]])
    return PrecisionReport(**{**entry, "fp32": fp32})


def _split(entry: dict[str, Any]) -> SplitReport:
    (evaluation,) = evaluation_of([entry["evaluation"]])
    return SplitReport(
        evaluation=evaluation,
        confusion=tuple(
            ConfusionCell(annotated=annotated, predicted=predicted, count=count)
            for annotated, predicted, count in entry["confusion"]
        ),
        errors=tuple(LabelErrors(**one) for one in entry["errors"]),
        calibration=tuple(CalibrationBin(**one) for one in entry["calibration"]),
        calibration_error=entry["calibration_error"],
        worst=tuple(
            WorstExample(
                **{**one, "missed": tuple(one["missed"]), "spurious": tuple(one["spurious"])}
            )
            for one in entry["worst"]
        ),
    )
