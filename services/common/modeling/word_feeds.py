"""What a graph of trunk and adapters reads of one text; exports carry a copy of this module.

The graph is ``onnx.fused``'s, or a twin of it: it takes several windows of a text at once, and for
each word the places of its first and last piece in the windows laid one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.tokenisation import Encoded, TextTokenizer
from services.common.modeling.windows import Window, plan_windows
from services.common.modeling.word_features import word_features

# Words of one run: longer texts are read in parts, so that memory stays bounded.
_WORDS_AT_ONCE = 2048


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How texts are read.

    Attributes:
        max_length: Pieces of a window, special tokens included.
        stride: Pieces that neighbouring windows share.
        reach: Words on either side that can influence a word.
        pad_token_id: What shorter windows are filled with.
    """

    max_length: int
    stride: int
    reach: int
    pad_token_id: int

    @classmethod
    def of(cls, document: dict[str, Any]) -> Reading:
        """Return what an export's config says."""
        return cls(**{name: int(document[name]) for name in cls.__dataclass_fields__})

    def windows(self, encoded: Encoded, tokenizer: TextTokenizer) -> list[Window]:
        """Return the windows of a text."""
        capacity = self.max_length - tokenizer.special_count
        return plan_windows(encoded.word_initial, capacity, self.stride)


@dataclass(frozen=True, kw_only=True)
class WordFeeds:
    """One run: the words ``[begin, end)`` are wanted, of those read the first is `first`.

    `arrays` are the graph's inputs by name.
    """

    begin: int
    end: int
    first: int
    arrays: dict[str, NDArray[Any]]


def word_feeds(encoded: Encoded, tokenizer: TextTokenizer, reading: Reading) -> Iterator[WordFeeds]:
    """Yield the runs of a text; none for a text without words."""
    windows = reading.windows(encoded, tokenizer)
    features = word_features(encoded.text, encoded.words)
    count = len(encoded.words)
    for begin in range(0, count, _WORDS_AT_ONCE):
        end = min(begin + _WORDS_AT_ONCE, count)
        # Words around the wanted ones are read for context, so that a cut changes nothing.
        first, last = max(begin - reading.reach, 0), min(end + reading.reach, count)
        pieces = encoded.word_pieces[first:last]
        arrays = word_arrays(encoded, windows, pieces, tokenizer, reading)
        arrays["features"] = features[first:last]
        yield WordFeeds(begin=begin, end=end, first=first, arrays=arrays)


def word_arrays(
    encoded: Encoded,
    windows: Sequence[Window],
    pieces: NDArray[np.int64],
    tokenizer: TextTokenizer,
    reading: Reading,
) -> dict[str, NDArray[Any]]:
    """Return what a run reads of words, but for their features.

    Args:
        encoded: The text.
        windows: Its windows; those that no word reads are left out.
        pieces: First and last piece of each word, [words, 2]; -1 for rows that are none.
        tokenizer: The trunk's tokenizer.
        reading: How the text is read.
    """
    prefix, suffix = tokenizer.prefix, tokenizer.suffix
    wanted = [window for window in windows if _owned(window, pieces).any()]
    # Words that the tokenizer drops have no window; a graph needs one to run.
    length = max((window.end - window.start for window in wanted), default=1)
    length += len(prefix) + len(suffix)
    ids = np.full((max(len(wanted), 1), length), reading.pad_token_id, dtype=np.int64)
    mask = np.zeros_like(ids)
    mask[:, 0] = 1
    places = np.zeros(pieces.shape, dtype=np.int64)
    for row, window in enumerate(wanted):
        whole = [*prefix, *encoded.ids[window.start : window.end].tolist(), *suffix]
        ids[row, : len(whole)] = whole
        mask[row, : len(whole)] = 1
        own = _owned(window, pieces)
        places[own] = row * length + len(prefix) + pieces[own] - window.start
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "first": places[:, 0],
        "last": places[:, 1],
        "mask": (pieces[:, :1] >= 0).astype(np.float32),
    }


def _owned(window: Window, pieces: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.asarray((pieces >= window.own_start) & (pieces < window.own_end))
