"""What goes into a comparison of annotators and what comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

SpanTuple: TypeAlias = tuple[int, int, str]
"""Start and end in code points, half-open, and the label."""


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """What one annotator said about one item.

    Attributes:
        spans: The spans; none of them is an opinion too. Doubles count once.
        choices: By name of a Choices control the values chosen. A name that is absent is no
            opinion; an empty set is one ("none of them").
    """

    spans: Sequence[SpanTuple] = ()
    choices: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Item:
    """One annotated text.

    Attributes:
        id: Its id.
        words: Start and end of each word of the text in code points, in order, not overlapping.
        annotations: What each annotator said.
    """

    id: str
    words: Sequence[tuple[int, int]]
    annotations: Mapping[str, Annotation]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A coefficient, or why there is none.

    Attributes:
        value: The coefficient; never NaN. None: it is undefined.
        reason: Why it is undefined; empty when it is not.
    """

    value: float | None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Support:
    """How much a comparison rests on, counting only what at least two annotators said.

    Attributes:
        items: Items compared.
        spans: Spans in them, of all annotators; 0 for choices.
        annotators: Annotators of them.
    """

    items: int
    spans: int
    annotators: int


@dataclass(frozen=True, kw_only=True)
class SpanPair:
    """How far two annotators agree about spans, over the items that both annotated.

    Attributes:
        first: The annotator whose id sorts first.
        second: The other one.
        items: Items that both annotated.
        spans: Spans of both in these.
        exact_f1: F1 where start, end and label must be equal.
        overlap_f1: F1 where a span is found if it shares a character with a span of its label.
        cohen_kappa: Cohen's kappa over words.
    """

    first: str
    second: str
    items: int
    spans: int
    exact_f1: Measure
    overlap_f1: Measure
    cohen_kappa: Measure


@dataclass(frozen=True, kw_only=True)
class SpanAgreement:
    """Agreement about the spans of one label, or of all.

    Attributes:
        label: The label; empty: all of them.
        support: What it rests on.
        pairs: Each pair that has annotated an item in common, by id.
        mean_exact_f1: The mean over the pairs for which it is defined, each weighing the same.
        mean_overlap_f1: Likewise.
        mean_cohen_kappa: Likewise.
        fleiss_kappa: Fleiss' kappa over words; see `kappas.fleiss_kappa` for which of them.
        krippendorff_alpha: Krippendorff's nominal alpha over words.
    """

    label: str
    support: Support
    pairs: tuple[SpanPair, ...]
    mean_exact_f1: Measure
    mean_overlap_f1: Measure
    mean_cohen_kappa: Measure
    fleiss_kappa: Measure
    krippendorff_alpha: Measure


@dataclass(frozen=True, kw_only=True)
class ChoicePair:
    """How far two annotators agree about a Choices control, over the items that both answered."""

    first: str
    second: str
    items: int
    cohen_kappa: Measure


@dataclass(frozen=True, kw_only=True)
class ChoiceAgreement:
    """Agreement about one Choices control, over items; an answer is the set of values chosen.

    Attributes:
        name: The name of the control.
        support: What it rests on.
        pairs: Each pair that has answered for an item in common, by id.
        mean_cohen_kappa: The mean over the pairs for which it is defined, each weighing the same.
        fleiss_kappa: Fleiss' kappa; see `kappas.fleiss_kappa` for which items.
        krippendorff_alpha: Krippendorff's nominal alpha.
    """

    name: str
    support: Support
    pairs: tuple[ChoicePair, ...]
    mean_cohen_kappa: Measure
    fleiss_kappa: Measure
    krippendorff_alpha: Measure


@dataclass(frozen=True, kw_only=True)
class AgreementReport:
    """How far the annotators of some items agree.

    Attributes:
        items: Items looked at, whoever annotated them.
        overall: All labels together.
        labels: Each label that any compared item has, in order.
        choices: Each Choices control that any item has an answer for, in order.
    """

    items: int
    overall: SpanAgreement
    labels: tuple[SpanAgreement, ...]
    choices: tuple[ChoiceAgreement, ...]
