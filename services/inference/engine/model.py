"""Adapters ready to answer: one predictor per trunk, usually one in all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.adapter import AdapterWeights
from services.common.modeling.predictor import TextPredictor, bank_logits
from services.common.modeling.states import PreparedText, Segment, cut_segments
from services.inference.domain import AdapterRef

# Words of one segment: long texts pass through the queue in pieces of this size, so that no text
# keeps the device for longer than a batch.
SEGMENT_WORDS = 2048


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """The labels of one trunk. Compared by identity, so that it can name a group of batches."""

    predictor: TextPredictor

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the bank."""
        return self.predictor.bank.labels

    @property
    def adapters(self) -> tuple[AdapterWeights, ...]:
        """The loaded adapters, in the order of the bank."""
        return self.predictor.bank.adapters

    def segments(self, text: PreparedText) -> list[Segment]:
        """Cut a text into what one batch may hold."""
        return cut_segments(text, SEGMENT_WORDS, self.predictor.bank.reach)

    def run(
        self, segments: Sequence[Segment], positions: Sequence[int]
    ) -> list[NDArray[np.float32]]:
        """Return the logits of the words that each segment owns: [positions, owned words, 3]."""
        rows = bank_logits(
            self.predictor.bank, self.predictor.reader.read(segments), list(positions)
        )
        return [
            row[:, segment.own_start - segment.start : segment.own_end - segment.start]
            for segment, row in zip(segments, rows, strict=True)
        ]


def segment_cost(segment: Segment) -> int:
    """Return about how many pieces a segment sends through the trunk, at least 1."""
    words = max(len(segment.text.words), 1)
    return max(1, segment.text.cost * (segment.end - segment.start) // words)


@dataclass(frozen=True, kw_only=True)
class Model:
    """Verified adapters in their banks. Immutable.

    Attributes:
        parts: One per trunk.
        adapters: By label value: where the adapter came from.
    """

    parts: tuple[Part, ...]
    adapters: Mapping[str, AdapterRef]

    @cached_property
    def resident_bytes(self) -> int:
        """Bytes of adapter weights."""
        return sum(
            tensor.nbytes
            for part in self.parts
            for adapter in part.adapters
            for tensor in adapter.tensors.values()
        )

    def select(self, labels: Sequence[str]) -> list[tuple[Part, tuple[int, ...]]]:
        """Return each part that has some of the labels, with their positions in its bank."""
        wanted = set(labels)
        selection = []
        for part in self.parts:
            positions = tuple(i for i, label in enumerate(part.labels) if label in wanted)
            if positions:
                selection.append((part, positions))
        return selection
