"""Overlapping windows over the pieces of a text; nothing is ever truncated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Window:
    """Pieces ``[start, end)`` go through the trunk; ``[own_start, own_end)`` are read from it.

    The owned ranges of a text's windows follow each other and cover every piece exactly once.
    """

    start: int
    end: int
    own_start: int
    own_end: int


def plan_windows(word_initial: NDArray[np.bool_], capacity: int, overlap: int) -> list[Window]:
    """Cut a text's pieces into windows.

    Windows begin, end and hand over at word borders where there is one; a word longer than a
    window is cut. In the overlap of two windows each piece belongs to the window in which it has
    more context.

    Args:
        word_initial: For each piece whether it is the first of its word, shape [pieces].
        capacity: Most pieces in one window, without the trunk's special tokens; at least 1.
        overlap: Wanted number of pieces that two neighbours share; at most half the capacity is
            used.

    Returns:
        The windows in order; empty for a text without pieces.

    Raises:
        ValueError: If the capacity is below 1 or the overlap negative.
    """
    if capacity < 1 or overlap < 0:
        raise ValueError(f"a window needs capacity >= 1 and overlap >= 0: {capacity}, {overlap}")
    count = len(word_initial)
    overlap = min(overlap, capacity // 2)
    starts: list[tuple[int, int]] = []
    start = 0
    while start < count:
        end = min(start + capacity, count)
        if end < count:
            # Not further back than a quarter, so that long words cannot make windows crawl.
            end = _border_before(word_initial, end, start + max(overlap, 3 * capacity // 4))
        starts.append((start, end))
        if end == count:
            break
        start = _border_before(word_initial, end - overlap, start)
    windows = []
    own_start = 0
    for index, (start, end) in enumerate(starts):
        own_end = count
        if index + 1 < len(starts):
            following = starts[index + 1][0]
            own_end = _border_before(word_initial, (following + end + 1) // 2, following - 1)
        if own_end > own_start:
            windows.append(Window(start=start, end=end, own_start=own_start, own_end=own_end))
            own_start = own_end
    return windows


def _border_before(word_initial: NDArray[np.bool_], position: int, floor: int) -> int:
    """Return the last word border at or before `position` that is above `floor`, or `position`."""
    for candidate in range(position, floor, -1):
        if word_initial[candidate]:
            return candidate
    return position
