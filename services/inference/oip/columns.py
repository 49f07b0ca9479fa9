"""Answers as columns: spans and choices of all texts, each with the row of its text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.inference.domain import PredictedChoice, ScoredSpan
from services.inference.handlers.predict import PredictResult
from services.inference.oip.metadata import OUTPUTS, Datatype
from services.inference.oip.tensors import pack_bytes

_NUMBERS = {Datatype.BOOL: "?", Datatype.FP64: "<f8", Datatype.INT64: "<i8"}
_DATATYPES = {spec.name: spec.datatype for spec in OUTPUTS}

_Spans = Sequence[tuple[int, ScoredSpan]]
_Choices = Sequence[tuple[int, PredictedChoice]]


@dataclass(frozen=True, kw_only=True)
class Column:
    """A tensor of one dimension in its raw form."""

    name: str
    datatype: Datatype
    count: int
    raw: bytes


def columns_of(result: PredictResult, names: Sequence[str]) -> list[Column]:
    """Return the named columns, in their order."""
    spans = [(row, span) for row, answer in enumerate(result.answers) for span in answer.spans]
    choices = [
        (row, choice) for row, answer in enumerate(result.answers) for choice in answer.choices
    ]
    labels = {name: ref.model_version for name, ref in result.adapters.labels.items()}
    controls = {name: ref.model_version for name, ref in result.adapters.controls.items()}
    makers = _span_columns(spans, labels) | _choice_columns(choices, controls)
    return [_column(name, list(makers[name]())) for name in names]


def _span_columns(
    spans: _Spans, versions: Mapping[str, str]
) -> dict[str, Callable[[], Iterable[object]]]:
    return {
        "row": lambda: (row for row, _ in spans),
        "start": lambda: (span.start for _, span in spans),
        "end": lambda: (span.end for _, span in spans),
        "label": lambda: (span.label for _, span in spans),
        "score": lambda: (span.score for _, span in spans),
        "model_version": lambda: (versions[span.label] for _, span in spans),
        "assertion": lambda: (span.assertion for _, span in spans),
        "assertion_score": lambda: (span.assertion_score for _, span in spans),
    }


def _choice_columns(
    choices: _Choices, versions: Mapping[str, str]
) -> dict[str, Callable[[], Iterable[object]]]:
    return {
        "choice_row": lambda: (row for row, _ in choices),
        "choice_control": lambda: (choice.control for _, choice in choices),
        "choice_value": lambda: (choice.value for _, choice in choices),
        "choice_score": lambda: (choice.score for _, choice in choices),
        "choice_chosen": lambda: (choice.chosen for _, choice in choices),
        "choice_model_version": lambda: (versions[choice.control] for _, choice in choices),
    }


def _column(name: str, values: Sequence[object]) -> Column:
    datatype = _DATATYPES[name]
    if datatype is Datatype.BYTES:
        raw = pack_bytes(str(value).encode() for value in values)
    else:
        raw = np.asarray(values, dtype=_NUMBERS[datatype]).tobytes()
    return Column(name=name, datatype=datatype, count=len(values), raw=raw)
