"""Adapters ready to answer: one part per trunk, usually one in all."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from services.inference.domain import AdapterSet
from services.inference.engine.batch import Ask
from services.inference.engine.part import Part, Want


@dataclass(frozen=True, kw_only=True)
class Model:
    """Verified adapters in their banks. Immutable.

    Attributes:
        parts: One per trunk.
        adapters: Where the adapters came from.
    """

    parts: tuple[Part, ...]
    adapters: AdapterSet

    @cached_property
    def resident_bytes(self) -> int:
        """Bytes of adapter weights."""
        return sum(
            tensor.nbytes
            for part in self.parts
            for adapter in part.adapters
            for tensor in adapter.tensors.values()
        )

    @cached_property
    def statuses(self) -> tuple[str, ...]:
        """The assertion statuses that it tells apart; empty: none."""
        return next((part.statuses for part in self.parts if part.statuses), ())

    def select(
        self,
        labels: Collection[str],
        controls: Collection[str] = (),
        *,
        statuses: bool = False,
        embedding: bool = False,
    ) -> list[Ask]:
        """Return each part that can say something of what is wanted, with what it is asked.

        The part that judges the statuses of spans comes last: it is told what spans the others
        found. The embedding is that of the trunk that most labels and controls read, so that it
        stays the same when a lesser model is deployed beside.
        """
        main = max(self.parts, key=lambda part: len([*part.labels, *part.controls]), default=None)
        selection = []
        for part in self.parts:
            want = Want(
                labels=tuple(i for i, label in enumerate(part.labels) if label in labels),
                controls=tuple(i for i, name in enumerate(part.controls) if name in controls),
                statuses=statuses and part.assertion is not None,
                embedding=embedding and part is main,
            )
            if want != Want():
                selection.append(Ask(part=part, want=want))
        return sorted(selection, key=lambda ask: ask.want.statuses)
