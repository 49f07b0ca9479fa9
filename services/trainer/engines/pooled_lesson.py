"""What a split teaches a classification or an assertion: groups of words with one answer each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from services.common.modeling.heads import MARKS, Head
from services.common.modeling.manifest import LadderArchitecture
from services.common.modeling.onnx.pooled_graph import pooled_logits
from services.common.modeling.span_windows import span_marks
from services.trainer.engines.batch import StateSource, pack_batch
from services.trainer.engines.dataset import Rows, TextSplit
from services.trainer.engines.ladder import Dropout, Ladder
from services.trainer.engines.params import LadderParams
from services.trainer.engines.pooled_ladder import PooledLadder
from services.trainer.engines.pooled_selection import UNKNOWN, judge_multiple, judge_single
from services.trainer.engines.task import Judged, Lesson

_EVALUATION_WORDS = 4096
# A class that no example has would have a prior of minus infinity.
_LEAST_SHARE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Group(Rows):
    """Rows ``[start, end)`` of a split that share an answer.

    Attributes:
        answer: Position of the answer among the lesson's targets.
        weight: Share of the answer's words: less than 1 for a part of a long text.
        first: For assertions: the span's first row, counted from `start`.
        last: Row past its last.
    """

    answer: int
    weight: float = 1.0
    first: int = 0
    last: int = 0


class PooledLesson(Lesson):
    """A split with its groups and what they should answer."""

    def __init__(
        self,
        split: TextSplit,
        states: StateSource,
        architecture: LadderArchitecture,
        params: LadderParams,
        groups: Sequence[Group],
        targets: NDArray[np.int64] | NDArray[np.float32],
        classes: Sequence[str],
        support: NDArray[np.int64],
    ) -> None:
        """Read a split.

        Args:
            split: The words.
            states: What the trunk says about them.
            architecture: Shape of the adapter.
            params: Of the run; its label smoothing is for answers of exactly one class.
            groups: The groups, as its items.
            targets: The right class per answer or ``UNKNOWN``, int64 [answers]; for several
                classes 1 for the right ones, float32 [answers, classes].
            classes: Names of the classes.
            support: Right answers of each class in the split, also of those that have no words.
        """
        self.items = groups
        self.words = sum(group.end - group.start for group in groups)
        self.targets = targets
        self._split = split
        self._states = states
        self._architecture = architecture
        self._smoothing = params.label_smoothing
        self._groups = groups
        self._classes = tuple(classes)
        self._support = support

    @property
    def multiple(self) -> bool:
        """Whether an answer has any number of classes."""
        return self.targets.ndim == 2

    def prior(self) -> torch.Tensor:
        """Return the logits that the answers' shares of the classes make, [classes]."""
        if self.multiple:
            shares = torch.from_numpy(self.targets.mean(axis=0))
            return torch.logit(shares.float(), eps=_LEAST_SHARE)
        known = self.targets[self.targets != UNKNOWN]
        counts = np.bincount(known.astype(np.int64), minlength=len(self._classes))
        shares = torch.from_numpy(counts / max(len(known), 1))
        return torch.log(shares.float().clamp(min=_LEAST_SHARE))

    def only(self, places: Sequence[int]) -> PooledLesson:  # noqa: ARG002 - see `Lesson`
        """Return the lesson itself: it has one adapter."""
        return self

    def losses(
        self, ladder: Ladder, items: Sequence[Rows], dropout: Dropout | None
    ) -> torch.Tensor:
        """Return the adapter's mean loss over the groups, [1]; parts of texts count in part."""
        groups = _as_groups(items)
        value, total = self._sums(ladder, groups, dropout)
        logits = _network(ladder).logits(value, total)[0]
        answers = np.asarray([group.answer for group in groups])
        weights = torch.tensor([group.weight for group in groups], dtype=torch.float32)
        weights = weights.to(logits.device)
        targets = torch.from_numpy(self.targets[answers]).to(logits.device)
        if self.multiple:
            each = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
            losses = each.sum(dim=1)
        else:
            losses = functional.cross_entropy(
                logits,
                targets,
                ignore_index=UNKNOWN,
                reduction="none",
                label_smoothing=self._smoothing,
            )
        return ((losses * weights).sum() / weights.sum())[None]

    def judge(self, ladder: Ladder) -> Judged:
        """Fit thresholds, if there are any, on this split and return how good the answers are."""
        shape = (len(self.targets), len(self._classes))
        values, totals = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        with torch.inference_mode():
            for batch in _batches(self._groups):
                value, total = self._sums(ladder, batch, None)
                # The parts of a long text add up, as they do in serving.
                answers = [group.answer for group in batch]
                np.add.at(values, answers, value[0].cpu().numpy())
                np.add.at(totals, answers, total[0].cpu().numpy())
        bias = ladder.weight("head_bias").detach()[0].cpu().numpy()
        logits = pooled_logits(values, totals, bias)
        if self.multiple:
            return judge_multiple(logits, self.targets.astype(np.float32), self._classes)
        targets = self.targets.astype(np.int64)
        return judge_single(
            logits, targets, self._classes, self._support, smoothed=self._smoothing > 0
        )

    def _sums(
        self, ladder: Ladder, groups: Sequence[Group], dropout: Dropout | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        shape = self._architecture
        batch = pack_batch(self._split, self._states, groups, gap=shape.context, taps=shape.taps)
        layout = batch.layout
        members = np.zeros((len(groups), len(layout.source)), dtype=np.float32)
        marks = np.zeros((len(layout.source), MARKS), dtype=np.float32)
        asserting = shape.head is Head.ASSERTION
        for row, (group, start) in enumerate(zip(groups, layout.starts, strict=True)):
            rows = slice(start, start + layout.counts[row])
            members[row, rows] = self._split.present[group.start : group.end]
            if asserting:
                marks[rows] = span_marks(layout.counts[row], group.first, group.last)
        device = self._states.device
        return _network(ladder).sums(
            batch.states,
            batch.features,
            batch.mask,
            torch.from_numpy(members).to(device),
            torch.from_numpy(marks).to(device) if asserting else None,
            dropout,
        )


def _network(ladder: Ladder) -> PooledLadder:
    if not isinstance(ladder, PooledLadder):
        raise TypeError("a pooled lesson teaches pooled ladders")
    return ladder


def _as_groups(items: Sequence[Rows]) -> list[Group]:
    return [item for item in items if isinstance(item, Group)]


def _batches(groups: Sequence[Group]) -> list[list[Group]]:
    batches: list[list[Group]] = []
    size = _EVALUATION_WORDS
    for group in groups:
        length = group.end - group.start
        if size + length > _EVALUATION_WORDS:
            batches.append([])
            size = 0
        batches[-1].append(group)
        size += length
    return batches
