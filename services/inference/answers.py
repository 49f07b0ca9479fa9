"""From what parts say to what a caller asked for: spans or words, choices, statuses, sureness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.choices import ControlChoice, decide_choices
from services.common.modeling.decoding import OUTSIDE, probabilities
from services.common.modeling.heads import Decoding
from services.common.modeling.states import PreparedText
from services.common.offsets import OffsetEncoding, from_code_points
from services.inference.domain import (
    PredictedChoice,
    ScoredSpan,
    SpanAssertion,
    TextEmbedding,
    Uncertainty,
)
from services.inference.engine.part import Part, TextRows, Want
from services.inference.judging import Judged
from services.inference.uncertainty import text_uncertainty


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a caller wants of each text.

    Attributes:
        tokens: Words with the scores of their labels, instead of spans.
        min_score: Leave out what scores lower.
        top_n: Spans: at most this many cover any one character. Words: at most this many labels.
            0: no limit.
        encoding: Units of the offsets.
        uncertainty: How sure the models are.
        embedding: Where the text lies among others.
    """

    tokens: bool = False
    min_score: float = 0.0
    top_n: int = 0
    encoding: OffsetEncoding = OffsetEncoding.CODE_POINT
    uncertainty: bool = False
    embedding: bool = False


@dataclass(frozen=True, kw_only=True)
class ScoredWord:
    """A word ``[start, end)`` with its labels by falling score."""

    start: int
    end: int
    labels: tuple[tuple[str, float], ...]


@dataclass(frozen=True, kw_only=True)
class TextAnswer:
    """The answer for one text; offsets in the wanted units.

    Attributes:
        spans: In order.
        words: In order.
        windows: Windows that the text was cut into.
        choices: By control, then by falling score.
        assertions: Of the given spans, in their order.
        uncertainty: None unless wanted.
        embedding: None unless wanted, and for a text without words.
    """

    spans: tuple[ScoredSpan, ...] = ()
    words: tuple[ScoredWord, ...] = ()
    windows: int = 0
    choices: tuple[PredictedChoice, ...] = ()
    assertions: tuple[SpanAssertion, ...] = ()
    uncertainty: Uncertainty | None = None
    embedding: TextEmbedding | None = None


@dataclass(frozen=True, kw_only=True)
class PartRows:
    """What one part said about one text."""

    part: Part
    want: Want
    prepared: PreparedText
    rows: TextRows

    def choices(self) -> list[tuple[ControlChoice, Decoding]]:
        """Return what is chosen of each wanted control, with its decoding."""
        bank = self.part.choices
        if bank is None or not self.want.controls:
            return []
        found = decide_choices(bank, self.rows.choices, self.want.controls)
        decodings = [bank.adapters[index].manifest.decoding for index in self.want.controls]
        return list(zip(found, decodings, strict=True))

    def chances(self) -> NDArray[np.float32]:
        """Return the probabilities of B, I and O of the wanted labels, [labels, words, 3]."""
        biases = self.part.predictor.bank.outside_bias[list(self.want.labels)]
        return probabilities(self.rows.logits, biases)


def wanted_spans(parts: Sequence[PartRows], wish: Wish) -> list[ScoredSpan]:
    """Return the spans of one text that are answered, offsets in code points; none for words."""
    if wish.tokens:
        return []
    spans = [
        ScoredSpan(start=span.start, end=span.end, label=span.label, score=span.score)
        for part in parts
        for span in part.part.predictor.decode(part.prepared, part.rows.logits, part.want.labels)
        if span.score >= wish.min_score
    ]
    return best_spans(spans, wish.top_n)


def answer(
    text: str,
    parts: Sequence[PartRows],
    wish: Wish,
    spans: Sequence[ScoredSpan],
    *,
    judged: Judged | None = None,
    given: Sequence[tuple[int, int]] = (),
) -> TextAnswer:
    """Return the answer for one text.

    Args:
        text: The text.
        parts: What all parts that were asked said about it.
        wish: What is wanted.
        spans: Its spans, from ``wanted_spans``.
        judged: What the part of the statuses said; None: statuses are not answered.
        given: Spans whose status is wanted, code points.
    """
    choices = [choice for part in parts for choice in part.choices()]
    uncertainty = None
    if wish.uncertainty:
        uncertainty = text_uncertainty([part.chances() for part in parts], choices)
    return TextAnswer(
        spans=_spans(text, spans, wish, judged),
        words=_words(text, parts, wish) if wish.tokens else (),
        windows=max((len(part.prepared.windows) for part in parts), default=0),
        choices=() if wish.tokens else _choices([choice for choice, _ in choices]),
        assertions=() if judged is None else _assertions(text, given, wish, judged),
        uncertainty=uncertainty,
        embedding=next(filter(None, map(_embedding, parts)), None) if wish.embedding else None,
    )


