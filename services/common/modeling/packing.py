"""Packs the words of several texts into one run of the bank, without padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.onnx.resident import ResidentWords


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

    def part(self, start: int, end: int) -> WordInputs:
        """Return the words ``[start, end)``."""
        return WordInputs(
            states=self.states[:, start:end],
            features=self.features[start:end],
            present=self.present[start:end],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class ResidentInputs:
    """The same where the states are on the device.

    Attributes:
        words: The states of these words and of all that were read with them.
        first: The place of the first word among them.
        features: As for `WordInputs`.
        present: As for `WordInputs`.
    """

    words: ResidentWords
    first: int
    features: NDArray[np.float32]
    present: NDArray[np.bool_]

    def part(self, start: int, end: int) -> ResidentInputs:
        """Return the words ``[start, end)``."""
        return ResidentInputs(
            words=self.words,
            first=self.first + start,
            features=self.features[start:end],
            present=self.present[start:end],
        )

    @property
    def rows(self) -> NDArray[np.int64]:
        """The places of these words among those that were read together."""
        return np.arange(self.first, self.first + len(self.present), dtype=np.int64)


BankInputs: TypeAlias = WordInputs | ResidentInputs
"""What banks take: states on the host, or left where the trunk computed them."""


@dataclass(frozen=True, kw_only=True)
class PackedWords:
    """Words of several texts one after the other, with masked rows between texts.

    Attributes:
        states: float32 [taps, rows, hidden_size]; zero in masked rows. An array, or onnxruntime's
            value on the device.
        features: float32 [rows, features]; zero in masked rows.
        mask: 1 for words that the trunk saw, else 0, float32 [rows, 1].
        offsets: The row at which each text begins.
        counts: The words of each text.
    """

    states: Any
    features: NDArray[np.float32]
    mask: NDArray[np.float32]
    offsets: list[int]
    counts: list[int]


def pack_words(inputs: Sequence[BankInputs], gap: int, *, least: int = 0) -> PackedWords:
    """Pack texts.

    Args:
        inputs: At least one text; all with the same taps, hidden size and features, and all read
            in one way; those on the device read together.
        gap: Masked rows between two texts; the bank's ``gap``.
        least: Rows that there are at least, masked where there are no words.
    """
    counts = [len(item.present) for item in inputs]
    offsets: list[int] = []
    rows = 0
    for count in counts:
        offsets.append(rows)
        rows += count + gap
    rows = max(rows - gap, least)
    features = np.zeros((rows, inputs[0].features.shape[1]), dtype=np.float32)
    mask = np.zeros((rows, 1), dtype=np.float32)
    for item, offset, count in zip(inputs, offsets, counts, strict=True):
        part = slice(offset, offset + count)
        features[part] = item.features
        mask[part, 0] = item.present
    return PackedWords(
        states=_pack_states(inputs, offsets, rows),
        features=features,
        mask=mask,
        offsets=offsets,
        counts=counts,
    )


def _pack_states(inputs: Sequence[BankInputs], offsets: Sequence[int], rows: int) -> Any:
    leader = inputs[0]
    if isinstance(leader, ResidentInputs):
        # Of each row, the word that stands there.
        places = np.full(rows, -1, dtype=np.int64)
        for item, offset in zip(inputs, offsets, strict=True):
            places[offset : offset + len(item.present)] = _resident(item, leader.words).rows
        return leader.words.pack(places)
    taps, _, hidden = leader.states.shape
    states = np.zeros((taps, rows, hidden), dtype=np.float32)
    for item, offset in zip(inputs, offsets, strict=True):
        states[:, offset : offset + len(item.present)] = _host(item).states
    return states


def state_sums(
    inputs: Sequence[BankInputs], parts: Sequence[tuple[int, int]]
) -> list[NDArray[np.float32]]:
    """Return the sum of the last states of words that the trunk saw, for each of some texts.

    Args:
        inputs: The texts, as for ``pack_words``.
        parts: First and past-the-last of the words that count, for each text.
    """
    wanted = [item.part(*part) for item, part in zip(inputs, parts, strict=True)]
    if wanted and isinstance(wanted[0], ResidentInputs):
        words = wanted[0].words
        return words.sums([_resident(item, words).rows[item.present] for item in wanted])
    sums = [_host(item).states[-1][item.present].sum(axis=0) for item in wanted]
    return [np.asarray(found, dtype=np.float32) for found in sums]


def _resident(item: BankInputs, words: ResidentWords) -> ResidentInputs:
    if not isinstance(item, ResidentInputs) or item.words is not words:
        raise ValueError("texts of one run of the bank must have been read together")
    return item


def _host(item: BankInputs) -> WordInputs:
    if not isinstance(item, WordInputs):
        raise ValueError("texts of one run of the bank must have been read together")  # noqa: TRY004
    return item
