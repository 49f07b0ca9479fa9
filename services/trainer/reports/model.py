"""What a report says, and what it is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from services.trainer.domain import SplitEvaluation

Span: TypeAlias = tuple[int, int, str]
"""Start, end (code points, half-open), label. A value chosen for a whole text spans all of it."""
ScoredSpan: TypeAlias = tuple[int, int, str, float]
"""A predicted span and its score, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class ScoredText:
    """A text with what was annotated and what was predicted.

    Attributes:
        text: The text.
        gold: What was annotated: labelled spans, the values chosen for the text, or the spans that
            were given with their statuses.
        predicted: What was predicted, in the same form.
    """

    text: str
    gold: Sequence[Span]
    predicted: Sequence[ScoredSpan]


@dataclass(frozen=True, kw_only=True)
class ConfusionCell:
    """How often one thing was annotated and another predicted; an empty name is nothing."""

    annotated: str
    predicted: str
    count: int


@dataclass(frozen=True, kw_only=True)
class LabelErrors:
    """How the annotations and predictions of one label fared.

    ``correct + boundary + wrong_label + missed`` are all that were annotated.

    Attributes:
        label: The label, value or status.
        correct: Right.
        spurious: Predicted, and nothing right annotated there.
        missed: Annotated, and nothing right predicted there.
        boundary: Predicted with the right label and other borders.
        wrong_label: Annotated, and predicted with the right borders and another label.
    """

    label: str
    correct: int = 0
    spurious: int = 0
    missed: int = 0
    boundary: int = 0
    wrong_label: int = 0


@dataclass(frozen=True, kw_only=True)
class CalibrationBin:
    """Predictions whose scores lie from `low` to `high`."""

    low: float
    high: float
    count: int
    mean_score: float
    precision: float


@dataclass(frozen=True, kw_only=True)
class WorstExample:
    """A text that the model got wrong; spans as people read them, e.g. ``PER 0-4 "Anna"``."""

    text: str
    missed: tuple[str, ...]
    spurious: tuple[str, ...]
    loss: float


@dataclass(frozen=True, kw_only=True)
class SplitReport:
    """The report on one split."""

    evaluation: SplitEvaluation
    confusion: tuple[ConfusionCell, ...]
    errors: tuple[LabelErrors, ...]
    calibration: tuple[CalibrationBin, ...]
    calibration_error: float
    worst: tuple[WorstExample, ...]


@dataclass(frozen=True, kw_only=True)
class LearningCurvePoint:
    """Micro F1 on dev after training on so many texts."""

    texts: int
    micro_f1: float


@dataclass(frozen=True, kw_only=True)
class PrecisionReport:
    """What is reached on the trunk in fp32, beside the precision that was trained on.

    Attributes:
        precision: What was trained on.
        fp32: On fp32, the same texts as in the report on this split.
        trained: Whether by a training on fp32; else the same adapters read the trunk in fp32.
        max_label_loss: F1 that a label may lose against fp32.
        min_spans: Annotated spans that a label needs to be held to that.
    """

    precision: str
    fp32: SplitEvaluation
    trained: bool
    max_label_loss: float
    min_spans: int


@dataclass(frozen=True, kw_only=True)
class TrainingReport:
    """What is known about the quality of what a job trained; its passes stand in the job."""

    splits: tuple[SplitReport, ...]
    learning_curve: tuple[LearningCurvePoint, ...] = ()
    precision: PrecisionReport | None = None
