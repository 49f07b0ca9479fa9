"""Packs the words of several texts into one run of the bank, without padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class WordInputs:
    """What the bank reads of one text or part of a text.

    Attributes:
        states: One vector per tap and word, float32 or float16 [taps, words, hidden_size].
        features: Word features, float32 [words, features].
        present: Whether the trunk saw anything of the word, bool [words].
    """

    states: NDArray[np.floating]
    features: NDArray[np.float32]
    present: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class PackedWords:
    """Words of several texts one after the other, with masked rows between texts.

    Attributes:
        states: float32 [taps, rows, hidden_size]; zero in masked rows.
        features: float32 [rows, features]; zero in masked rows.
        mask: 1 for words that the trunk saw, else 0, float32 [rows, 1].
        offsets: The row at which each text begins.
        counts: The words of each text.
    """

    states: NDArray[np.float32]
    features: NDArray[np.float32]
    mask: NDArray[np.float32]
    offsets: list[int]
    counts: list[int]


def pack_words(inputs: Sequence[WordInputs], gap: int) -> PackedWords:
    """Pack texts.

    Args:
        inputs: At least one text; all with the same taps, hidden size and features.
        gap: Masked rows between two texts; the bank's ``gap``.
    """
    counts = [len(item.present) for item in inputs]
    offsets: list[int] = []
    rows = 0
    for count in counts:
        offsets.append(rows)
        rows += count + gap
    rows = max(rows - gap, 0)
    taps, _, hidden = inputs[0].states.shape
    states = np.zeros((taps, rows, hidden), dtype=np.float32)
    features = np.zeros((rows, inputs[0].features.shape[1]), dtype=np.float32)
    mask = np.zeros((rows, 1), dtype=np.float32)
    for item, offset, count in zip(inputs, offsets, counts, strict=True):
        part = slice(offset, offset + count)
        states[:, part] = item.states
        features[part] = item.features
        mask[part, 0] = item.present
    return PackedWords(states=states, features=features, mask=mask, offsets=offsets, counts=counts)
