"""Builds the graph of pooled adapters: one answer per text or span instead of one per word.

The ladder is the one of ``bank_graph``. Then every class has an attention of its own over the words
of a group: a softmax of scores that are capped, so that it needs no maximum per group. Groups of
any length lie in one product, and what the segments of a long text give can be added up exactly.

The head of assertions adds what the mean over the words in the span says, so that it need not be
found by attention.

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
    total = graph.op("MatMul", "members", weight, output="total")
    if architecture.head is Head.ASSERTION:
        attended = graph.op("MatMul", "members", value)
        span = graph.op("MatMul", _span_mean(graph, normed), "span_weight")
        graph.op("Add", attended, graph.op("Mul", total, span), output="value")
    else:
        graph.op("MatMul", "members", value, output="value")
    inputs = ladder_inputs(architecture, trunk_taps) | {"members": ["G", "M"]}
    del inputs["head_bias"]
    if architecture.head is Head.ASSERTION:
        inputs["marks"] = ["M", MARKS]
    shape: list[Dimension] = ["N", "G", architecture.classes]
    return graph.model("pooled", inputs, {"value": shape, "total": shape})


def _span_mean(graph: Graph, normed: str) -> str:
    """Add the mean over the words in the span, [N, G, d]; zero for a span without words."""
    inside = graph.op(
        "Slice",
        "marks",
        graph.ints("inside_from", (0,)),
        graph.ints("inside_to", (1,)),
        graph.ints("marks_axis", (1,)),
    )
    inside = graph.op("Mul", "members", graph.op("Transpose", inside, perm=[1, 0]))
    count = graph.op("ReduceSum", inside, graph.ints("rows_axis", (1,)), keepdims=1)
    tiny = graph.floats("no_words", np.asarray(NO_WORDS, dtype=np.float32))
    return graph.op("Div", graph.op("MatMul", inside, normed), graph.op("Add", count, tiny))


def pooled_logits(
    value: NDArray[np.float32], total: NDArray[np.float32], bias: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the logits from the graph's outputs; those of a group without words are `bias`."""
    return np.asarray(value / (total + np.float32(NO_WORDS)) + bias, dtype=np.float32)
