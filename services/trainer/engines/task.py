"""What differs between model types; everything else of a run is the same for all.

A task is what the request asks for: NER trains one adapter per label, a classification one adapter
for its control, an assertion one for all statuses. A lesson is what one split teaches a task.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

from services.common.modeling.adapter import AdapterWeights
from services.common.modeling.evaluation import Score, Span
from services.common.modeling.heads import Decoding, Head
from services.common.modeling.manifest import LadderArchitecture, TrunkManifest
from services.common.modeling.states import WordStateReader
from services.common.modeling.word_features import FEATURE_COUNT
from services.trainer.engines.batch import StateSource
from services.trainer.engines.dataset import Rows, Split, TextSplit
from services.trainer.engines.interface import AdapterArtifact, Example, ParityReport
from services.trainer.engines.ladder import Dropout, Ladder
from services.trainer.engines.params import LadderParams
from services.trainer.engines.selection import LabelChoice
from services.trainer.reports.model import ScoredText


@dataclass(frozen=True, kw_only=True)
class Judged:
    """How the adapters do on a split.

    Attributes:
        choices: Per adapter, in their order: how to decode it, and how good that is.
        scores: By label, value or status.
    """

    choices: Sequence[LabelChoice]
    scores: Mapping[str, Score]


class Lesson(ABC):
    """One split as a task reads it.

    Attributes:
        items: What batches are made of; never cut.
        words: Words of one pass.
    """

    items: Sequence[Rows]
    words: int

    @abstractmethod
    def only(self, places: Sequence[int]) -> Lesson:
        """Return what the split teaches the adapters at these places alone."""

    @abstractmethod
    def losses(
        self, ladder: Ladder, items: Sequence[Rows], dropout: Dropout | None
    ) -> torch.Tensor:
        """Return each adapter's mean loss over a batch, [adapters]."""

    @abstractmethod
    def judge(self, ladder: Ladder) -> Judged:
        """Fit the decoding on this split and return how good it is."""


class Task(ABC):
    """What a run trains.

    Attributes:
        names: The adapters: the labels, the control, or ``assertion``; keys of the result.
        counted: What is counted: the labels, the values or the statuses, in order.
        classes: Classes of the adapters' logits, as their manifests name them.
        head: The adapters' head.
    """

    names: tuple[str, ...]
    counted: tuple[str, ...]
    classes: tuple[str, ...]
    head: Head

    def architecture(self, trunk: TrunkManifest, params: LadderParams) -> LadderArchitecture:
        """Return the shape of the adapters."""
        shape = LadderArchitecture(
            hidden_size=trunk.hidden_size,
            width=params.width,
            taps=tuple(range(trunk.taps)),
            context=params.context,
            features=FEATURE_COUNT,
        )
        return self.shaped(shape)

    @property
    @abstractmethod
    def title(self) -> str:
        """What is trained, for a log line."""

    @property
    @abstractmethod
    def tags(self) -> tuple[str, ...]:
        """Labels whose tags over words the splits need."""

    @property
    @abstractmethod
    def nothing(self) -> str:
        """What is wrong with a training split that has nothing for this task."""

    @abstractmethod
    def uses(self, example: Example) -> bool:
        """Return whether an example says anything about this task; others are left out."""

    @abstractmethod
    def shaped(self, ladder: LadderArchitecture) -> LadderArchitecture:
        """Return the shape with this task's head."""

    @abstractmethod
    def lesson(
        self,
        split: TextSplit,
        states: StateSource,
        architecture: LadderArchitecture,
        params: LadderParams,
    ) -> Lesson:
        """Read a split and what the trunk says; items have at most `batch_words` if cut."""

    @abstractmethod
    def network(self, architecture: LadderArchitecture, seed: int, train: Lesson) -> Ladder:
        """Return adapters with their first weights."""

    @abstractmethod
    def decoding(self, choice: LabelChoice) -> Decoding:
        """Return what an adapter's manifest says."""

    @abstractmethod
    def gold(self, example: Example) -> Iterable[Span]:
        """Return what an example's annotations say about this task."""

    @abstractmethod
    def notes(self, split: str, examples: Sequence[Example]) -> Iterable[str]:
        """Yield what a person should know about a split's annotations."""

    @abstractmethod
    def predict(
        self,
        weights: Sequence[AdapterWeights],
        split: Split,
        trunk: TrunkManifest,
        providers: Sequence[str],
    ) -> list[ScoredText]:
        """Return each text of a split with its gold and what the serving bank predicts.

        The states come from the cache. What is annotated but not counted is left out.
        """

    @abstractmethod
    def check_parity(
        self,
        adapters: Mapping[str, AdapterArtifact],
        *,
        reader: WordStateReader,
        providers: Sequence[str],
        examples: Sequence[Example],
        threads: int,
    ) -> ParityReport:
        """Compare torch with onnxruntime on real texts and a few odd ones."""


def add_gradients(
    lesson: Lesson, ladder: Ladder, parts: Sequence[Sequence[Rows]], dropout: Dropout
) -> float:
    """Add up the gradients of a batch's parts; returns the batch's mean loss.

    Every part counts by its words, so the sum is about what the whole batch gives at once.
    """
    words = sum(row.end - row.start for part in parts for row in part)
    total = 0.0
    for part in parts:
        share = sum(row.end - row.start for row in part) / words
        losses = lesson.losses(ladder, part, dropout) * share
        # A sum over labels: the gradient of each label's weights is that of its own loss.
        losses.sum().backward()  # type: ignore[no-untyped-call]
        total += float(losses.detach().mean())
    return total
