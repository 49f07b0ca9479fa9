"""From logits to what a caller asked for: spans or words, the best of them, above a score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.decoding import OUTSIDE, probabilities
from services.common.modeling.states import PreparedText
from services.common.offsets import OffsetEncoding, from_code_points
from services.inference.domain import ScoredSpan
from services.inference.engine.model import Part


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a caller wants of each text.

    Attributes:
        tokens: Words with the scores of their labels, instead of spans.
        min_score: Leave out what scores lower.
        top_n: Spans: at most this many cover any one character. Words: at most this many labels.
            0: no limit.
        encoding: Units of the offsets.
    """

    tokens: bool = False
    min_score: float = 0.0
    top_n: int = 0
    encoding: OffsetEncoding = OffsetEncoding.CODE_POINT


@dataclass(frozen=True, kw_only=True)
class ScoredWord:
    """A word ``[start, end)`` with its labels by falling score."""

    start: int
    end: int
    labels: tuple[tuple[str, float], ...]


@dataclass(frozen=True, kw_only=True)
class TextAnswer:
    """The answer for one text; offsets in the wanted units."""

    spans: tuple[ScoredSpan, ...] = ()
    words: tuple[ScoredWord, ...] = ()
    windows: int = 0


@dataclass(frozen=True, kw_only=True)
class PartLogits:
    """What one trunk's bank said about one text: logits [positions, words, 3]."""

    part: Part
    positions: tuple[int, ...]
    prepared: PreparedText
    logits: NDArray[np.float32]


def answer(text: str, parts: Sequence[PartLogits], wish: Wish) -> TextAnswer:
    """Return the answer for one text from the logits of all banks that were asked."""
    windows = max((len(part.prepared.windows) for part in parts), default=0)
    if wish.tokens:
        return TextAnswer(words=_words(text, parts, wish), windows=windows)
    spans = [
        ScoredSpan(start=span.start, end=span.end, label=span.label, score=span.score)
        for part in parts
        for span in part.part.predictor.decode(part.prepared, part.logits, part.positions)
        if span.score >= wish.min_score
    ]
    chosen = best_spans(spans, wish.top_n)
    offsets = _convert(text, [(span.start, span.end) for span in chosen], wish.encoding)
    return TextAnswer(
        spans=tuple(
            ScoredSpan(start=start, end=end, label=span.label, score=span.score)
            for span, (start, end) in zip(chosen, offsets, strict=True)
        ),
        windows=windows,
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


def _words(text: str, parts: Sequence[PartLogits], wish: Wish) -> tuple[ScoredWord, ...]:
    if not parts:
        return ()
    # Words do not depend on the trunk, so all parts have the same ones.
    extents = parts[0].prepared.words
    labels: list[str] = []
    rows = []
    for part in parts:
        biases = part.part.predictor.bank.outside_bias[list(part.positions)]
        rows.append(1.0 - probabilities(part.logits, biases)[..., OUTSIDE])
        labels.extend(part.part.labels[position] for position in part.positions)
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