def _spans(
    text: str, spans: Sequence[ScoredSpan], wish: Wish, judged: Judged | None
) -> tuple[ScoredSpan, ...]:
    extents = [(span.start, span.end) for span in spans]
    if judged is None:
        likeliest = [("", 0.0)] * len(spans)
    else:
        likeliest = [statuses[0] for statuses in judged.statuses(extents)]
    return tuple(
        replace(span, start=start, end=end, assertion=status, assertion_score=score)
        for span, (start, end), (status, score) in zip(
            spans, _convert(text, extents, wish.encoding), likeliest, strict=True
        )
    )


def _choices(choices: Sequence[ControlChoice]) -> tuple[PredictedChoice, ...]:
    return tuple(
        PredictedChoice(
            control=choice.control,
            value=choice.values[index],
            score=float(choice.probabilities[index]),
            chosen=index in choice.chosen,
        )
        for choice in sorted(choices, key=lambda choice: choice.control)
        for index in np.argsort(-choice.probabilities, kind="stable")
    )


def _assertions(
    text: str, given: Sequence[tuple[int, int]], wish: Wish, judged: Judged
) -> tuple[SpanAssertion, ...]:
    offsets = _convert(text, given, wish.encoding)
    return tuple(
        SpanAssertion(start=start, end=end, statuses=statuses)
        for (start, end), statuses in zip(offsets, judged.statuses(given), strict=True)
    )


def _embedding(part: PartRows) -> TextEmbedding | None:
    """Return the mean of the words' last states, of unit length."""
    total = part.rows.state_sum
    if total is None:
        return None
    length = float(np.linalg.norm(total))
    if not length:
        return None
    return TextEmbedding(
        data=(total / length).astype("<f2").tobytes(), trunk_digest=part.part.trunk_digest
    )


def best_spans(spans: Sequence[ScoredSpan], top_n: int) -> list[ScoredSpan]:
    """Return the spans, sorted, of which at most `top_n` cover any one character.

    The best score is taken first; of equal scores the longer span, then the earlier one, then the
    label in order. A span that would be one too many anywhere is left out as a whole.

    Args:
        spans: Not empty ones, of one text.
        top_n: 0 takes all.
    """
    if top_n <= 0 or len(spans) <= top_n:
        return sorted(spans)
    covered = np.zeros(max(span.end for span in spans), dtype=np.int32)
    chosen = []
    for span in sorted(
        spans, key=lambda span: (-span.score, span.start - span.end, span.start, span.label)
    ):
        extent = covered[span.start : span.end]
        if extent.max() < top_n:
            extent += 1
            chosen.append(span)
    return sorted(chosen)


def _words(text: str, parts: Sequence[PartRows], wish: Wish) -> tuple[ScoredWord, ...]:
    if not parts:
        return ()
    # Words do not depend on the trunk, so all parts have the same ones.
    extents = parts[0].prepared.words
    labels: list[str] = []
    rows = []
    for part in parts:
        rows.append(1.0 - part.chances()[..., OUTSIDE])
        labels.extend(part.part.labels[position] for position in part.want.labels)
    scores = np.clip(np.concatenate(rows), 0.0, 1.0)
    # Labels in order, so that a stable sort leaves equal scores in the order of the labels.
    by_label = sorted(range(len(labels)), key=labels.__getitem__)
    labels = [labels[index] for index in by_label]
    scores = scores[by_label]
    order = np.argsort(-scores, axis=0, kind="stable")
    limit = wish.top_n if wish.top_n > 0 else len(labels)
    words = []
    for index, (start, end) in enumerate(_convert(text, extents, wish.encoding)):
        best = tuple(
            (labels[row], float(scores[row, index]))
            for row in order[:limit, index]
            if scores[row, index] >= wish.min_score
        )
        words.append(ScoredWord(start=start, end=end, labels=best))
    return tuple(words)


def _convert(
    text: str, extents: Sequence[tuple[int, int]], encoding: OffsetEncoding
) -> list[tuple[int, int]]:
    flat = from_code_points(text, [offset for extent in extents for offset in extent], encoding)
    return list(zip(flat[::2], flat[1::2], strict=True))
