"""Chooses each label's best epoch and its bias of O, on dev. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.decoding import OUTSIDE, span_borders
from services.common.modeling.evaluation import Score
from services.trainer.engines.dataset import TextSplit

BIASES: NDArray[np.float32] = np.arange(-4.0, 2.01, 0.25, dtype=np.float32)
"""The biases that are tried. Below zero more is found, above zero less."""

_KERNEL = np.asarray([1, 2, 3, 2, 1]) / 9

# Where the bias stands before dev says anything, and how many of dev's spans that opinion is
# worth. F1 wants more found than the likeliest tag does, and the few spans of a rare label must
# not drive it to an extreme: see docs/adr/0015.
_PRIOR_BIAS = -0.75
_PRIOR_SPANS = 4.0


@dataclass(frozen=True, kw_only=True)
class LabelGold:
    """A label's gold spans in a split.

    Attributes:
        keys: First row times `stride` plus row past the last, sorted, for spans whose borders are
            word borders.
        support: All gold spans, also those that no prediction can hit.
        stride: More than the number of rows.
    """

    keys: NDArray[np.int64]
    support: int
    stride: int


@dataclass(frozen=True, kw_only=True)
class LabelChoice:
    """How an adapter does on dev.

    Attributes:
        bias: For tags: the fitted bias of O.
        score: The score with that bias, or with the thresholds.
        level: What epochs are compared by. For tags F1 smoothed over neighbouring biases, since it
            hangs less on single spans than the best F1 does; micro F1 where an adapter
            has classes, or with smoothed labels the mean probability of the right class.
        loss: Mean loss.
        tie: Decides between equal levels: macro F1 where an adapter has classes.
        thresholds: For adapters that choose several classes: fitted, one per class.
    """

    bias: float
    score: Score
    level: float
    loss: float
    tie: float = 0.0
    thresholds: tuple[float, ...] = ()

    def better_than(self, other: LabelChoice) -> bool:
        """Return whether this is the better choice: the higher level, then the lower loss."""
        return (self.level, self.tie, -self.loss) > (other.level, other.tie, -other.loss)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> LabelChoice:
        """Read what ``asdict`` gave, after JSON."""
        score, thresholds = Score(**document["score"]), tuple(document["thresholds"])
        return cls(**{**document, "score": score, "thresholds": thresholds})


def label_gold(split: TextSplit, labels: Sequence[str]) -> list[LabelGold]:
    """Return each label's gold spans as rows of the split."""
    stride = split.words + 1
    keys: dict[str, list[int]] = {label: [] for label in labels}
    support = dict.fromkeys(labels, 0)
    for index, (example, text) in enumerate(zip(split.examples, split.texts, strict=True)):
        base = int(split.offsets[index])
        first_at = {start: base + row for row, (start, _) in enumerate(text.words)}
        last_at = {end: base + row + 1 for row, (_, end) in enumerate(text.words)}
        for start, end, label in set(example.spans):
            if label not in support:
                continue
            support[label] += 1
            if start in first_at and end in last_at:
                keys[label].append(first_at[start] * stride + last_at[end])
    return [
        LabelGold(
            keys=np.asarray(sorted(keys[label]), dtype=np.int64),
            support=support[label],
            stride=stride,
        )
        for label in labels
    ]


def choose_bias(
    logits: NDArray[np.float32], gold: LabelGold, ends: NDArray[np.int64], loss: float
) -> LabelChoice:
    """Fit a label's bias of O on dev.

    The curve of F1 over the biases is smoothed with its neighbours, and the square of the distance
    to a usual bias costs the more the fewer gold spans there are: few dev spans do not drive the
    bias to an extreme, many decide alone. A label without gold spans in dev keeps bias 0.

    Args:
        logits: The label's logits of all words of the split, [words, 3].
        gold: The label's gold spans.
        ends: Row past the last of each text: a span never crosses it.
        loss: The label's dev loss.
    """
    if not gold.support:
        empty = Score(correct=0, predicted=0, support=0)
        return LabelChoice(bias=0.0, score=empty, level=0.0, loss=loss)
    scores = [_score(logits, float(bias), gold, ends) for bias in BIASES]
    curve = np.asarray([score.f1 for score in scores])
    reach = len(_KERNEL) // 2
    padded = np.pad(curve, reach, mode="edge")
    smooth = np.round(np.convolve(padded, _KERNEL, mode="valid"), 9)
    cost = _PRIOR_SPANS / gold.support * (BIASES.astype(np.float64) - _PRIOR_BIAS) ** 2
    best = int(np.argmax(np.round(smooth - cost, 9)))
    return LabelChoice(
        bias=float(BIASES[best]), score=scores[best], level=float(smooth[best]), loss=loss
    )


def _score(
    logits: NDArray[np.float32], bias: float, gold: LabelGold, ends: NDArray[np.int64]
) -> Score:
    shift = np.zeros(3, dtype=np.float32)
    shift[OUTSIDE] = bias
    tags = np.argmax(logits + shift, axis=-1)
    # One O after each text keeps its spans inside it.
    places = np.arange(len(tags)) + np.searchsorted(ends, np.arange(len(tags)), side="right")
    spread = np.full(len(tags) + len(ends), OUTSIDE, dtype=np.int64)
    spread[places] = tags
    firsts, lasts = span_borders(spread)
    rows = np.zeros(len(spread) + 1, dtype=np.int64)
    rows[places] = np.arange(len(tags))
    keys = rows[firsts] * gold.stride + rows[lasts - 1] + 1
    return Score(
        correct=int(np.isin(keys, gold.keys).sum()), predicted=len(keys), support=gold.support
    )
