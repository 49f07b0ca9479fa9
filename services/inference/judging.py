"""The assertion statuses of spans: which words of a text they are, and what was said of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.class_decoding import class_probabilities
from services.common.modeling.onnx.pooled import PooledSums
from services.common.modeling.states import PreparedText
from services.inference.engine.part import Part, TextRows, WordExtent, clipped


def word_extents(
    words: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]
) -> list[WordExtent]:
    """Return the words that each span touches, cut to what its status is judged by.

    First and last are equal for a span without a word.
    """
    if not spans:
        return []
    bounds = np.asarray(words, dtype=np.int64).reshape(-1, 2)
    wanted = np.asarray(spans, dtype=np.int64)
    firsts = np.searchsorted(bounds[:, 1], wanted[:, 0], side="right")
    lasts = np.maximum(np.searchsorted(bounds[:, 0], wanted[:, 1], side="left"), firsts)
    return [clipped(int(first), int(last)) for first, last in zip(firsts, lasts, strict=True)]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a part with an assertion bank said about one text."""

    part: Part
    prepared: PreparedText
    rows: TextRows

    def missing(self, spans: Sequence[tuple[int, int]]) -> list[WordExtent]:
        """Return the words of those spans that were not judged, each once, in order."""
        return sorted(
            {
                extent
                for extent in word_extents(self.prepared.words, spans)
                if extent[0] < extent[1] and extent not in self.rows.statuses
            }
        )

    def statuses(self, spans: Sequence[tuple[int, int]]) -> list[tuple[tuple[str, float], ...]]:
        """Return the statuses of spans with their probabilities, the likeliest first.

        A span without a word has the adapter's prior.
        """
        names = self.part.statuses
        prior = self._prior()
        found = []
        for first, last in word_extents(self.prepared.words, spans):
            chances = prior if first == last else self.rows.statuses[first, last]
            order = np.argsort(-chances, kind="stable")
            found.append(tuple((names[index], float(chances[index])) for index in order))
        return found

    def _prior(self) -> NDArray[np.float32]:
        assert self.part.assertion is not None  # noqa: S101 - only such parts judge
        nothing = np.zeros(len(self.part.statuses), dtype=np.float32)
        group = PooledSums(value=nothing, total=nothing)
        return class_probabilities(self.part.assertion.logits(0, group), "single")
