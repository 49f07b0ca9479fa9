"""Classification: one adapter per control, which answers for a whole text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.adapter import AdapterWeights
from services.common.modeling.class_decoding import chosen_classes, class_probabilities
from services.common.modeling.evaluation import Span
from services.common.modeling.heads import Decoding, Head
from services.common.modeling.manifest import LadderArchitecture, TrunkManifest
from services.common.modeling.onnx.pooled import PooledGroup
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
from services.trainer.engines.pooled_parity import check_choices_parity
from services.trainer.engines.pooled_selection import DEFAULT_THRESHOLD, UNKNOWN
from services.trainer.engines.pooled_task import PooledTask
from services.trainer.engines.selection import LabelChoice
from services.trainer.reports.model import ScoredText


class ChoicesTask(PooledTask):
    """The task of a request for a classification: the values of one control."""

    head = Head.CHOICES

    def __init__(self, control: str, values: Sequence[str], *, multiple: bool) -> None:
        """Train a control.

        Args:
            control: Its name.
            values: Its values.
            multiple: Whether several may be chosen at once.

        Raises:
            NoTrainingDataError: A single choice among fewer than two values.
        """
        super().__init__(control, values)
        self._multiple = multiple
        if not multiple and len(self.classes) < 2:
            raise NoTrainingDataError(
                f"control {control!r} needs at least two values in the training split: with "
                f"{list(values)} there is nothing to choose from"
            )

    @property
    def title(self) -> str:
        """The control and the number of its values."""
        kind = "multiple" if self._multiple else "single"
        return f"control {self.names[0]!r} ({len(self.classes)} values, {kind} choice)"

    @property
    def nothing(self) -> str:
        """What is wrong with a training split without values."""
        what = "a value" if self._multiple else "exactly one value"
        return f"no text of the training split has {what} of the control {self.names[0]!r}"

    def uses(self, example: Example) -> bool:
        """Return whether the text can be learned from.

        Of a single choice, texts without value or with several cannot; of a multiple choice, a
        text without value has none of them.
        """
        return self._multiple or len(set(example.choices)) == 1

    def lesson(
        self,
        split: TextSplit,
        states: StateSource,
        architecture: LadderArchitecture,
        params: LadderParams,
    ) -> PooledLesson:
        """Read a split: one answer per text; one longer than a batch is learned in parts."""
        groups: list[Group] = []
        targets: list[int] = []
        rows: list[NDArray[np.float32]] = []
        bounds = zip(split.offsets[:-1].tolist(), split.offsets[1:].tolist(), strict=True)
        for example, (start, end) in zip(split.examples, bounds, strict=True):
            values = set(example.choices)
            if start == end:
                continue
            answer = len(rows) if self._multiple else len(targets)
            if self._multiple:
                known = [self._place[value] for value in values if value in self._place]
                rows.append(np.isin(np.arange(len(self.classes)), known).astype(np.float32))
            else:
                targets.append(self._place.get(values.pop(), UNKNOWN))
            parts = -(-(end - start) // params.batch_words)
            borders = np.linspace(start, end, parts + 1).astype(int).tolist()
            groups.extend(
                Group(start=first, end=last, answer=answer, weight=(last - first) / (end - start))
                for first, last in pairwise(borders)
            )
        if self._multiple:
            shape = (len(rows), len(self.classes))
            table = np.asarray(rows, dtype=np.float32).reshape(shape)
            return self._lesson(split, states, architecture, params, groups, table)
        return self._lesson(
            split, states, architecture, params, groups, np.asarray(targets, dtype=np.int64)
        )

    def decoding(self, choice: LabelChoice) -> Decoding:
        """Return the scheme, and for a multiple choice the fitted thresholds."""
        if not self._multiple:
            return Decoding(scheme="single")
        default = (DEFAULT_THRESHOLD,) * len(self.classes)
        return Decoding(scheme="multiple", thresholds=choice.thresholds or default)

    def gold(self, example: Example) -> list[Span]:
        """Return the text's values; each spans all of it."""
        return [(0, len(example.text), value) for value in example.choices]

    def predict(
        self,
        weights: Sequence[AdapterWeights],
        split: Split,
        trunk: TrunkManifest,
        providers: Sequence[str],
    ) -> list[ScoredText]:
        """Return the annotated and the chosen values; each spans its whole text."""
        bank = self._bank(weights, trunk, providers)
        decoding = weights[0].manifest.decoding
        scored = []
        for index, example in enumerate(split.examples):
            inputs = split.inputs(int(split.offsets[index]), int(split.offsets[index + 1]))
            logits = bank.run([PooledGroup(inputs=inputs)])[0][0]
            chances = class_probabilities(logits, decoding.scheme)
            predicted = [
                (0, len(example.text), self.classes[column], float(chances[column]))
                for column in chosen_classes(chances, decoding)
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
        """Compare logits of texts and chosen values."""
        return check_choices_parity(
            adapters, reader=reader, providers=providers, examples=examples, threads=threads
        )

    def _odd(self, split: str, examples: Sequence[Example]) -> Iterator[str]:
        without = sum(not example.choices for example in examples)
        if without and self._multiple:
            yield f"{split}: {without} texts without a value count as having none of them"
        elif without:
            yield f"{split}: {without} texts without a value are left out"
        several = sum(len(set(example.choices)) > 1 for example in examples)
        if several and not self._multiple:
            yield f"{split}: {several} texts with several values of a single choice are left out"
