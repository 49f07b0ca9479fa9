"""One graph of a trunk and the adapters of a model version; see ``fused_graph`` for its inputs.

Of tags: ``probabilities`` [N, M, 3] of B, I and O for each label and word, fitted bias included.

Of choices: ``members`` [G, M] says which words each of G texts has (1) or not. The classes of all
controls stand one after the other, C in all. ``value`` and ``total`` [G, C] are sums over words; a
text that is read in several runs hands those of the run before in as ``value_before`` and
``total_before``, the first hands in zeros. ``probabilities`` [G, C] are those of the words up to
now: of a single choice they add up to 1, of a multiple choice each stands for itself.

Of assertions: ``members`` [G, M] says which words decide each of G spans, ``marks`` [M, 3] where
they stand to it: in, before, behind. ``probabilities`` [G, K] of the statuses.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from services.common.modeling.adapter import AdapterWeights
from services.common.modeling.manifest import Head, TrunkManifest
from services.common.modeling.onnx.bank import check_adapters
from services.common.modeling.onnx.bank_graph import Dimension, build_bank_graph
from services.common.modeling.onnx.fused_graph import FusedGraph
from services.common.modeling.onnx.pooled_graph import NO_WORDS, build_pooled_graph
from services.common.modeling.predictor import UNSEEN

OUTPUT = "probabilities"


def fuse(
    trunk: TrunkManifest, trunk_model: bytes, adapters: Sequence[AdapterWeights]
) -> onnx.ModelProto:
    """Return the fused graph; labels and controls stand in the order of the adapters.

    Args:
        trunk: The trunk's manifest.
        trunk_model: The trunk's graph.
        adapters: At least one, all with the same head; for assertions exactly one.

    Raises:
        ManifestError: The adapters do not fit the trunk, or its graph cannot be joined with theirs.
    """
    head = adapters[0].manifest.architecture.head
    check_adapters(trunk, adapters, head)
    build = build_bank_graph if head is Head.TAGS else build_pooled_graph
    graph = FusedGraph(trunk, trunk_model, adapters, build)
    match head:
        case Head.TAGS:
            return _tags(graph, adapters)
        case Head.CHOICES:
            return _choices(graph, adapters)
        case Head.ASSERTION:
            return _assertion(graph, adapters[0])


def _tags(graph: FusedGraph, adapters: Sequence[AdapterWeights]) -> onnx.ModelProto:
    logits = graph.op("Concat", *(bank.outputs[0] for bank in graph.banks), axis=0)
    order = np.argsort([place for bank in graph.banks for place in bank.members])
    logits = graph.op("Gather", logits, graph.constant("order", order.astype(np.int64)), axis=0)
    seen = graph.op("Cast", "mask", to=TensorProto.BOOL)
    logits = graph.op("Where", seen, logits, graph.constant("unseen", UNSEEN))
    bias = np.zeros((len(adapters), 1, 3), dtype=np.float32)
    bias[:, 0, 2] = [adapter.manifest.decoding.outside_bias for adapter in adapters]
    shifted = graph.op("Add", logits, graph.constant("bias", bias))
    graph.op("Softmax", shifted, output=OUTPUT, axis=-1)
    return graph.model({OUTPUT: [len(adapters), "M", 3]})


def _choices(graph: FusedGraph, adapters: Sequence[AdapterWeights]) -> onnx.ModelProto:
    sizes = [len(adapter.manifest.classes) for adapter in adapters]
    sums = {"value": [""] * len(adapters), "total": [""] * len(adapters)}
    for bank in graph.banks:
        for name, output in zip(sums, bank.outputs, strict=True):
            for row, place in enumerate(bank.members):
                index = graph.constant(f"{name}_row{place}", np.asarray(row, dtype=np.int64))
                sums[name][place] = graph.op("Gather", output, index, axis=0)
    shape: list[Dimension] = ["G", sum(sizes)]
    for name, parts in sums.items():
        whole = graph.op("Concat", *parts, axis=-1)
        graph.op("Add", whole, graph.add_input(f"{name}_before", shape), output=name)
    biases = np.concatenate([adapter.tensors["head_bias"] for adapter in adapters])
    chances = [
        graph.op("Softmax", part, axis=-1)
        if adapter.manifest.decoding.scheme == "single"
        else graph.op("Sigmoid", part)
        for adapter, part in zip(
            adapters, graph.split(_logits(graph, "value", "total", biases), sizes, -1), strict=True
        )
    ]
    graph.op("Concat", *chances, output=OUTPUT, axis=-1)
    return graph.model({OUTPUT: shape, "value": shape, "total": shape})


def _assertion(graph: FusedGraph, adapter: AdapterWeights) -> onnx.ModelProto:
    (bank,) = graph.banks
    axis = graph.constant("adapters", np.asarray([0], dtype=np.int64))
    value, total = (graph.op("Squeeze", output, axis) for output in bank.outputs)
    logits = _logits(graph, value, total, adapter.tensors["head_bias"])
    graph.op("Softmax", logits, output=OUTPUT, axis=-1)
    return graph.model({OUTPUT: ["G", len(adapter.manifest.classes)]})


def _logits(graph: FusedGraph, value: str, total: str, bias: NDArray[np.float32]) -> str:
    """Add what ``pooled_logits`` computes."""
    tiny = graph.constant("no_words", np.asarray(NO_WORDS, dtype=np.float32))
    mean = graph.op("Div", value, graph.op("Add", total, tiny))
    return graph.op("Add", mean, graph.constant("bias", bias))
