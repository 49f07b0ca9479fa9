"""Texts, spans, splits and quality figures: what several services share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from spanloop._types.choice import Choice


class Split(Choice):
    """Which part of a snapshot an example belongs to."""

    UNSPECIFIED = "unspecified"
    TRAIN = "train"
    DEV = "dev"
    TEST = "test"


class ModelType(Choice):
    """What is trained from the annotations."""

    UNSPECIFIED = "unspecified"
    NER = "ner"
    CLASSIFICATION = "classification"
    ASSERTION = "assertion"


class OffsetEncoding(Choice):
    """In which units text offsets are counted; offsets are half-open in each."""

    UNSPECIFIED = "unspecified"
    CODE_POINT = "code_point"
    UTF8 = "utf8"
    UTF16 = "utf16"


@dataclass(frozen=True, kw_only=True)
class Span:
    """A labelled piece of a text: `start` is its first unit, `end` the first unit behind it.

    Attributes:
        start: First unit.
        end: First unit behind it.
        label: Value of its label.
        id: Identifies the span within its completion; given by the server when empty.
        fragments: For a discontinuous span its pieces (start, end), in order.
        assertion: Assertion status of what it names, or empty.
        attributes: What else is said about it.
    """

    start: int
    end: int
    label: str
    id: str = ""
    fragments: tuple[tuple[int, int], ...] = ()
    assertion: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ScoredSpan:
    """A span that a model proposes, with a score from 0 to 1.

    `assertion` is the status that a model proposes for it, with its probability; empty: none did.
    """

    start: int
    end: int
    label: str
    score: float
    assertion: str = ""
    assertion_score: float = 0.0


@dataclass(frozen=True, kw_only=True)
class SpanMetrics:
    """Exact-span quality of one label, or an average over labels; counts are spans."""

    precision: float
    recall: float
    f1: float
    support: int
    predicted: int
    correct: int


@dataclass(frozen=True, kw_only=True)
class SplitEvaluation:
    """Quality on one split: by label value, over all spans (`micro`), mean of labels (`macro`)."""

    split: Split
    labels: Mapping[str, SpanMetrics]
    micro: SpanMetrics
    macro: SpanMetrics
    texts: int


@dataclass(frozen=True, kw_only=True)
class EvaluationReport:
    """Quality of a model version on the splits of its snapshot."""

    splits: tuple[SplitEvaluation, ...] = field(default=())

    def on(self, split: Split) -> SplitEvaluation | None:
        """Return the figures of one split, None when it was not measured."""
        return next((entry for entry in self.splits if entry.split is split), None)
