"""Shape of words: what an uncased trunk no longer sees, as a few flags per word."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FEATURISER = "word-shape-v1"
"""Version of the flags below; stands in every adapter's manifest."""

FLAGS = 13
"""Flags of one word."""

FEATURE_COUNT = 3 * FLAGS
"""Columns of the result: flags of the word, of the word before, of the word after."""

# Characters of a word whose flags are remembered; few longer ones come twice.
_LONGEST_KEPT = 32


def word_features(text: str, words: Sequence[tuple[int, int]]) -> NDArray[np.float32]:
    """Return the flags of each word and of its two neighbours.

    Args:
        text: The text.
        words: Its words as half-open code-point ranges, as ``split_words`` gives them.

    Returns:
        Zeros and ones, shape [words, FEATURE_COUNT]; a neighbour that does not exist is all zeros.
    """
    own = np.zeros((len(words), FLAGS), dtype=np.float32)
    if words:
        own[:, : FLAGS - 1] = [_flags_of(text[start:end]) for start, end in words]
    # The last flag says that the whole text is shouted: capitals there mean nothing.
    if _is_shouted(text):
        own[:, FLAGS - 1] = 1.0
    features = np.zeros((len(words), FEATURE_COUNT), dtype=np.float32)
    features[:, :FLAGS] = own
    features[1:, FLAGS : 2 * FLAGS] = own[:-1]
    features[:-1, 2 * FLAGS :] = own[1:]
    return features


def _is_shouted(text: str) -> bool:
    # Nearly all texts end here, counted without a loop of ours. Capitals that are no letters, as
    # encircled ones, do not count: only then the letters are looked at.
    if sum(map(str.isupper, text)) < 0.8 * sum(map(str.isalpha, text)):
        return False
    letters = [char for char in text if char.isalpha()]
    return len(letters) > 3 and sum(char.isupper() for char in letters) >= 0.8 * len(letters)


def _flags_of(word: str) -> tuple[bool, ...]:
    return _common_flags(word) if len(word) <= _LONGEST_KEPT else _flags(word)


@lru_cache(maxsize=1 << 16)
def _common_flags(word: str) -> tuple[bool, ...]:
    return _flags(word)


def _flags(word: str) -> tuple[bool, ...]:
    letters = any(char.isalpha() for char in word)
    title = word[:1].isupper() and word[1:].islower()
    upper = word.isupper()
    lower = word.islower()
    digits = sum(char.isdigit() for char in word)
    return (
        lower,
        title,
        upper and len(word) > 1,
        letters and not (lower or title or upper),
        digits > 0,
        0 < digits == sum(char.isalnum() for char in word),
        word.startswith("@"),
        word.startswith("#") and len(word) > 1,
        word.startswith(("http://", "https://", "www.")),
        not any(char.isalnum() for char in word),
        len(word) == 1,
        word[:1].isupper(),
    )
