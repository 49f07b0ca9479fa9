"""From gold spans to B/I/O tags over words, one sequence per label. Free of torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.decoding import BEGIN, INSIDE, OUTSIDE
from services.trainer.engines.interface import Example


@dataclass(kw_only=True)
class AlignmentNotes:
    """What did not fit into tags over words, counted over many texts.

    Attributes:
        widened: Spans with a border inside a word; trained on the whole words.
        overlapped: Spans of a label that overlap a longer span of the same label; not trained on.
        wordless: Spans without any word (white space, or outside the text); not trained on.
    """

    widened: int = 0
    overlapped: int = 0
    wordless: int = 0

    def sentences(self, split: str) -> list[str]:
        """Return what a person should know, or nothing."""
        facts = (
            (self.widened, "have a border inside a word and are trained on the whole words"),
            (self.overlapped, "overlap a longer span of their label and are not trained on"),
            (self.wordless, "contain no word and are not trained on"),
        )
        return [f"{split}: {count} gold spans {what}" for count, what in facts if count]


def tag_words(
    example: Example,
    words: Sequence[tuple[int, int]],
    labels: Sequence[str],
    notes: AlignmentNotes,
) -> NDArray[np.int8]:
    """Return the tags of each label, [labels, words]; counts oddities in `notes`.

    Of overlapping spans of one label the longest is kept (the first of equally long ones). Spans
    of other labels than `labels` are ignored.
    """
    tags = np.full((len(labels), len(words)), OUTSIDE, dtype=np.int8)
    rows = {label: row for row, label in enumerate(labels)}
    starts = np.asarray([start for start, _ in words], dtype=np.int64)
    ends = np.asarray([end for _, end in words], dtype=np.int64)
    order = sorted(set(example.spans), key=lambda span: (span[0] - span[1], span))
    for start, end, label in order:
        row = rows.get(label)
        if row is None:
            continue
        first = int(np.searchsorted(ends, start, side="right"))
        last = int(np.searchsorted(starts, end, side="left"))
        if first >= last:
            notes.wordless += 1
            continue
        if (tags[row, first:last] != OUTSIDE).any():
            notes.overlapped += 1
            continue
        if starts[first] != start or ends[last - 1] != end:
            notes.widened += 1
        tags[row, first] = BEGIN
        tags[row, first + 1 : last] = INSIDE
    return tags
