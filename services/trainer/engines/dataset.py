"""Splits as arrays: what training steps and evaluation read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.packing import WordInputs
from services.common.modeling.states import PreparedText
from services.trainer.engines.activations import Activations
from services.trainer.engines.alignment import AlignmentNotes, tag_words
from services.trainer.engines.interface import Example
from services.trainer.engines.state_rows import StateRows


@dataclass(frozen=True, kw_only=True)
class TextSplit:
    """One split, all words of all texts one after the other.

    Attributes:
        examples: The texts with their gold spans.
        texts: The same, prepared for the trunk.
        features: float32 [words, features].
        present: Whether the trunk saw the word, bool [words].
        tags: B/I/O per label, int8 [labels, words].
        offsets: Row at which each text begins, and the number of rows, int64 [texts + 1].
    """

    examples: Sequence[Example]
    texts: Sequence[PreparedText]
    features: NDArray[np.float32]
    present: NDArray[np.bool_]
    tags: NDArray[np.int8]
    offsets: NDArray[np.int64]

    @property
    def words(self) -> int:
        """Number of words."""
        return int(self.offsets[-1])


@dataclass(frozen=True, kw_only=True)
class Split(TextSplit):
    """A split with what a trunk that does not change says about it.

    Attributes:
        states: float16 [words, taps, hidden_size], on disk.
        opinions: What teachers say of each word, learned beside the tags: probabilities of B, I
            and O, float32 [labels, words, 3]; see `services.trainer.engines.distillation`.
    """

    states: StateRows
    opinions: NDArray[np.float32] | None = None

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
            opinions=None if self.opinions is None else self.opinions[:, rows],
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
    plain = build_text_split(examples, texts, labels, notes)
    return Split(**vars(plain), states=activations.states)


def build_text_split(
    examples: Sequence[Example],
    texts: Sequence[PreparedText],
    labels: Sequence[str],
    notes: AlignmentNotes,
) -> TextSplit:
    """Join prepared texts and their tags; counts oddities in `notes`."""
    tags = [
        tag_words(example, text.words, labels, notes)
        for example, text in zip(examples, texts, strict=True)
    ]
    present = [text.encoded.word_pieces[:, 0] >= 0 for text in texts]
    counts = [len(text.words) for text in texts]
    return TextSplit(
        examples=examples,
        texts=texts,
        features=np.concatenate([text.features for text in texts]),
        present=np.concatenate(present),
        tags=np.concatenate(tags, axis=1),
        offsets=np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]),
    )


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A stretch of words of one text: rows ``[start, end)`` of its split."""

    start: int
    end: int


def text_rows(split: TextSplit, limit: int) -> list[Rows]:
    """Return the rows of every text that has words; longer texts in pieces of `limit` words."""
    rows: list[Rows] = []
    for start, end in zip(split.offsets[:-1].tolist(), split.offsets[1:].tolist(), strict=True):
        rows.extend(
            Rows(start=begin, end=min(begin + limit, end)) for begin in range(start, end, limit)
        )
    return rows


def epoch_batches(
    rows: Sequence[Rows], words_at: Callable[[int], int], seed: int, epoch: int
) -> list[list[Rows]]:
    """Return the stretches in an order drawn for this epoch, grouped by number of words.

    The order depends only on the arguments, so a resumed run sees the same batches.

    Args:
        rows: All stretches.
        words_at: The words of the epoch's batches, counted from 0.
        seed: The run's seed.
        epoch: Finished epochs.
    """
    order = np.random.default_rng((seed, epoch)).permutation(len(rows))
    batches: list[list[Rows]] = []
    size = limit = 0
    for index in order:
        item = rows[index]
        length = item.end - item.start
        if not batches or size + length > limit:
            limit = words_at(len(batches))
            batches.append([])
            size = 0
        batches[-1].append(item)
        size += length
    return batches
