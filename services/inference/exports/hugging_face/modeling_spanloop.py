"""The model: a trunk whose hidden states are read by one side network ("ladder") per label.

There is no linear head over the last hidden state: a word's label follows from the states of all
layers, its neighbours and its shape. So ``forward`` takes, beside the windows of a text, where its
words stand in them and their features, as ``spanloop_word_feeds`` makes them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, PreTrainedModel
from transformers.modeling_outputs import TokenClassifierOutput

from services.inference.exports.hugging_face.configuration_spanloop import SpanloopConfig

_NORM_EPSILON = 1e-5
_UNSEEN = (0.0, 0.0, 50.0)


class Ladder(nn.Module):
    """The side network of one label."""

    def __init__(self, shape: dict[str, Any]) -> None:
        """Make room for the weights."""
        super().__init__()
        self.taps: list[int] = shape["taps"]
        self.context: int = shape["context"]
        self.outside_bias: float = shape["outside_bias"]
        for name, size in shape["tensors"].items():
            self.register_parameter(name, nn.Parameter(torch.empty(size)))

    def forward(
        self, states: torch.Tensor, features: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """Return the logits of B, I and O with the fitted bias, [words, 3]."""
        weight = self.get_parameter
        words = len(mask)
        state = features @ weight("feature_weight")
        for rung, tap in enumerate(self.taps):
            seen = states[tap] @ weight("tap_weight")[rung] + weight("tap_bias")[rung]
            state = state + seen
            normed = functional.layer_norm(state, state.shape[-1:], eps=_NORM_EPSILON) * mask
            padded = functional.pad(normed, (0, 0, self.context, self.context))
            shifts = range(2 * self.context + 1)
            near = torch.cat([padded[shift : shift + words] for shift in shifts], dim=-1)
            hidden = near @ weight("context_weight")[rung] + weight("context_bias")[rung]
            state = state + functional.gelu(hidden) @ weight("mix_weight")[rung]
        last = functional.layer_norm(state, state.shape[-1:], eps=_NORM_EPSILON)
        logits = last @ weight("head_weight") + weight("head_bias")
        logits = torch.where(mask > 0, logits, logits.new_tensor(_UNSEEN))
        return logits + logits.new_tensor([0.0, 0.0, self.outside_bias])


class SpanloopForTokenClassification(PreTrainedModel):
    """Trunk and ladders."""

    config_class = SpanloopConfig
    # The pooler's output is not read, and was not exported.
    _keys_to_ignore_on_load_missing = [r"trunk\.pooler\..*"]  # noqa: RUF012

    def __init__(self, config: SpanloopConfig) -> None:
        """Build it from its configuration."""
        super().__init__(config)
        trunk = AutoConfig.for_model(**config.trunk)
        self.trunk = AutoModel.from_config(trunk, attn_implementation="eager")
        self.ladders = nn.ModuleList(Ladder(shape) for shape in config.ladders)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Leave everything as it is: all weights are loaded."""

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        first: torch.Tensor,
        last: torch.Tensor,
        features: torch.Tensor,
        mask: torch.Tensor,
        **_: Any,
    ) -> TokenClassifierOutput:
        """Return the logits of B, I and O of one text's words, [labels, words, 3].

        Args:
            input_ids: The text's windows, [windows, length].
            attention_mask: 1 for pieces, 0 for padding.
            first: Where each word's first piece stands in the windows laid one after the other.
            last: Where its last piece stands.
            features: Its features, [words, features].
            mask: 1 for words that have pieces, [words, 1].
        """
        found = self.trunk(
            input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True
        ).hidden_states
        size = found[0].shape[-1:]
        taps = [functional.layer_norm(state, size).flatten(0, 1) for state in found]
        states = torch.stack([0.5 * (tap[first] + tap[last]) * mask for tap in taps])
        logits = torch.stack([ladder(states, features, mask) for ladder in self.ladders])
        return TokenClassifierOutput(logits=logits)
