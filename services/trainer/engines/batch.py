"""Stretches of a split as tensors, without padding; where the states come from is left open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from services.trainer.engines.dataset import Rows, Split, TextSplit


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where packed stretches stand.

    Attributes:
        rows: The stretches.
        source: The split's row of each packed row, -1 in gaps, int64 [packed rows].
        starts: The packed row at which each stretch begins.
        counts: The words of each stretch.
    """

    rows: Sequence[Rows]
    source: NDArray[np.int64]
    starts: list[int]
    counts: list[int]


class StateSource(Protocol):
    """Says what a trunk says about words."""

    @property
    def device(self) -> torch.device:
        """Where the states are."""
        ...

    def read(self, split: TextSplit, layout: Layout) -> torch.Tensor:
        """Return the states of packed stretches, float32 [taps, packed rows, hidden_size].

        Rows in gaps and words that the trunk never sees are zero.
        """
        ...


class CachedStates:
    """The states of a trunk that does not change: those that the split has."""

    device = torch.device("cpu")

    def read(self, split: TextSplit, layout: Layout) -> torch.Tensor:
        """See `StateSource.read`."""
        if not isinstance(split, Split):
            raise TypeError("the split has no states")
        found = split.states[np.maximum(layout.source, 0)]
        found[layout.source < 0] = 0
        # By words in memory, as they lie in the cache: sorting them by taps would be half of a
        # training step's time.
        return torch.from_numpy(found).float().transpose(0, 1)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Packed stretches.

    Attributes:
        states: float32 [taps, packed rows, hidden_size].
        features: float32 [packed rows, features]; zero in gaps.
        mask: 1 for words that the trunk saw, else 0, float32 [packed rows, 1].
        layout: Where the stretches stand.
    """

    states: torch.Tensor
    features: torch.Tensor
    mask: torch.Tensor
    layout: Layout


def lay_out(rows: Sequence[Rows], gap: int) -> Layout:
    """Put stretches one after the other, `gap` rows apart."""
    counts = [item.end - item.start for item in rows]
    source = np.full(sum(counts) + gap * (len(rows) - 1), -1, dtype=np.int64)
    starts = []
    position = 0
    for item, count in zip(rows, counts, strict=True):
        starts.append(position)
        source[position : position + count] = np.arange(item.start, item.end)
        position += count + gap
    return Layout(rows=rows, source=source, starts=starts, counts=counts)


def pack_batch(
    split: TextSplit, states: StateSource, rows: Sequence[Rows], *, gap: int, taps: Sequence[int]
) -> Batch:
    """Pack stretches of a split.

    Args:
        split: Where the stretches are from.
        states: Says what the trunk says about them.
        rows: The stretches.
        gap: Rows between two of them.
        taps: The taps that are read.
    """
    layout = lay_out(rows, gap)
    real = np.flatnonzero(layout.source >= 0)
    wanted = layout.source[real]
    features = np.zeros((len(layout.source), split.features.shape[1]), dtype=np.float32)
    mask = np.zeros((len(layout.source), 1), dtype=np.float32)
    features[real] = split.features[wanted]
    mask[real, 0] = split.present[wanted]
    found = states.read(split, layout)
    return Batch(
        states=found if len(taps) == len(found) else found[list(taps)],
        features=torch.from_numpy(features).to(states.device),
        mask=torch.from_numpy(mask).to(states.device),
        layout=layout,
    )
