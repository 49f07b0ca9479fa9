"""From the states around given spans to their assertion status.

A span is judged by its own words and some on either side (``span_windows``). Three marks tell the
adapter of each word whether it stands in, before or behind the span.

The server's way, where the states of the text are at hand (a text of one segment)::

    inputs = reader.read_for_banks(cut_segments(text, limit, reach))[0]
    groups = [span_group(inputs, *span_words(text.words, start, end)) for start, end in spans]
    probabilities = status_probabilities(bank, groups)          # [spans, statuses]

For longer texts, or where nothing was read before, ``assert_spans`` reads just what the spans need.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.class_decoding import class_probabilities
from services.common.modeling.onnx.pooled import PooledBank, PooledGroup
from services.common.modeling.packing import BankInputs
from services.common.modeling.span_windows import span_marks, span_words, window_words
from services.common.modeling.states import PreparedText, Segment, WordStateReader

_WORDS_AT_ONCE = 4096
# Words between two spans' windows from which on they are read by themselves.
_APART = 256


def span_group(inputs: BankInputs, first: int, last: int) -> PooledGroup:
    """Cut the window of the span ``[first, last)`` out of a text's (or segment's) states.

    Args:
        inputs: The states; must hold the span with ``WINDOW`` words on either side, as far as the
            text has them.
        first: First word of the span, counted in `inputs`.
        last: Past its last word.
    """
    start, end = window_words(first, last, len(inputs.present))
    marks = span_marks(end - start, first - start, last - start)
    return PooledGroup(inputs=inputs.part(start, end), marks=marks)


def status_probabilities(bank: PooledBank, groups: Sequence[PooledGroup]) -> NDArray[np.float32]:
    """Return the probability of each status, [groups, statuses], ordered as ``bank.classes(0)``.

    Args:
        bank: Holds exactly one adapter, with a head for assertions.
        groups: As ``span_group`` makes them.
    """
    return class_probabilities(bank.run(groups, (0,))[0], "single")


def assert_spans(
    reader: WordStateReader,
    bank: PooledBank,
    texts: Sequence[PreparedText],
    spans: Sequence[Sequence[tuple[int, int]]],
) -> list[NDArray[np.float32]]:
    """Return, for each text, the probabilities of its spans' statuses, [spans, statuses].

    Only the trunk's windows around the spans are run, once for neighbouring spans; memory stays
    bounded.

    Args:
        reader: Runs the bank's trunk.
        bank: Holds exactly one adapter, with a head for assertions.
        texts: Texts that the reader prepared.
        spans: The spans of each text, half-open code points.
    """
    statuses = len(bank.classes(0))
    results = [np.empty((len(items), statuses), dtype=np.float32) for items in spans]
    for batch in _batches(texts, spans):
        inputs = reader.read_for_banks([stretch.segment for stretch in batch])
        groups = [
            span_group(item, first, last)
            for item, stretch in zip(inputs, batch, strict=True)
            for _, first, last in stretch.spans
        ]
        rows = iter(status_probabilities(bank, groups))
        for stretch in batch:
            for index, _, _ in stretch.spans:
                results[stretch.place][index] = next(rows)
    return results


@dataclass(frozen=True, kw_only=True)
class _Stretch:
    """Words of one text that are read once, with all spans that are judged from them.

    Attributes:
        place: Position of the text.
        segment: The words.
        spans: Position of each span among the text's, its first and past-the-last word, counted
            in the segment.
    """

    place: int
    segment: Segment
    spans: list[tuple[int, int, int]]


def _stretches(
    place: int, text: PreparedText, spans: Sequence[tuple[int, int]]
) -> Iterator[_Stretch]:
    extents = [span_words(text.words, start, end) for start, end in spans]
    begin = stop = 0
    members: list[int] = []

    def stretch() -> _Stretch:
        return _Stretch(
            place=place,
            segment=Segment(text=text, start=begin, end=stop, own_start=begin, own_end=stop),
            spans=[(row, extents[row][0] - begin, extents[row][1] - begin) for row in members],
        )

    for row in sorted(range(len(spans)), key=extents.__getitem__):
        start, end = window_words(*extents[row], len(text.words))
        if members and (start > stop + _APART or max(stop, end) - begin > _WORDS_AT_ONCE):
            yield stretch()
            members = []
        if not members:
            begin = stop = start
        stop = max(stop, end)
        members.append(row)
    if members:
        yield stretch()


def _batches(
    texts: Sequence[PreparedText], spans: Sequence[Sequence[tuple[int, int]]]
) -> Iterator[list[_Stretch]]:
    batch: list[_Stretch] = []
    words = 0
    for place, (text, items) in enumerate(zip(texts, spans, strict=True)):
        for stretch in _stretches(place, text, items):
            size = stretch.segment.end - stretch.segment.start
            if batch and words + size > _WORDS_AT_ONCE:
                yield batch
                batch, words = [], 0
            batch.append(stretch)
            words += size
    if batch:
        yield batch
