"""Evaluation reports: messages ↔ domain values."""

from __future__ import annotations

from collections.abc import Sequence

from services.common.errors import invalid_field
from services.common.validate import check_count, check_line, check_range
from services.registry.domain import SpanMetrics, Split, SplitEvaluation
from spanloop.common.v1 import evaluation_pb2

_MAX_LABELS = 1000
_SPLITS = {
    evaluation_pb2.SPLIT_TRAIN: Split.TRAIN,
    evaluation_pb2.SPLIT_DEV: Split.DEV,
    evaluation_pb2.SPLIT_TEST: Split.TEST,
}
_SPLIT_VALUES = {value: key for key, value in _SPLITS.items()}


def evaluation_of(
    report: evaluation_pb2.EvaluationReport, field: str
) -> tuple[SplitEvaluation, ...]:
    """Return a report's entries.

    Raises:
        InvalidArgumentError: A split is unknown or measured twice, or a number is out of range.
    """
    entries = [
        split_of(entry, f"{field}.splits[{place}]") for place, entry in enumerate(report.splits)
    ]
    if len({entry.split for entry in entries}) != len(entries):
        raise invalid_field(f"{field}.splits", "holds a split twice.")
    return tuple(entries)


def evaluation_message(
    entries: Sequence[SplitEvaluation],
) -> evaluation_pb2.EvaluationReport | None:
    """Return the message of a report, or None when nothing was measured."""
    if not entries:
        return None
    return evaluation_pb2.EvaluationReport(splits=[split_message(entry) for entry in entries])


def split_message(entry: SplitEvaluation) -> evaluation_pb2.SplitEvaluation:
    """Return the message of what was measured on one split."""
    return evaluation_pb2.SplitEvaluation(
        split=_SPLIT_VALUES[entry.split],
        labels={label: _metrics_message(found) for label, found in entry.labels.items()},
        micro=_metrics_message(entry.micro),
        macro=_metrics_message(entry.macro),
        texts=entry.texts,
    )


def split_of(message: evaluation_pb2.SplitEvaluation, field: str) -> SplitEvaluation:
    """Return what was measured on one split, or raise FIELD_INVALID."""
    split = _SPLITS.get(message.split)
    if split is None:
        raise invalid_field(f"{field}.split", "is required and must be a known split.")
    check_count(message.labels, f"{field}.labels", 0, _MAX_LABELS)
    for label in message.labels:
        # Values of choices are longer than labels.
        check_line(label, f"{field}.labels", 1, 1_000)
    return SplitEvaluation(
        split=split,
        labels={
            label: _metrics_of(metrics, f"{field}.labels[{label}]")
            for label, metrics in sorted(message.labels.items())
        },
        micro=_metrics_of(message.micro, f"{field}.micro"),
        macro=_metrics_of(message.macro, f"{field}.macro"),
        texts=check_range(message.texts, f"{field}.texts", 0),
    )


def _metrics_of(message: evaluation_pb2.SpanMetrics, field: str) -> SpanMetrics:
    return SpanMetrics(
        precision=check_range(message.precision, f"{field}.precision", 0, 1),
        recall=check_range(message.recall, f"{field}.recall", 0, 1),
        f1=check_range(message.f1, f"{field}.f1", 0, 1),
        support=check_range(message.support, f"{field}.support", 0),
        predicted=check_range(message.predicted, f"{field}.predicted", 0),
        correct=check_range(message.correct, f"{field}.correct", 0),
    )


def _metrics_message(metrics: SpanMetrics) -> evaluation_pb2.SpanMetrics:
    return evaluation_pb2.SpanMetrics(
        precision=metrics.precision,
        recall=metrics.recall,
        f1=metrics.f1,
        support=metrics.support,
        predicted=metrics.predicted,
        correct=metrics.correct,
    )
