"""The ladder with a pooled head: one answer per text or span.

The serving twin of ``sums`` is ``services.common.modeling.onnx.pooled_graph``.
"""

from __future__ import annotations

import torch

from services.common.modeling.onnx.pooled_graph import NO_WORDS, SCORE_CAP
from services.trainer.engines.ladder import Dropout, Ladder


class PooledLadder(Ladder):
    """Adapters with heads for choices or assertions."""

    def sums(
        self,
        states: torch.Tensor,
        features: torch.Tensor,
        mask: torch.Tensor,
        members: torch.Tensor,
        marks: torch.Tensor | None = None,
        dropout: Dropout | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ``value`` and ``total`` of groups of words, each [labels, groups, classes].

        Args:
            states: The architecture's taps of packed words, [taps, rows, hidden_size].
            features: Word features, [rows, features].
            mask: 1 for words, 0 for rows between groups, [rows, 1].
            members: 1 where a row belongs to a group, [groups, rows].
            marks: For assertions: where each word stands to its span, [rows, MARKS].
            dropout: The step's dropout; None outside training.
        """
        normed = self.body(states, features, mask, dropout, marks)
        score = torch.bmm(normed, self.weight("pool_weight"))
        weight = torch.exp(torch.tanh(score / SCORE_CAP) * SCORE_CAP)
        value = weight * torch.bmm(normed, self.weight("head_weight"))
        value, total = torch.matmul(members, value), torch.matmul(members, weight)
        if marks is not None:
            inside = members * marks[:, 0]
            mean = torch.matmul(inside, normed) / (inside.sum(dim=1, keepdim=True) + NO_WORDS)
            value = value + total * torch.matmul(mean, self.weight("span_weight"))
        return value, total

    def logits(self, value: torch.Tensor, total: torch.Tensor) -> torch.Tensor:
        """Return the logits from ``sums``, [labels, groups, classes]."""
        return value / (total + NO_WORDS) + self.weight("head_bias")[:, None]
