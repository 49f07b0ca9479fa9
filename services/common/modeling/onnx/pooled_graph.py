"""Builds the graph of pooled adapters: one answer per text or span instead of one per word.

The ladder is the one of ``bank_graph``. Then every class has an attention of its own over the words
of a group: a softmax, over the group's words, of scores that are capped, so that it needs no
maximum per group and groups of any length lie in one product. A group without words has the logits
``head_bias``.

Inputs beside those of ``bank_graph``: ``members`` [G, M], 1 where a row belongs to a group, and for
assertions ``marks`` [M, MARKS]. Output: ``logits`` [N, G, K].
"""

from __future__ import annotations

import numpy as np

from services.common.modeling.heads import MARKS, Head
from services.common.modeling.manifest import LadderArchitecture
from services.common.modeling.onnx.bank_graph import Graph, add_ladder, ladder_inputs

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
    total = graph.op("MatMul", "members", weight)
    tiny = graph.floats("no_words", np.asarray(NO_WORDS, dtype=np.float32))
    pooled = graph.op("Div", graph.op("MatMul", "members", value), graph.op("Add", total, tiny))
    graph.op("Add", pooled, "head_bias", output="logits")
    inputs = ladder_inputs(architecture, trunk_taps) | {"members": ["G", "M"]}
    if architecture.head is Head.ASSERTION:
        inputs["marks"] = ["M", MARKS]
    return graph.model("pooled", inputs, ["N", "G", architecture.classes])
