"""Assertion: one adapter that answers for a given span."""

# ruff: noqa: ARG002 - signatures are those of the base class

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from services.common.modeling.adapter import AdapterWeights
from services.common.modeling.assertions import span_group, status_probabilities
from services.common.modeling.evaluation import Span
from services.common.modeling.heads import ASSERTION, Decoding, Head
from services.common.modeling.manifest import LadderArchitecture, TrunkManifest
from services.common.modeling.span_windows import span_words, window_words
from services.common.modeling.states import WordStateReader
from services.trainer.engines.batch import StateSource
from services.trainer.engines.dataset import Split, TextSplit
from services.trainer.engines.interface import (
    AdapterArtifact,
    Example,
    NoTrainingDataError,
    ParityReport,
)
from services.trainer.engines.params import LadderParams
from services.trainer.engines.pooled_lesson import Group, PooledLesson
from services.trainer.engines.pooled_parity import check_spans_parity
from services.trainer.engines.pooled_selection import UNKNOWN
from services.trainer.engines.pooled_task import PooledTask
from services.trainer.engines.selection import LabelChoice
from services.trainer.reports.model import ScoredText


class AssertionTask(PooledTask):
    """The task of a request for assertion: the status of given spans."""

    head = Head.ASSERTION

    def __init__(self, statuses: Sequence[str]) -> None:
        """Train these statuses.

        Raises:
            NoTrainingDataError: There are fewer than two.
        """
        super().__init__(ASSERTION, statuses)
        if len(self.classes) < 2:
            raise NoTrainingDataError(
                f"assertion needs spans of at least two statuses in the training split, not "
                f"{list(statuses)}"
            )

    @property
    def title(self) -> str:
        """The number of statuses."""
        return f"{len(self.classes)} assertion statuses"

    @property
    def nothing(self) -> str:
        """What is wrong with a training split without statuses."""
        return "no span of the training split has an assertion status"

    def uses(self, example: Example) -> bool:
        """Return whether any span has a status."""
        return bool(example.assertions)

    def lesson(
        self,
        split: TextSplit,
        states: StateSource,
        architecture: LadderArchitecture,
        params: LadderParams,
    ) -> PooledLesson:
        """Read a split: one answer per span with a status, from the words around it."""
        groups: list[Group] = []
        targets: list[int] = []
        for index, example in enumerate(split.examples):
            base, count = int(split.offsets[index]), len(split.texts[index].words)
            for start, end, status in sorted(set(example.assertions)):
                first, last = span_words(split.texts[index].words, start, end)
                begin, stop = window_words(first, last, count)
                if begin == stop:
                    continue
                groups.append(
                    Group(
                        start=base + begin,
                        end=base + stop,
                        answer=len(targets),
                        first=first - begin,
                        last=last - begin,
                    )
                )
                targets.append(self._place.get(status, UNKNOWN))
        return self._lesson(
            split, states, architecture, params, groups, np.asarray(targets, dtype=np.int64)
        )

    def decoding(self, choice: LabelChoice) -> Decoding:
        """Return the scheme: exactly one status."""
        return Decoding(scheme="single")

    def gold(self, example: Example) -> list[Span]:
        """Return the spans with their status."""
        return list(example.assertions)

    def predict(
        self,
        weights: Sequence[AdapterWeights],
        split: Split,
        trunk: TrunkManifest,
        providers: Sequence[str],
    ) -> list[ScoredText]:
        """Return the spans with their annotated and their most probable status."""
        bank = self._bank(weights, trunk, providers)
        scored = []
        for index, example in enumerate(split.examples):
            extents = sorted({(start, end) for start, end, _ in example.assertions})
            words = split.texts[index].words
            inputs = split.inputs(int(split.offsets[index]), int(split.offsets[index + 1]))
            groups = [span_group(inputs, *span_words(words, *extent)) for extent in extents]
            chances = status_probabilities(bank, groups)
            best = np.argmax(chances, axis=1).tolist()
            predicted = [
                (start, end, self.classes[column], float(chances[row, column]))
                for row, ((start, end), column) in enumerate(zip(extents, best, strict=True))
            ]
            scored.append(self._scored(example, predicted))
        return scored

    def check_parity(
        self,
        adapters: Mapping[str, AdapterArtifact],
        *,
        reader: WordStateReader,
        providers: Sequence[str],
        examples: Sequence[Example],
        threads: int,
    ) -> ParityReport:
        """Compare logits of spans and their most probable status."""
        return check_spans_parity(
            adapters, reader=reader, providers=providers, examples=examples, threads=threads
        )

    def _odd(self, split: str, examples: Sequence[Example]) -> Iterator[str]:
        several = 0
        for example in examples:
            extents = {(start, end) for start, end, _ in example.assertions}
            several += len(set(example.assertions)) - len(extents)
        if several:
            yield f"{split}: {several} spans have more than one status"
