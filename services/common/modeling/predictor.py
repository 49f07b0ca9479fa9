"""From texts to spans: the one path that evaluation, parity check and inference share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.decoding import decode_labels
from services.common.modeling.onnx.bank import Bank
from services.common.modeling.packing import BankInputs, pack_words
from services.common.modeling.states import (
    PreparedText,
    Segment,
    WordStateReader,
    chunk_segments,
)

UNSEEN = np.asarray([0.0, 0.0, 50.0], dtype=np.float32)
"""Logits of a word that the trunk never saw: it is outside of everything."""


@dataclass(frozen=True, kw_only=True, order=True)
class PredictedSpan:
    """Code points ``[start, end)`` of the text carry `label`, with a score between 0 and 1."""

    start: int
    end: int
    label: str
    score: float


class TextPredictor:
    """A trunk and a bank. Holds no state of requests; calls may come from several threads."""

    def __init__(self, reader: WordStateReader, bank: Bank) -> None:
        """Predict with the bank's labels; `reader` must run the bank's trunk."""
        self.reader = reader
        self.bank = bank

    def prepare(self, texts: Sequence[str]) -> list[PreparedText]:
        """Tokenise texts and plan their windows; the cost of each is known afterwards."""
        return self.reader.prepare(texts)

    def logits(
        self, texts: Sequence[PreparedText], selection: Sequence[int] | None = None
    ) -> list[NDArray[np.float32]]:
        """Return B/I/O logits, without the fitted bias, for each text: [labels, words, 3].

        Args:
            texts: Prepared texts of any length and number; memory stays bounded.
            selection: Positions of the wanted labels in the bank; None for all.
        """
        read = self.reader.read_for_banks
        return text_logits(self.bank, texts, lambda _, some: read(some), selection)

    def predict(
        self, texts: Sequence[str], labels: Sequence[str] | None = None
    ) -> list[list[PredictedSpan]]:
        """Return the spans of each text, sorted by start, end and label.

        Args:
            texts: The texts.
            labels: The wanted labels; None for all of the bank.

        Raises:
            KeyError: For a label that the bank does not have.
        """
        selection = None if labels is None else self.bank.indices(labels)
        prepared = self.prepare(texts)
        return [
            self.decode(text, logits, selection)
            for text, logits in zip(prepared, self.logits(prepared, selection), strict=True)
        ]

    def decode(
        self,
        text: PreparedText,
        logits: NDArray[np.float32],
        selection: Sequence[int] | None = None,
    ) -> list[PredictedSpan]:
        """Return the spans of one text from its logits as ``logits`` returned them."""
        wanted = range(len(self.bank.labels)) if selection is None else selection
        decoded = decode_labels(logits, self.bank.outside_bias[list(wanted)])
        spans = [
            PredictedSpan(
                start=text.words[span.first][0],
                end=text.words[span.last - 1][1],
                label=self.bank.labels[label],
                score=span.score,
            )
            for label, found in zip(wanted, decoded, strict=True)
            for span in found
        ]
        return sorted(spans)


def text_logits(
    bank: Bank,
    texts: Sequence[PreparedText],
    read: Callable[[Sequence[int], Sequence[Segment]], Sequence[BankInputs]],
    selection: Sequence[int] | None = None,
) -> list[NDArray[np.float32]]:
    """Run the bank on texts of any length and number, as many at once as memory should hold.

    Args:
        bank: The adapters.
        texts: The texts.
        read: Returns what a trunk says of segments, given the positions of their texts, too.
        selection: Positions of the wanted labels in the bank; None for all.

    Returns:
        For each text its logits, [labels, words, 3].
    """
    labels = len(bank.labels) if selection is None else len(selection)
    results = [np.empty((labels, len(text.words), 3), dtype=np.float32) for text in texts]
    for places, segments in chunk_segments(texts, bank.reach):
        parts = bank_logits(bank, read(places, segments), selection)
        for place, segment, part in zip(places, segments, parts, strict=True):
            owned = part[:, segment.own_start - segment.start :]
            count = segment.own_end - segment.own_start
            results[place][:, segment.own_start : segment.own_end] = owned[:, :count]
    return results


def bank_logits(
    bank: Bank, inputs: Sequence[BankInputs], selection: Sequence[int] | None = None
) -> list[NDArray[np.float32]]:
    """Run the bank on several texts at once; returns logits per text, [labels, words, 3]."""
    if not inputs:
        return []
    packed = pack_words(inputs, bank.gap)
    logits = bank.run(packed, selection)
    parts = []
    for item, offset, count in zip(inputs, packed.offsets, packed.counts, strict=True):
        part = logits[:, offset : offset + count]
        if not item.present.all():
            part = part.copy()
            part[:, ~item.present] = UNSEEN
        parts.append(part)
    return parts
