"""Splits as arrays: what training steps and evaluation read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.packing import PackedWords, WordInputs
from services.common.modeling.states import PreparedText
from services.trainer.engines.activations import Activations
from services.trainer.engines.alignment import AlignmentNotes, tag_words
from services.trainer.engines.interface import Example
from services.trainer.engines.state_rows import StateRows


@dataclass(frozen=True, kw_only=True)
class Split:
    """One split, all words of all texts one after the other.

    Attributes:
        examples: The texts with their gold spans.
        texts: The same, prepared for the trunk.
        states: float16 [words, taps, hidden_size], on disk.
        features: float32 [words, features].
        present: Whether the trunk saw the word, bool [words].
        tags: B/I/O per label, int8 [labels, words].
        offsets: Row at which each text begins, and the number of rows, int64 [texts + 1].
    """

    examples: Sequence[Example]
    texts: Sequence[PreparedText]
    states: StateRows
    features: NDArray[np.float32]
    present: NDArray[np.bool_]
    tags: NDArray[np.int8]
    offsets: NDArray[np.int64]

    @property
    def words(self) -> int:
        """Number of words."""
        return int(self.offsets[-1])

    def inputs(self, start: int, end: int) -> WordInputs:
        """Return rows ``[start, end)`` as the serving banks read them."""
        return WordInputs(
            states=self.states[start:end].transpose(1, 0, 2),
            features=self.features[start:end],
            present=self.present[start:end],
        )

    def subset(self, indices: Sequence[int]) -> Split:
        """Return a split of some of the texts; copies all of their rows but the states."""
        stretches = [np.arange(self.offsets[i], self.offsets[i + 1]) for i in indices]
        rows = np.hstack(stretches) if stretches else np.empty(0, dtype=np.int64)
        lengths = [int(self.offsets[i + 1] - self.offsets[i]) for i in indices]
        return Split(
            examples=[self.examples[i] for i in indices],
            texts=[self.texts[i] for i in indices],
            states=self.states.take(rows),
            features=self.features[rows],
            present=self.present[rows],
            tags=self.tags[:, rows],
            offsets=np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]),
        )


def build_split(
    examples: Sequence[Example],
    texts: Sequence[PreparedText],
    activations: Activations,
    labels: Sequence[str],
    notes: AlignmentNotes,
) -> Split:
    """Join prepared texts, their activations and their tags; counts oddities in `notes`."""
    tags = [
        tag_words(example, text.words, labels, notes)
        for example, text in zip(examples, texts, strict=True)
    ]
    present = [text.encoded.word_pieces[:, 0] >= 0 for text in texts]
    return Split(
        examples=examples,
        texts=texts,
        states=activations.states,
        features=np.concatenate([text.features for text in texts]),
        present=np.concatenate(present),
        tags=np.concatenate(tags, axis=1),
        offsets=activations.offsets,
    )


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A stretch of words of one text: rows ``[start, end)`` of its split."""

    start: int
    end: int


def text_rows(split: Split, limit: int) -> list[Rows]:
    """Return the rows of every text that has words; longer texts in pieces of `limit` words."""
    rows: list[Rows] = []
    for start, end in zip(split.offsets[:-1].tolist(), split.offsets[1:].tolist(), strict=True):
        rows.extend(
            Rows(start=begin, end=min(begin + limit, end)) for begin in range(start, end, limit)
        )
    return rows


def epoch_batches(
    rows: Sequence[Rows], batch_words: int, seed: int, epoch: int
) -> list[list[Rows]]:
    """Return the stretches in an order drawn for this epoch, grouped by number of words.

    The order depends only on the arguments, so a resumed run sees the same batches.
    """
    order = np.random.default_rng((seed, epoch)).permutation(len(rows))
    batches: list[list[Rows]] = []
    size = batch_words
    for index in order:
        item = rows[index]
        length = item.end - item.start
        if size + length > batch_words:
            batches.append([])
            size = 0
        batches[-1].append(item)
        size += length
    return batches


def pack_rows(
    split: Split, rows: Sequence[Rows], gap: int
) -> tuple[PackedWords, NDArray[np.int64]]:
    """Pack stretches of a split; also returns the split's row of each packed row (-1 in gaps)."""
    counts = [item.end - item.start for item in rows]
    source = np.full(sum(counts) + gap * (len(rows) - 1), -1, dtype=np.int64)
    offsets = []
    position = 0
    for item, count in zip(rows, counts, strict=True):
        offsets.append(position)
        source[position : position + count] = np.arange(item.start, item.end)
        position += count + gap
    real = np.flatnonzero(source >= 0)
    wanted = source[real]
    states = np.zeros((split.states.shape[1], len(source), split.states.shape[2]), np.float32)
    features = np.zeros((len(source), split.features.shape[1]), dtype=np.float32)
    mask = np.zeros((len(source), 1), dtype=np.float32)
    states[:, real] = split.states[wanted].transpose(1, 0, 2)
    features[real] = split.features[wanted]
    mask[real, 0] = split.present[wanted]
    packed = PackedWords(
        states=states, features=features, mask=mask, offsets=offsets, counts=counts
    )
    return packed, source
