"""Exact-span precision, recall and F1."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Span = tuple[int, int, str]
"""Start, end (code points, half-open) and label."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """Counts of one label (or of all), and what follows from them.

    Attributes:
        correct: Predicted spans that are gold, borders and label exact.
        predicted: Predicted spans.
        support: Gold spans.
    """

    correct: int
    predicted: int
    support: int

    @property
    def precision(self) -> float:
        """Share of predicted spans that are gold; 0 if there are none."""
        return self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of gold spans that are predicted; 0 if there are none."""
        return self.correct / self.support if self.support else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 if nothing is correct."""
        total = self.predicted + self.support
        return 2 * self.correct / total if total else 0.0

    def to_document(self) -> dict[str, Any]:
        """Return the JSON form; ratios with six digits."""
        return {
            "precision": round(self.precision, 6),
            "recall": round(self.recall, 6),
            "f1": round(self.f1, 6),
            "support": self.support,
            "predicted": self.predicted,
            "correct": self.correct,
        }


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Scores on one split.

    Attributes:
        labels: Score of each label.
        micro: All spans of all labels counted together.
        macro_f1: Mean of F1 over the labels that have gold spans; 0 if none has.
    """

    labels: dict[str, Score]
    micro: Score
    macro_f1: float

    def to_document(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "labels": {label: score.to_document() for label, score in self.labels.items()},
            "micro": self.micro.to_document(),
            "macro_f1": round(self.macro_f1, 6),
        }


def micro_score(scores: Iterable[Score]) -> Score:
    """Return the score of all that these scores count, counted together."""
    counted = list(scores)
    return Score(
        correct=sum(score.correct for score in counted),
        predicted=sum(score.predicted for score in counted),
        support=sum(score.support for score in counted),
    )


def macro_f1(scores: Iterable[Score]) -> float:
    """Return the mean F1 of the scores that have gold spans; 0 if none has."""
    supported = [score.f1 for score in scores if score.support]
    return sum(supported) / len(supported) if supported else 0.0


def evaluate(
    gold: Sequence[Iterable[Span]], predicted: Sequence[Iterable[Span]], labels: Sequence[str]
) -> Evaluation:
    """Compare predictions with gold spans, text by text.

    Args:
        gold: Gold spans of each text; a repeated span counts once.
        predicted: Predicted spans of the same texts in the same order.
        labels: The labels to count; spans of other labels are ignored.

    Raises:
        ValueError: If the numbers of texts differ.
    """
    counts = {label: [0, 0, 0] for label in labels}
    for gold_spans, predicted_spans in zip(gold, predicted, strict=True):
        gold_set, predicted_set = set(gold_spans), set(predicted_spans)
        for column, spans in enumerate((gold_set & predicted_set, predicted_set, gold_set)):
            for _, _, label in spans:
                if label in counts:
                    counts[label][column] += 1
    scores = {
        label: Score(correct=correct, predicted=found, support=support)
        for label, (correct, found, support) in counts.items()
    }
    return Evaluation(
        labels=scores,
        micro=micro_score(scores.values()),
        macro_f1=macro_f1(scores.values()),
    )
