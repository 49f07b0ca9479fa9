"""Texts of a given number of pieces."""

from __future__ import annotations

import random
from collections.abc import Callable

from services.common.modeling.tokenisation import TextTokenizer

_WORDS = (
    *("on", "the", "first", "of", "march", "company", "paid", "a", "fee", "two", "hundred"),
    *("dollars", "to", "john", "smith", "in", "london", "and", "he", "wrote", "that", "new"),
    *("york", "had", "been", "very", "cold", "this", "year", "while", "team", "from", "paris"),
    *("played", "well", "against", "real", "madrid", "last", "night", "we", "saw", "film"),
    *("with", "our", "friends", "at", "old", "house", "by", "river", "then", "went", "home"),
    *("because", "it", "was", "late", "rain", "not", "stopped", "since", "morning", ",", "."),
)


def pieces_of(tokenizer: TextTokenizer) -> Callable[[str], int]:
    """Return what counts the pieces of a text, special tokens left out."""
    return lambda text: len(tokenizer.encode_many([text])[0].ids)


def text_of(count: Callable[[str], int], pieces: int, seed: int = 0) -> str:
    """Return a text of exactly so many pieces; other seeds give other texts.

    Args:
        count: Counts the pieces of a text.
        pieces: How many are wanted.
        seed: Chooses the words.

    Raises:
        ValueError: No text of such words has so many pieces.
    """
    rng = random.Random(seed)  # noqa: S311
    text = ""
    # A word that is one piece too long is left for another.
    for _ in range(20 * pieces):
        longer = f"{text} {rng.choice(_WORDS)}".strip()
        found = count(longer)
        if found <= pieces:
            text = longer
        if found == pieces:
            return text
    raise ValueError(f"no text has {pieces} pieces")
