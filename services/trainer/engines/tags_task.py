"""NER: one adapter per label, B/I/O of every word."""

# ruff: noqa: ARG002 - signatures are those of the base class

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from services.common.modeling.adapter import AdapterWeights
from services.common.modeling.evaluation import Span
from services.common.modeling.heads import Decoding, Head
from services.common.modeling.manifest import LadderArchitecture, TrunkManifest
from services.common.modeling.states import WordStateReader
from services.trainer.engines.batch import Batch, StateSource, pack_batch
from services.trainer.engines.dataset import Rows, Split, TextSplit, text_rows
from services.trainer.engines.interface import AdapterArtifact, Example, ParityReport
from services.trainer.engines.ladder import Dropout, Ladder
from services.trainer.engines.params import LadderParams
from services.trainer.engines.parity import check_parity
from services.trainer.engines.scoring import predict_split
from services.trainer.engines.selection import LabelChoice, choose_bias, label_gold
from services.trainer.engines.task import Judged, Lesson, Task
from services.trainer.reports.model import ScoredText

_EVALUATION_WORDS = 1024
# What an opinion counts beside the annotation: docs/adr/0015.
_OPINION = 0.5


class TagsTask(Task):
    """The task of a request for NER."""

    head = Head.TAGS
    classes = ()

    def __init__(self, labels: Sequence[str]) -> None:
        """Train these labels."""
        self.names = self.counted = tuple(labels)

    @property
    def title(self) -> str:
        """The number of labels."""
        return f"{len(self.names)} labels"

    @property
    def tags(self) -> tuple[str, ...]:
        """The labels."""
        return self.names

    @property
    def nothing(self) -> str:
        """What is wrong with a training split without words."""
        return "the training split has no text with a word"

    def uses(self, example: Example) -> bool:
        """Return True: a text without spans teaches what is outside of them."""
        return True

    def shaped(self, ladder: LadderArchitecture) -> LadderArchitecture:
        """Return the shape as it is."""
        return ladder

    def lesson(
        self,
        split: TextSplit,
        states: StateSource,
        architecture: LadderArchitecture,
        params: LadderParams,
    ) -> TagsLesson:
        """Read a split; longer texts in pieces of `batch_words`."""
        return TagsLesson(split, states, architecture, self.names, params.batch_words)

    def network(self, architecture: LadderArchitecture, seed: int, train: Lesson) -> Ladder:
        """Return adapters with their first weights; the data has no part in them."""
        return Ladder(architecture, self.names, seed)

    def decoding(self, choice: LabelChoice) -> Decoding:
        """Return the fitted bias of O."""
        return Decoding(outside_bias=choice.bias)

    def gold(self, example: Example) -> Iterable[Span]:
        """Return the spans."""
        return example.spans

    def notes(self, split: str, examples: Sequence[Example]) -> Iterator[str]:
        """Say which labels have nothing to learn from."""
        learned = {label for example in examples for _, _, label in example.spans}
        for label in self.names:
            if split == "train" and label not in learned:
                yield f"train: no span of {label}; it will find nothing"

    def predict(
        self,
        weights: Sequence[AdapterWeights],
        split: Split,
        trunk: TrunkManifest,
        providers: Sequence[str],
    ) -> list[ScoredText]:
        """Return the annotated and the predicted spans."""
        return predict_split(weights, split, trunk, providers)

    def check_parity(
        self,
        adapters: Mapping[str, AdapterArtifact],
        *,
        reader: WordStateReader,
        providers: Sequence[str],
        examples: Sequence[Example],
        threads: int,
    ) -> ParityReport:
        """Compare logits of words and decoded spans."""
        return check_parity(
            adapters,
            reader=reader,
            providers=providers,
            texts=[example.text for example in examples],
            threads=threads,
        )


