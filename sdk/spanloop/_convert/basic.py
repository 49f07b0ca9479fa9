"""Conversions that every area needs: enums, times, spans, evaluations."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from spanloop._types import text
from spanloop.common.v1 import evaluation_pb2, text_pb2

E = TypeVar("E", bound=StrEnum)


class EnumWrapper(Protocol):
    """A generated enum type."""

    def Name(self, number: int) -> str: ...  # noqa: N802 - protobuf's name


def enum_from(enum: type[E], wrapper: EnumWrapper, prefix: str, number: int) -> E:
    """Return the member for a wire number; UNSPECIFIED for one that a newer server invented."""
    try:
        name = wrapper.Name(number).removeprefix(prefix)
    except ValueError:
        return enum["UNSPECIFIED"]
    return enum.__members__.get(name, enum["UNSPECIFIED"])


def time_from(stamp: Timestamp, present: bool) -> datetime | None:
    """Return the time in UTC, None when the field is absent."""
    return stamp.ToDatetime(tzinfo=UTC) if present else None


def split_from(number: int) -> text.Split:
    """Return a split."""
    return enum_from(text.Split, evaluation_pb2.Split, "SPLIT_", number)


def split_to(split: text.Split | str | None) -> str:
    """Return a split's wire name; None is unspecified."""
    return f"SPLIT_{text.Split(split or 'unspecified').name}"


def model_type_from(number: int) -> text.ModelType:
    """Return a model type."""
    return enum_from(text.ModelType, evaluation_pb2.ModelType, "MODEL_TYPE_", number)


def encoding_to(encoding: text.OffsetEncoding | str | None) -> str:
    """Return an offset encoding's wire name; None is unspecified, i.e. code points."""
    return f"TEXT_OFFSET_ENCODING_{text.OffsetEncoding(encoding or 'unspecified').name}"


def spans_from(spans: Iterable[text_pb2.Span]) -> tuple[text.Span, ...]:
    """Return annotated spans."""
    return tuple(
        text.Span(
            start=s.start,
            end=s.end,
            label=s.label,
            id=s.id,
            fragments=tuple((one.start, one.end) for one in s.fragments),
            assertion=s.assertion,
            attributes=dict(s.attributes),
        )
        for s in spans
    )


def spans_to(spans: Iterable[text.Span]) -> list[text_pb2.Span]:
    """Return annotated spans as messages."""
    return [
        text_pb2.Span(
            start=s.start,
            end=s.end,
            label=s.label,
            id=s.id,
            fragments=[text_pb2.TextRange(start=start, end=end) for start, end in s.fragments],
            assertion=s.assertion,
            attributes=s.attributes,
        )
        for s in spans
    ]


def scored_from(spans: Iterable[text_pb2.ScoredSpan]) -> tuple[text.ScoredSpan, ...]:
    """Return proposed spans."""
    return tuple(
        text.ScoredSpan(
            start=s.start,
            end=s.end,
            label=s.label,
            score=s.score,
            assertion=s.assertion,
            assertion_score=s.assertion_score,
        )
        for s in spans
    )


def scored_to(spans: Iterable[text.ScoredSpan]) -> list[text_pb2.ScoredSpan]:
    """Return proposed spans as messages."""
    return [
        text_pb2.ScoredSpan(
            start=s.start,
            end=s.end,
            label=s.label,
            score=s.score,
            assertion=s.assertion,
            assertion_score=s.assertion_score,
        )
        for s in spans
    ]


def evaluation_from(report: evaluation_pb2.EvaluationReport) -> text.EvaluationReport:
    """Return an evaluation report."""
    return text.EvaluationReport(
        splits=tuple(split_evaluation_from(entry) for entry in report.splits)
    )


def split_evaluation_from(entry: evaluation_pb2.SplitEvaluation) -> text.SplitEvaluation:
    """Return the evaluation on one split."""
    return text.SplitEvaluation(
        split=split_from(entry.split),
        labels={label: _metrics(found) for label, found in sorted(entry.labels.items())},
        micro=_metrics(entry.micro),
        macro=_metrics(entry.macro),
        texts=entry.texts,
    )


def _metrics(metrics: evaluation_pb2.SpanMetrics) -> text.SpanMetrics:
    return text.SpanMetrics(
        precision=metrics.precision,
        recall=metrics.recall,
        f1=metrics.f1,
        support=metrics.support,
        predicted=metrics.predicted,
        correct=metrics.correct,
    )
