"""What a graph of trunk and pooled adapters reads of one text; exports carry a copy of this module.

The graph is ``onnx.fused``'s of choices or assertions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.heads import MARKS
from services.common.modeling.span_windows import span_marks, window_words
from services.common.modeling.tokenisation import Encoded, TextTokenizer
from services.common.modeling.word_features import FEATURE_COUNT, word_features
from services.common.modeling.word_feeds import Reading, word_arrays, word_feeds

# Words of one run, with the rows between spans.
_ROWS_AT_ONCE = 2048

_Placed: TypeAlias = tuple[tuple[int, int], tuple[int, int]]
"""Words of a span, and those that decide its status."""


def text_feeds(
    encoded: Encoded, tokenizer: TextTokenizer, reading: Reading
) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield the runs of a text whose words decide together, one at least."""
    if not encoded.words:
        # A graph needs a row to run on; this one is not there for it.
        nothing = np.full((1, 2), -1, dtype=np.int64)
        yield {
            **word_arrays(encoded, (), nothing, tokenizer, reading),
            "features": np.zeros((1, FEATURE_COUNT), dtype=np.float32),
            "members": np.zeros((1, 1), dtype=np.float32),
        }
    for run in word_feeds(encoded, tokenizer, reading):
        present = run.arrays["mask"][:, 0]
        members = np.zeros((1, len(present)), dtype=np.float32)
        own = slice(run.begin - run.first, run.end - run.first)
        members[0, own] = present[own]
        yield {**run.arrays, "members": members}


def span_feeds(
    encoded: Encoded,
    spans: Sequence[tuple[int, int]],
    tokenizer: TextTokenizer,
    reading: Reading,
) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield the runs that decide the status of spans of a text, in their order; none for no spans.

    Args:
        encoded: The text.
        spans: First and past-the-last word of each.
        tokenizer: The trunk's tokenizer.
        reading: How the text is read.
    """
    count, gap = len(encoded.words), reading.reach
    windows = reading.windows(encoded, tokenizer)
    features = word_features(encoded.text, encoded.words)
    for chunk in _chunks([(span, window_words(*span, count)) for span in spans], gap):
        # A row at least, as a graph needs one to run on.
        rows = max(sum(end - start + gap for _, (start, end) in chunk), 1)
        pieces = np.full((rows, 2), -1, dtype=np.int64)
        shapes = np.zeros((rows, FEATURE_COUNT), dtype=np.float32)
        members = np.zeros((len(chunk), rows), dtype=np.float32)
        marks = np.zeros((rows, MARKS), dtype=np.float32)
        place = 0
        for row, ((first, last), (start, end)) in enumerate(chunk):
            own = slice(place, place + end - start)
            pieces[own] = encoded.word_pieces[start:end]
            shapes[own] = features[start:end]
            members[row, own] = pieces[own, 0] >= 0
            marks[own] = span_marks(end - start, first - start, last - start)
            place = own.stop + gap
        yield {
            **word_arrays(encoded, windows, pieces, tokenizer, reading),
            "features": shapes,
            "members": members,
            "marks": marks,
        }


def _chunks(spans: Sequence[_Placed], gap: int) -> Iterator[list[_Placed]]:
    """Yield spans with a bounded number of rows; rows between them keep them from each other."""
    chunk: list[_Placed] = []
    rows = 0
    for span in spans:
        start, end = span[1]
        if chunk and rows + end - start + gap > _ROWS_AT_ONCE:
            yield chunk
            chunk, rows = [], 0
        chunk.append(span)
        rows += end - start + gap
    if chunk:
        yield chunk
