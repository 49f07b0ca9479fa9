"""The ladder: small side networks, one per label, that read a frozen trunk's taps.

Every parameter has a leading label dimension and no product mixes labels, so all labels train in
one pass and each is what it would be if it were trained alone. The serving twin of ``forward`` is
``services.common.modeling.onnx.bank_graph``; the parity check holds the two together.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from services.common.modeling.manifest import Head, LadderArchitecture
from services.common.modeling.onnx.bank_graph import NORM_EPSILON

# Values in the pool that masks of taps are cut from: four to forty steps' worth.
_POOL = 1 << 23

# Most words are outside of everything: starting there saves the first steps.
_OUTSIDE_PRIOR = 3.0


class Ladder(torch.nn.Module):
    """Adapters of several labels, trained together and independently."""

    def __init__(self, architecture: LadderArchitecture, labels: Sequence[str], seed: int) -> None:
        """Draw the first weights of each label from a generator of its own.

        Args:
            architecture: Shape of every label's adapter.
            labels: The labels; their names and `seed` alone decide the first weights.
            seed: The run's seed.
        """
        super().__init__()
        self.architecture = architecture
        self.labels = tuple(labels)
        drawn = [_first_weights(architecture, label, seed) for label in labels]
        for name in architecture.tensor_shapes():
            stacked = torch.stack([weights[name] for weights in drawn])
            self.register_parameter(name, torch.nn.Parameter(stacked))

    def weight(self, name: str) -> torch.Tensor:
        """Return a parameter by its name in the adapter, with leading label dimension."""
        return self.get_parameter(name)

    def forward(
        self,
        states: torch.Tensor,
        features: torch.Tensor,
        mask: torch.Tensor,
        dropout: Dropout | None = None,
    ) -> torch.Tensor:
        """Return B/I/O logits, [labels, rows, 3].

        Args:
            states: The architecture's taps of packed words, [taps, rows, hidden_size].
            features: Word features, [rows, features].
            mask: 1 for words, 0 for rows between texts, [rows, 1].
            dropout: The step's dropout; None outside training.
        """
        normed = self.body(states, features, mask, dropout)
        return torch.baddbmm(self.weight("head_bias")[:, None], normed, self.weight("head_weight"))

    def body(
        self,
        states: torch.Tensor,
        features: torch.Tensor,
        mask: torch.Tensor,
        dropout: Dropout | None,
        marks: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the normed last state below the head, [labels, rows, width].

        Takes what ``forward`` takes, and for assertions the marks of the words, [rows, MARKS].
        """
        shape = self.architecture
        labels, rungs, width = len(self.labels), len(shape.taps), shape.width
        rows = states.shape[1]
        if dropout is not None:
            states = dropout.on_taps(states)
        tap_bias, context_bias = self._by_rung("tap_bias"), self._by_rung("context_bias")
        context_weight, mix_weight = self._by_rung("context_weight"), self._by_rung("mix_weight")
        weight = self.weight("tap_weight").permute(1, 2, 0, 3).reshape(rungs, shape.hidden_size, -1)
        taps = torch.bmm(states, weight).view(rungs, rows, labels, width).transpose(1, 2).unbind()
        state = torch.einsum("mf,nfd->nmd", features, self.weight("feature_weight"))
        for rung in range(rungs):
            state = state + taps[rung] + tap_bias[rung][:, None]
            if marks is not None:
                state = state + torch.matmul(marks, self.weight("marker_weight")[:, rung])
            normed = functional.layer_norm(state, (width,), eps=NORM_EPSILON) * mask
            if shape.context:
                padded = functional.pad(normed, (0, 0, shape.context, shape.context))
                shifts = range(2 * shape.context + 1)
                normed = torch.cat([padded[:, i : i + rows] for i in shifts], dim=-1)
            hidden = torch.baddbmm(context_bias[rung][:, None], normed, context_weight[rung])
            hidden = functional.gelu(hidden)
            if dropout is not None:
                hidden = dropout.on_hidden(hidden)
            state = state + torch.bmm(hidden, mix_weight[rung])
        return functional.layer_norm(state, (width,), eps=NORM_EPSILON)

    def _by_rung(self, name: str) -> tuple[torch.Tensor, ...]:
        """Return a parameter's rungs, each with leading label dimension.

        All at once: the gradient of a single index fills zeros for all the others.
        """
        return self.weight(name).unbind(1)

    def label_tensors(self, index: int) -> dict[str, NDArray[np.float32]]:
        """Return one label's weights as its adapter stores them."""
        return {
            name: np.ascontiguousarray(parameter.detach()[index].cpu().numpy())
            for name, parameter in self.named_parameters()
        }

    def narrow(self, places: Sequence[int]) -> None:
        """Keep the labels at these places alone; the parameters become other tensors."""
        self.labels = tuple(self.labels[place] for place in places)
        for name, parameter in list(self.named_parameters()):
            kept = parameter.detach()[list(places)].clone()
            self.register_parameter(name, torch.nn.Parameter(kept))

    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Copy weights with leading label dimension into the parameters."""
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                parameter.copy_(tensors[name])


class Dropout:
    """One step's dropout. The masks are the same for every label.

    They follow from seed and step alone: a resumed run draws the same ones, and a label sees the
    same ones in any company.
    """

    def __init__(self, *, taps: float, hidden: float, seed: int, step: int) -> None:
        """Drop these shares of the taps' values and of the rungs' hidden values."""
        self._taps = taps
        self._hidden = hidden
        # numpy's generator: torch's would take half of a step's time.
        self._generator = np.random.Generator(np.random.SFC64(_number("dropout", seed, step)))

    def on_taps(self, states: torch.Tensor) -> torch.Tensor:
        """Drop single values of the taps, [taps, rows, hidden_size].

        States that need no gradient are changed in place.
        """
        if not self._taps:
            return states
        taps, rows, hidden_size = states.shape
        # By words, as cached states lie in memory.
        mask = self._pooled(states.numel(), _kept(self._taps)).view(rows, taps, hidden_size)
        mask = mask.transpose(0, 1).to(states.device)
        return states * mask if states.requires_grad else states.mul_(mask)

    def on_hidden(self, hidden: torch.Tensor) -> torch.Tensor:
        """Drop single values of a rung, [labels, rows, width]."""
        share, device = self._hidden, hidden.device
        return hidden * self._mask(hidden.shape[1:], share, device) if share else hidden

    def _mask(self, shape: torch.Size, share: float, device: torch.device) -> torch.Tensor:
        kept = _kept(share)
        mask = _mask_values(self._generator.bytes(math.prod(shape)), kept)
        return mask.view(shape).to(device)

    def _pooled(self, count: int, kept: int) -> torch.Tensor:
        """Return so many values of a mask, cut from a pool at places of the step's own."""
        pool = _pool(kept)
        cuts = []
        while count:
            length = min(count, _POOL // 2)
            start = int(self._generator.integers(_POOL - length))
            cuts.append(pool[start : start + length])
            count -= length
        return cuts[0] if len(cuts) == 1 else torch.cat(cuts)


def _kept(share: float) -> int:
    """Return how many of 256 values are kept: shares are rounded to 1/256."""
    return max(round((1.0 - share) * 256), 1)


def _mask_values(drawn: bytes, kept: int) -> torch.Tensor:
    mask = (np.frombuffer(drawn, dtype=np.uint8) < kept).astype(np.float32)
    mask *= 256.0 / kept
    return torch.from_numpy(mask)


@lru_cache(maxsize=2)
def _pool(kept: int) -> torch.Tensor:
    """Return values of masks, float32 [_POOL]. Drawing anew would take half of a step's time."""
    return _mask_values(np.random.Generator(np.random.SFC64(kept)).bytes(_POOL), kept)


def _first_weights(
    architecture: LadderArchitecture, label: str, seed: int
) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(_number("weights", seed, label))
    weights = {}
    for name, shape in architecture.tensor_shapes().items():
        if name.endswith("_bias"):
            weights[name] = torch.zeros(shape)
        else:
            drawn = torch.randn(shape, generator=generator)
            # A small last product keeps the rungs near the identity at first.
            gain = 0.5 if name == "mix_weight" else 1.0
            weights[name] = drawn * (gain / math.sqrt(shape[-2]))
    if architecture.head is Head.TAGS:
        weights["head_bias"][2] = _OUTSIDE_PRIOR
    return weights


def _number(*parts: object) -> int:
    data = "/".join(str(part) for part in parts).encode()
    return int.from_bytes(hashlib.sha256(data).digest()[:7], "big")
