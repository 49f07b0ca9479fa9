"""Builds the graph of a bank: all adapters of one architecture in a few batched products.

The weights are inputs of the graph with a dynamic number of labels N, so the graph never changes
when a label is added or replaced. Words of several texts lie one after the other ("packed"), with
masked rows between texts, so nothing is padded.

Inputs: ``states`` [trunk taps, M, H], ``features`` [M, F], ``mask`` [M, 1] and the weights as
``stacked_shapes`` lists them. Output: ``logits`` [N, M, 3].
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from services.common.modeling.heads import MARKS, Head
from services.common.modeling.manifest import LadderArchitecture

NORM_EPSILON = 1e-5
_OPSET = 20
_IR_VERSION = 10

Dimension = int | str


def stacked_shapes(architecture: LadderArchitecture) -> dict[str, list[Dimension]]:
    """Return the graph's weight inputs; "N" is the number of labels, "ND" is N times the width."""
    rungs, width = len(architecture.taps), architecture.width
    seen = (2 * architecture.context + 1) * width
    shapes: dict[str, list[Dimension]] = {
        "tap_weight": [rungs, "ND", architecture.hidden_size],
        "feature_weight": [architecture.features, "ND"],
        "head_weight": ["N", width, architecture.classes],
        "head_bias": ["N", 1, architecture.classes],
    }
    if architecture.head is not Head.TAGS:
        shapes["pool_weight"] = ["N", width, architecture.classes]
    if architecture.head is Head.ASSERTION:
        shapes["span_weight"] = ["N", width, architecture.classes]
    for rung in range(rungs):
        if architecture.head is Head.ASSERTION:
            shapes[f"marker_weight_{rung}"] = ["N", MARKS, width]
        shapes[f"tap_bias_{rung}"] = ["N", 1, width]
        shapes[f"context_weight_{rung}"] = ["N", seen, width]
        shapes[f"context_bias_{rung}"] = ["N", 1, width]
        shapes[f"mix_weight_{rung}"] = ["N", width, width]
    return shapes


def build_bank_graph(architecture: LadderArchitecture, trunk_taps: int) -> bytes:
    """Return the serialised model.

    Args:
        architecture: Shape of the adapters, with a head of tags.
        trunk_taps: Number of taps in ``states``; the architecture's taps are picked from them.
    """
    graph = Graph()
    normed = add_ladder(graph, architecture, trunk_taps)
    logits = graph.op("MatMul", normed, "head_weight")
    graph.op("Add", logits, "head_bias", output="logits")
    inputs = ladder_inputs(architecture, trunk_taps)
    return graph.model("bank", inputs, {"logits": ["N", "M", architecture.classes]})


def ladder_inputs(architecture: LadderArchitecture, trunk_taps: int) -> dict[str, list[Dimension]]:
    """Return names and shapes of what every ladder reads: words and weights."""
    return {
        "states": [trunk_taps, "M", architecture.hidden_size],
        "features": ["M", architecture.features],
        "mask": ["M", 1],
        **stacked_shapes(architecture),
    }


