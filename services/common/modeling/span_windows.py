"""The words that a span's assertion status depends on, and where they stand to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.heads import MARKS

WINDOW = 24
"""Words on either side of a span that decide its status. Part of the format: adapters learn so."""

MAX_SPAN_WORDS = 256
"""The status that is served for a longer span is that of its first so many words."""


def span_words(words: Sequence[tuple[int, int]], start: int, end: int) -> tuple[int, int]:
    """Return first and past-the-last of the words that ``[start, end)`` touches.

    Both are equal for a span without a word; its status is then the adapter's prior.
    """
    starts = np.asarray([first for first, _ in words], dtype=np.int64)
    ends = np.asarray([last for _, last in words], dtype=np.int64)
    first = int(np.searchsorted(ends, start, side="right"))
    return first, max(int(np.searchsorted(starts, end, side="left")), first)


def window_words(first: int, last: int, count: int) -> tuple[int, int]:
    """Return the words around the span ``[first, last)`` that decide, in a text of `count`."""
    if first >= last:
        return first, first
    return max(first - WINDOW, 0), min(last + WINDOW, count)


def span_marks(words: int, first: int, last: int) -> NDArray[np.float32]:
    """Return where each of `words` words stands to the span: in, before, behind, [words, MARKS]."""
    marks = np.zeros((words, MARKS), dtype=np.float32)
    marks[first:last, 0] = 1.0
    marks[:first, 1] = 1.0
    marks[last:, 2] = 1.0
    return marks