class TagsLesson(Lesson):
    """A split with its tags."""

    def __init__(
        self,
        split: TextSplit,
        states: StateSource,
        architecture: LadderArchitecture,
        labels: Sequence[str],
        limit: int,
    ) -> None:
        """Read a split whose tags are those of `labels`, in their order."""
        self.items = text_rows(split, limit)
        self.words = split.words
        self._split = split
        self._states = states
        self._labels = tuple(labels)
        self._tags = split.tags
        self._opinions = split.opinions if isinstance(split, Split) else None
        self._gap = architecture.context
        self._taps = list(architecture.taps)
        self._gold = label_gold(split, labels)

    def only(self, places: Sequence[int]) -> TagsLesson:
        """Return the lesson of some of the labels."""
        lesson = copy.copy(self)
        lesson._labels = tuple(self._labels[place] for place in places)
        lesson._tags = self._tags[list(places)]
        if self._opinions is not None:
            lesson._opinions = self._opinions[list(places)]
        lesson._gold = [self._gold[place] for place in places]
        return lesson

    def losses(
        self, ladder: Ladder, items: Sequence[Rows], dropout: Dropout | None
    ) -> torch.Tensor:
        """Return each label's mean cross-entropy over its words, [labels].

        Where there are opinions, it is that with the mean of annotation and opinion.
        """
        batch, tags = self._batch(items)
        logits = ladder(batch.states, batch.features, batch.mask, dropout)
        losses = _label_losses(logits, tags)
        if self._opinions is None:
            return losses
        opinions = self._opinions_of(batch, self._opinions)
        return (1 - _OPINION) * losses + _OPINION * _opinion_losses(logits, tags, opinions)

    def probabilities(self, ladder: Ladder) -> NDArray[np.float32]:
        """Return what adapters say of each word of the split, float32 [labels, words, 3]."""
        logits, _ = self._logits(ladder)
        return functional.softmax(torch.from_numpy(logits), dim=-1).numpy()

    def judge(self, ladder: Ladder) -> Judged:
        """Fit each label's bias of O and return how good it is."""
        logits, losses = self._logits(ladder)
        ends = self._split.offsets[1:]
        choices = [
            choose_bias(logits[index], gold, ends, float(losses[index]))
            for index, gold in enumerate(self._gold)
        ]
        scores = {label: choice.score for label, choice in zip(self._labels, choices, strict=True)}
        return Judged(choices=choices, scores=scores)

    def _batch(self, rows: Sequence[Rows]) -> tuple[Batch, torch.Tensor]:
        """Return packed stretches and their tags, int64 [labels, packed rows].

        Rows in gaps and words that the trunk never saw have the tag -1: not learned from.
        """
        batch = pack_batch(self._split, self._states, rows, gap=self._gap, taps=self._taps)
        source = batch.layout.source
        tags = np.full((len(self._labels), len(source)), -1, dtype=np.int64)
        real = np.flatnonzero(source >= 0)
        seen = real[self._split.present[source[real]]]
        tags[:, seen] = self._tags[:, source[seen]]
        return batch, torch.from_numpy(tags).to(self._states.device)

    def _opinions_of(self, batch: Batch, opinions: NDArray[np.float32]) -> torch.Tensor:
        """Return the opinions on packed rows, float32 [labels, packed rows, 3]; 0 in gaps."""
        source = batch.layout.source
        found = np.zeros((len(opinions), len(source), 3), dtype=np.float32)
        real = np.flatnonzero(source >= 0)
        found[:, real] = opinions[:, source[real]]
        return torch.from_numpy(found).to(self._states.device)

    def _logits(self, ladder: Ladder) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        split = self._split
        logits = np.zeros((len(self._labels), split.words, 3), dtype=np.float32)
        losses = np.zeros(len(self._labels))
        batch: list[Rows] = []
        batches = [batch]
        size = 0
        for item in text_rows(split, _EVALUATION_WORDS):
            if batch and size + item.end - item.start > _EVALUATION_WORDS:
                batch, size = [], 0
                batches.append(batch)
            batch.append(item)
            size += item.end - item.start
        for batch in batches:
            if not batch:
                continue
            with torch.inference_mode():
                packed, tags = self._batch(batch)
                found = ladder(packed.states, packed.features, packed.mask)
                weight = sum(item.end - item.start for item in batch) / split.words
                losses += _label_losses(found, tags).cpu().numpy() * weight
            real = packed.layout.source >= 0
            logits[:, packed.layout.source[real]] = found.cpu().numpy()[:, real]
        return logits, losses


def _label_losses(logits: torch.Tensor, tags: torch.Tensor) -> torch.Tensor:
    """Return each label's mean cross-entropy over its words, [labels]; tag -1 is left out."""
    losses = functional.cross_entropy(
        logits.transpose(1, 2), tags, ignore_index=-1, reduction="none"
    )
    return losses.sum(dim=1) / (tags >= 0).sum(dim=1).clamp(min=1)


def _opinion_losses(
    logits: torch.Tensor, tags: torch.Tensor, opinions: torch.Tensor
) -> torch.Tensor:
    """Return each label's mean cross-entropy with opinions, [labels]; tag -1 is left out."""
    losses = -(opinions * functional.log_softmax(logits, dim=-1)).sum(dim=-1)
    learned = tags >= 0
    return (losses * learned).sum(dim=1) / learned.sum(dim=1).clamp(min=1)