def add_ladder(graph: Graph, architecture: LadderArchitecture, trunk_taps: int) -> str:
    """Add the ladder below the heads; return the name of its last state, normed, [N, M, d].

    With a head for assertions the graph has one more input, ``marks`` [M, MARKS]: a learned vector
    per mark is added at each rung.
    """
    rungs, width = len(architecture.taps), architecture.width
    states = "states"
    if architecture.taps != tuple(range(trunk_taps)):
        states = graph.op("Gather", "states", graph.ints("taps", architecture.taps), axis=0)
    by_label = graph.ints("by_label", (0, -1, width))
    ones = graph.floats("ones", np.ones(width, dtype=np.float32))
    # One product per rung for all labels together, [N*d, H] x [H, M]. The weights stand first: the
    # right side of a product is packed anew in every run, and the words of a short text are far
    # less than the weights of many labels.
    turned = graph.op("Transpose", states, perm=[0, 2, 1])
    projected = graph.op("MatMul", "tap_weight", turned)
    words = graph.op("Shape", "mask", start=0, end=1)
    by_rung = graph.op("Concat", graph.ints("by_rung", (rungs, -1, width)), words, axis=0)
    projected = graph.op("Reshape", projected, by_rung)
    projected = graph.op("Transpose", projected, perm=[0, 1, 3, 2])
    taps = graph.split(projected, rungs)
    features = graph.op("Reshape", graph.op("MatMul", "features", "feature_weight"), by_label)
    state = graph.op("Transpose", features, perm=[1, 0, 2])
    for rung in range(rungs):
        tap = graph.op("Squeeze", taps[rung], graph.ints("first", (0,)))
        state = graph.op("Add", state, graph.op("Add", tap, f"tap_bias_{rung}"))
        if architecture.head is Head.ASSERTION:
            marker = graph.op("MatMul", "marks", f"marker_weight_{rung}")
            state = graph.op("Add", state, marker)
        normed = graph.op("LayerNormalization", state, ones, axis=-1, epsilon=NORM_EPSILON)
        # Rows between texts become zero, so no word sees a neighbour of another text.
        normed = graph.op("Mul", normed, "mask")
        seen = _neighbours(graph, normed, architecture.context)
        hidden = graph.op("MatMul", seen, f"context_weight_{rung}")
        hidden = graph.op("Gelu", graph.op("Add", hidden, f"context_bias_{rung}"))
        state = graph.op("Add", state, graph.op("MatMul", hidden, f"mix_weight_{rung}"))
    return graph.op("LayerNormalization", state, ones, axis=-1, epsilon=NORM_EPSILON)


def _neighbours(graph: Graph, normed: str, context: int) -> str:
    """Put each word's neighbours beside it: [N, M, d] becomes [N, M, (2 context + 1) d]."""
    if context == 0:
        return normed
    padded = graph.op("Pad", normed, graph.ints("pads", (0, context, 0, 0, context, 0)))
    parts = []
    for shift in range(2 * context + 1):
        # Row i of this part is row i + shift of the padded rows; the slice ends as many rows
        # before the end as are left over.
        end = shift - 2 * context or np.iinfo(np.int64).max
        parts.append(
            graph.op(
                "Slice",
                padded,
                graph.ints(f"from_{shift}", (shift,)),
                graph.ints(f"to_{shift}", (end,)),
                graph.ints("words_axis", (1,)),
            )
        )
    return graph.op("Concat", *parts, axis=-1)


class Graph:
    """Collects nodes and constants; each op returns the name of its output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def op(
        self,
        kind: str,
        *inputs: str,
        output: str | None = None,
        **attributes: float | list[int],
    ) -> str:
        """Add a node."""
        name = output or f"{kind.lower()}_{len(self.nodes)}"
        node = helper.make_node(kind, list(inputs), [name], name)
        for key, value in attributes.items():
            node.attribute.append(helper.make_attribute(key, value))
        self.nodes.append(node)
        return name

    def split(self, name: str, parts: int) -> list[str]:
        """Cut a value along its first axis; return the names of the parts."""
        outputs = [f"{name}_part_{index}" for index in range(parts)]
        self.nodes.append(
            helper.make_node("Split", [name], outputs, f"{name}_split", axis=0, num_outputs=parts)
        )
        return outputs

    def model(
        self,
        name: str,
        inputs: Mapping[str, list[Dimension]],
        outputs: Mapping[str, list[Dimension]],
        types: Mapping[str, int] = MappingProxyType({}),
    ) -> bytes:
        """Return the checked, serialised model.

        Args:
            name: Of the graph.
            inputs: The inputs with their shapes.
            outputs: The outputs with theirs.
            types: ONNX's number of the element type where it is not float32.
        """
        model = helper.make_model(
            helper.make_graph(
                self.nodes,
                name,
                _values(inputs, types),
                _values(outputs, types),
                list(self._constants.values()),
            ),
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
            producer_name="spanloop",
        )
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())

    def ints(self, name: str, values: tuple[int, ...]) -> str:
        """Add whole numbers as a constant, once per name."""
        return self.floats(name, np.asarray(values, dtype=np.int64))

    def floats(self, name: str, values: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> str:
        """Add an array as a constant, once per name."""
        self._constants.setdefault(name, numpy_helper.from_array(values, name))
        return name


def _values(
    shapes: Mapping[str, list[Dimension]], types: Mapping[str, int]
) -> list[onnx.ValueInfoProto]:
    return [
        helper.make_tensor_value_info(name, types.get(name, TensorProto.FLOAT), shape)
        for name, shape in shapes.items()
    ]
