"""One graph of a trunk and adapters of tags: from a text's windows to probabilities of its words.

Parts are the graphs that serve, with weights as constants, so the fused graph computes what the
service computes. Several windows of one text are one run; no other text shares it.

Inputs: ``input_ids`` and ``attention_mask`` [W, T], as the trunk reads them; for each of M words
``first`` and ``last`` [M], where its first and last piece stand in the windows laid one after the
other (window * T + place); ``features`` [M, F]; and ``mask`` [M, 1], 1 for words that have pieces.
Output: ``probabilities`` [N, M, 3] of B, I and O for each label, fitted bias included.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, compose, helper, numpy_helper, version_converter

from services.common.modeling.adapter import AdapterWeights
from services.common.modeling.documents import ManifestError
from services.common.modeling.manifest import LadderArchitecture, TrunkManifest
from services.common.modeling.onnx.bank import check_adapters, stack_weights
from services.common.modeling.onnx.bank_graph import build_bank_graph
from services.common.modeling.predictor import UNSEEN

OUTPUT = "probabilities"
_TRUNK = "trunk/"
_OWN = "fused/"


def fuse(
    trunk: TrunkManifest, trunk_model: bytes, adapters: Sequence[AdapterWeights]
) -> onnx.ModelProto:
    """Return the fused graph; the labels stand in the order of the adapters.

    Args:
        trunk: The trunk's manifest.
        trunk_model: The trunk's graph.
        adapters: At least one, all with a head of tags.

    Raises:
        ManifestError: The adapters do not fit the trunk, or its graph cannot be joined with theirs.
    """
    check_adapters(trunk, adapters, adapters[0].manifest.architecture.head)
    banks = _banks(trunk, adapters)
    opset = max(_opset(model) for model, _ in banks)
    first = _raised(onnx.load_from_string(trunk_model), opset, trunk.name)
    parts = [compose.add_prefix(first, _TRUNK, rename_inputs=False)]
    for place, (bank, _) in enumerate(banks):
        prefixed = compose.add_prefix(bank, f"{_OWN}bank{place}/", rename_inputs=False)
        # The words' states are made here.
        for node in prefixed.graph.node:
            node.input[:] = [f"{_OWN}states" if name == "states" else name for name in node.input]
        parts.append(prefixed)
    order = [member for _, members in banks for member in members]
    biases = [adapter.manifest.decoding.outside_bias for adapter in adapters]
    return _join(trunk, parts, order, np.asarray(biases, dtype=np.float32))


def _banks(
    trunk: TrunkManifest, adapters: Sequence[AdapterWeights]
) -> list[tuple[onnx.ModelProto, list[int]]]:
    """Return the graph of each architecture with its weights, and the labels that it answers."""
    members: dict[LadderArchitecture, list[int]] = {}
    for index, adapter in enumerate(adapters):
        members.setdefault(adapter.manifest.architecture, []).append(index)
    banks = []
    for architecture, places in members.items():
        model = onnx.load_from_string(build_bank_graph(architecture, trunk.taps))
        weights = stack_weights([adapters[place] for place in places])
        inputs = [value for value in model.graph.input if value.name not in weights]
        del model.graph.input[:]
        model.graph.input.extend(inputs)
        model.graph.initializer.extend(
            numpy_helper.from_array(array, name) for name, array in weights.items()
        )
        banks.append((model, places))
    return banks


def _opset(model: onnx.ModelProto) -> int:
    return int(next(one.version for one in model.opset_import if not one.domain))


def _raised(model: onnx.ModelProto, opset: int, name: str) -> onnx.ModelProto:
    """Return the trunk's graph at least at `opset`."""
    if _opset(model) >= opset:
        return model
    try:
        return version_converter.convert_version(model, opset)
    except Exception as error:  # the converter raises whatever its C++ threw
        raise ManifestError(
            f"the trunk {name} is of opset {_opset(model)} and cannot be raised to {opset}"
        ) from error


def _join(
    trunk: TrunkManifest,
    parts: Sequence[onnx.ModelProto],
    order: Sequence[int],
    biases: NDArray[np.float32],
) -> onnx.ModelProto:
    banks = [part.graph.output[0].name for part in parts[1:]]
    nodes, constants = _own_nodes(trunk, parts[0].graph.output[0].name, banks, order, biases)
    graph = helper.make_graph(
        [
            *parts[0].graph.node,
            *nodes[: -len(_TAIL)],
            *(node for part in parts[1:] for node in part.graph.node),
            *nodes[-len(_TAIL) :],
        ],
        "spanloop",
        _inputs(parts[1]),
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [len(biases), "M", 3])],
        [*(one for part in parts for one in part.graph.initializer), *constants],
    )
    versions: dict[str, int] = {}
    for part in parts:
        for one in part.opset_import:
            versions[one.domain] = max(versions.get(one.domain, 0), one.version)
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(*item) for item in sorted(versions.items())],
        functions=[function for part in parts for function in part.functions],
        ir_version=max(part.ir_version for part in parts),
        producer_name="spanloop",
    )
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ManifestError(f"the trunk {trunk.name} cannot be joined with adapters") from error
    return model


# What comes behind the banks; the other own nodes come before them.
_TAIL = ("Concat", "Gather", "Where", "Add", "Softmax")


def _own_nodes(
    trunk: TrunkManifest,
    taps: str,
    banks: Sequence[str],
    order: Sequence[int],
    biases: NDArray[np.float32],
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []

    def constant(name: str, value: NDArray[np.generic]) -> str:
        constants.append(numpy_helper.from_array(value, _OWN + name))
        return _OWN + name

    def op(kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"{_OWN}{kind.lower()}_{len(nodes)}"
        nodes.append(helper.make_node(kind, list(inputs), [name], name, **attributes))
        return name

    # A word's state: the mean of its first and its last piece.
    shape = np.asarray([trunk.taps, -1, trunk.hidden_size], dtype=np.int64)
    rows = op("Reshape", op("Cast", taps, to=TensorProto.FLOAT), constant("rows", shape))
    both = op("Add", op("Gather", rows, "first", axis=1), op("Gather", rows, "last", axis=1))
    half = op("Mul", both, constant("half", np.asarray(0.5, dtype=np.float32)))
    op("Mul", half, "mask", output=f"{_OWN}states")
    seen = op("Cast", "mask", to=TensorProto.BOOL)

    logits = op("Concat", *banks, axis=0)
    logits = op("Gather", logits, constant("order", np.argsort(order).astype(np.int64)), axis=0)
    logits = op("Where", seen, logits, constant("unseen", UNSEEN))
    shift = np.zeros((len(biases), 1, 3), dtype=np.float32)
    shift[:, 0, 2] = biases
    op("Softmax", op("Add", logits, constant("bias", shift)), output=OUTPUT, axis=-1)
    assert tuple(node.op_type for node in nodes[-len(_TAIL) :]) == _TAIL  # noqa: S101
    return nodes, constants


def _inputs(bank: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    windows, words = ["W", "T"], ["M"]
    values = [
        helper.make_tensor_value_info(name, TensorProto.INT64, shape)
        for name, shape in {
            "input_ids": windows,
            "attention_mask": windows,
            "first": words,
            "last": words,
        }.items()
    ]
    return values + [value for value in bank.graph.input if value.name in ("features", "mask")]
