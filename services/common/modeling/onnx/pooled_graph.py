"""Builds the graph of pooled adapters: one answer per text or span instead of one per word.

The ladder is the one of ``bank_graph``. Then every class has an attention of its own over the words
of a group: a softmax of scores that are capped, so that it needs no maximum per group. Groups of
any length lie in one product, and what the segments of a long text give can be added up exactly.

Inputs beside those of ``bank_graph``: ``members`` [G, M], 1 where a row belongs to a group, and for
assertions ``marks`` [M, MARKS]. ``head_bias`` is left to ``pooled_logits``. Outputs: ``value`` and
``total``, [N, G, K]: per class the attention weights times the words' logits, and the weights, both
summed over the group's words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.heads import MARKS, Head
from services.common.modeling.manifest import LadderArchitecture
from services.common.modeling.onnx.bank_graph import Dimension, Graph, add_ladder, ladder_inputs

SCORE_CAP = 8.0
"""Attention scores lie between minus and plus this: e to the power of it is harmless in float32."""

NO_WORDS = 1e-9
"""Added to the sum of attention weights, so that a group without words gives zero, not NaN."""


def build_pooled_graph(architecture: LadderArchitecture, trunk_taps: int) -> bytes:
    """Return the serialised model.

    Args:
        architecture: Shape of the adapters, with a head for choices or assertions.
        trunk_taps: Number of taps in ``states``; the architecture's taps are picked from them.
    """
    graph = Graph()
    normed = add_ladder(graph, architecture, trunk_taps)
    cap = graph.floats("cap", np.asarray(SCORE_CAP, dtype=np.float32))
    score = graph.op("MatMul", normed, "pool_weight")
    score = graph.op("Mul", graph.op("Tanh", graph.op("Div", score, cap)), cap)
    weight = graph.op("Exp", score)
    value = graph.op("Mul", weight, graph.op("MatMul", normed, "head_weight"))
    graph.op("MatMul", "members", value, output="value")
    graph.op("MatMul", "members", weight, output="total")
    inputs = ladder_inputs(architecture, trunk_taps) | {"members": ["G", "M"]}
    del inputs["head_bias"]
    if architecture.head is Head.ASSERTION:
        inputs["marks"] = ["M", MARKS]
    shape: list[Dimension] = ["N", "G", architecture.classes]
    return graph.model("pooled", inputs, {"value": shape, "total": shape})


def pooled_logits(
    value: NDArray[np.float32], total: NDArray[np.float32], bias: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the logits from the graph's outputs; those of a group without words are `bias`."""
    return np.asarray(value / (total + np.float32(NO_WORDS)) + bias, dtype=np.float32)
