"""From B/I/O logits to spans of words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BEGIN, INSIDE, OUTSIDE = 0, 1, 2
"""Positions of the classes in the last dimension of logits."""


@dataclass(frozen=True, kw_only=True)
class DecodedSpan:
    """Words ``[first, last)`` with a score between 0 and 1."""

    first: int
    last: int
    score: float


def probabilities(
    logits: NDArray[np.float32], outside_bias: float | NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the probabilities of B, I and O.

    Args:
        logits: [..., words, 3].
        outside_bias: Added to the logit of O; a number, or one per label for [labels, words, 3].
    """
    shifted = logits.astype(np.float32, copy=True)
    shifted[..., OUTSIDE] += np.asarray(outside_bias, dtype=np.float32)[..., None]
    shifted -= shifted.max(axis=-1, keepdims=True)
    np.exp(shifted, out=shifted)
    shifted /= shifted.sum(axis=-1, keepdims=True)
    return shifted


def span_borders(tags: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return first and past-the-last words of the spans in a sequence of tags, [words].

    A span begins at each B, and at an I that follows an O (the model left the B out). Texts packed
    in one sequence must be separated by at least one O.
    """
    inside = tags != OUTSIDE
    previous = np.concatenate([[False], inside[:-1]])
    firsts = np.flatnonzero((tags == BEGIN) | (inside & ~previous))
    # A span ends before the next O and before the next span.
    stops = np.concatenate([np.flatnonzero(~inside | (tags == BEGIN)), [len(tags)]])
    lasts = stops[np.searchsorted(stops, firsts, side="right")]
    return firsts, lasts


def decode_bio(logits: NDArray[np.float32], outside_bias: float) -> list[DecodedSpan]:
    """Return the spans of one label in one text.

    Args:
        logits: B/I/O logits of the text's words, [words, 3].
        outside_bias: The label's fitted bias, added to the logit of O.

    Returns:
        Spans in order, without overlap. A span's score is the mean over its words of the
        probability that the word is not outside.
    """
    return decode_labels(logits[None], np.asarray([outside_bias]))[0]


def decode_labels(
    logits: NDArray[np.float32], outside_bias: NDArray[np.float32]
) -> list[list[DecodedSpan]]:
    """Return the spans of each of many labels in one text, as ``decode_bio`` would.

    Args:
        logits: B/I/O logits of the text's words, [labels, words, 3].
        outside_bias: Each label's fitted bias, [labels].
    """
    return decode_tags(probabilities(logits, outside_bias))


def decode_tags(chances: NDArray[np.float32]) -> list[list[DecodedSpan]]:
    """Return the spans of each of many labels in one text.

    Args:
        chances: Probabilities of B, I and O of the text's words, [labels, words, 3].
    """
    tags = np.argmax(chances, axis=-1)
    spans: list[list[DecodedSpan]] = [[] for _ in range(len(chances))]
    # Most texts have nothing of most labels.
    for row in np.flatnonzero((tags != OUTSIDE).any(axis=-1)):
        spans[row] = _spans(chances[row], tags[row])
    return spans


def _spans(chances: NDArray[np.float32], tags: NDArray[np.int64]) -> list[DecodedSpan]:
    firsts, lasts = span_borders(tags)
    inside = np.concatenate([[0.0], np.cumsum(1.0 - chances[:, OUTSIDE], dtype=np.float64)])
    return [
        DecodedSpan(
            first=int(first),
            last=int(last),
            score=float(min(max((inside[last] - inside[first]) / (last - first), 0.0), 1.0)),
        )
        for first, last in zip(firsts, lasts, strict=True)
    ]
