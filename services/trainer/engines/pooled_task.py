"""What classification and assertion share: one adapter with classes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.adapter import AdapterWeights
from services.common.modeling.manifest import LadderArchitecture, TrunkManifest
from services.common.modeling.onnx.bank import BankRuntime
from services.common.modeling.onnx.pooled import PooledBank
from services.trainer.engines.batch import StateSource
from services.trainer.engines.dataset import TextSplit
from services.trainer.engines.interface import (
    Example,
)
from services.trainer.engines.ladder import Ladder
from services.trainer.engines.params import LadderParams
from services.trainer.engines.pooled_ladder import PooledLadder
from services.trainer.engines.pooled_lesson import Group, PooledLesson
from services.trainer.engines.task import Lesson, Task
from services.trainer.reports.model import ScoredSpan, ScoredText


class PooledTask(Task):
    """What classification and assertion share."""

    def __init__(self, name: str, classes: Sequence[str]) -> None:
        """Train one adapter.

        Args:
            name: The adapter's name.
            classes: Its classes, at least one.
        """
        self.names = (name,)
        self.counted = self.classes = tuple(classes)
        self._place = {value: index for index, value in enumerate(classes)}

    @property
    def tags(self) -> tuple[str, ...]:
        """None."""
        return ()

    def shaped(self, ladder: LadderArchitecture) -> LadderArchitecture:
        """Return the shape with this head."""
        return replace(ladder, head=self.head, classes=len(self.classes))

    def network(self, architecture: LadderArchitecture, seed: int, train: Lesson) -> Ladder:
        """Return an adapter that begins with the prior of the training answers."""
        if not isinstance(train, PooledLesson):
            raise TypeError("a pooled task learns from pooled lessons")
        ladder = PooledLadder(architecture, self.names, seed)
        ladder.load({**dict(ladder.named_parameters()), "head_bias": train.prior()[None]})
        return ladder

    def notes(self, split: str, examples: Sequence[Example]) -> Iterator[str]:
        """Say which classes have nothing to learn from, and what does not fit."""
        learned = {span[2] for example in examples for span in self.gold(example)}
        for value in self.classes:
            if split == "train" and value not in learned:
                yield f"train: nothing has {value}; it will not be found"
        yield from self._odd(split, examples)

    def _lesson(
        self,
        split: TextSplit,
        states: StateSource,
        architecture: LadderArchitecture,
        params: LadderParams,
        groups: Sequence[Group],
        targets: NDArray[np.int64] | NDArray[np.float32],
    ) -> PooledLesson:
        support = np.zeros(len(self.classes), dtype=np.int64)
        for example in split.examples:
            for _, _, value in set(self.gold(example)):
                if value in self._place:
                    support[self._place[value]] += 1
        return PooledLesson(
            split, states, architecture, params, groups, targets, self.classes, support
        )

    def _scored(self, example: Example, predicted: Sequence[ScoredSpan]) -> ScoredText:
        gold = [span for span in self.gold(example) if span[2] in self._place]
        return ScoredText(text=example.text, gold=gold, predicted=predicted)

    def _bank(
        self, weights: Sequence[AdapterWeights], trunk: TrunkManifest, providers: Sequence[str]
    ) -> PooledBank:
        return PooledBank.stack(BankRuntime(trunk, providers=providers), self.head, weights)

    @abstractmethod
    def _odd(self, split: str, examples: Sequence[Example]) -> Iterator[str]: ...
