"""Joins a trunk and banks of adapters in one graph, for what follows behind them.

Parts are the graphs that serve, with weights as constants, so the fused graph computes what the
service computes. Several windows of one text are one run; no other text shares it.

Inputs: ``input_ids`` and ``attention_mask`` [W, T], as the trunk reads them; for each of M words
``first`` and ``last`` [M], where its first and last piece stand in the windows laid one after the
other (window * T + place); then what the banks read of words: ``features`` [M, F], ``mask`` [M, 1],
1 for words that have pieces, and what banks of their kind read besides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, compose, helper, numpy_helper, version_converter

from services.common.modeling.adapter import AdapterWeights
from services.common.modeling.documents import ManifestError
from services.common.modeling.manifest import LadderArchitecture, TrunkManifest
from services.common.modeling.onnx.bank import stack_weights
from services.common.modeling.onnx.bank_graph import Dimension

_TRUNK = "trunk/"
_OWN = "fused/"
_STATES = f"{_OWN}states"


@dataclass(frozen=True, kw_only=True)
class FusedBank:
    """Adapters of one architecture in the graph.

    Attributes:
        members: Which of the adapters they are, in the order of the rows.
        outputs: Names of what the bank gives.
    """

    members: Sequence[int]
    outputs: Sequence[str]


class FusedGraph:
    """A trunk, the states of words and banks; nodes that read the banks are added behind them."""

    def __init__(
        self,
        trunk: TrunkManifest,
        trunk_model: bytes,
        adapters: Sequence[AdapterWeights],
        build: Callable[[LadderArchitecture, int], bytes],
    ) -> None:
        """Join a trunk with adapters.

        Args:
            trunk: The trunk's manifest.
            trunk_model: The trunk's graph.
            adapters: At least one; they must fit the trunk.
            build: Makes the graph of a bank from its architecture and the number of taps.

        Raises:
            ManifestError: The trunk's graph cannot be raised to the opset of the banks.
        """
        self._trunk = trunk
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: dict[str, onnx.ValueInfoProto] = {}
        members: dict[LadderArchitecture, list[int]] = {}
        for index, adapter in enumerate(adapters):
            members.setdefault(adapter.manifest.architecture, []).append(index)
        banks = [onnx.load_from_string(build(one, trunk.taps)) for one in members]
        first = _raised(onnx.load_from_string(trunk_model), max(map(_opset, banks)), trunk.name)
        self._models = [first, *banks]
        taps = self._add(compose.add_prefix(first, _TRUNK, rename_inputs=False))[0]
        self._add_states(taps)
        self.banks = [
            FusedBank(
                members=places,
                outputs=self._add_bank(
                    f"{_OWN}bank{row}/", bank, stack_weights([adapters[one] for one in places])
                ),
            )
            for row, (bank, places) in enumerate(zip(banks, members.values(), strict=True))
        ]

    def op(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node; return the name of what it gives."""
        name = output or f"{_OWN}{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], name, **attributes))
        return name

    def split(self, name: str, sizes: Sequence[int], axis: int) -> list[str]:
        """Cut a value; return the names of the parts."""
        outputs = [f"{name}_part{place}" for place in range(len(sizes))]
        wanted = self.constant(f"{name}_sizes", np.asarray(sizes, dtype=np.int64))
        self._nodes.append(
            helper.make_node("Split", [name, wanted], outputs, f"{name}_split", axis=axis)
        )
        return outputs

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        """Add a constant; return its name."""
        self._constants.append(numpy_helper.from_array(value, _OWN + name))
        return _OWN + name

    def add_input(self, name: str, shape: Sequence[Dimension]) -> str:
        """Add an input of numbers; return its name."""
        self._inputs[name] = helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        return name

    def model(self, outputs: Mapping[str, Sequence[Dimension]]) -> onnx.ModelProto:
        """Return the checked model with these outputs and their shapes.

        Raises:
            ManifestError: The parts cannot be joined.
        """
        graph = helper.make_graph(
            self._nodes,
            "spanloop",
            [*_window_inputs(), *self._inputs.values()],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                for name, shape in outputs.items()
            ],
            self._constants,
        )
        versions: dict[str, int] = {}
        for part in self._models:
            for one in part.opset_import:
                versions[one.domain] = max(versions.get(one.domain, 0), one.version)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid(*item) for item in sorted(versions.items())],
            functions=[function for part in self._models for function in part.functions],
            ir_version=max(part.ir_version for part in self._models),
            producer_name="spanloop",
        )
        try:
            onnx.checker.check_model(model)
        except onnx.checker.ValidationError as error:
            name = self._trunk.name
            raise ManifestError(f"the trunk {name} cannot be joined with adapters") from error
        return model

    def _add(self, model: onnx.ModelProto) -> list[str]:
        self._nodes.extend(model.graph.node)
        self._constants.extend(model.graph.initializer)
        return [output.name for output in model.graph.output]

    def _add_states(self, taps: str) -> None:
        """Add the states of words: the mean of what the trunk says of first and last piece."""
        trunk = self._trunk
        shape = np.asarray([trunk.taps, -1, trunk.hidden_size], dtype=np.int64)
        # The trunk may be of half precision.
        single = self.op("Cast", taps, to=TensorProto.FLOAT)
        rows = self.op("Reshape", single, self.constant("rows", shape))
        first, last = (self.op("Gather", rows, place, axis=1) for place in ("first", "last"))
        half = self.constant("half", np.asarray(0.5, dtype=np.float32))
        mean = self.op("Mul", self.op("Add", first, last), half)
        self.op("Mul", mean, "mask", output=_STATES)

    def _add_bank(
        self, prefix: str, model: onnx.ModelProto, weights: Mapping[str, NDArray[np.float32]]
    ) -> list[str]:
        inputs = [value for value in model.graph.input if value.name not in weights]
        read = {name for node in model.graph.node for name in node.input}
        del model.graph.input[:]
        model.graph.input.extend(inputs)
        # Some graphs leave a weight to what comes behind them.
        model.graph.initializer.extend(
            numpy_helper.from_array(array, name) for name, array in weights.items() if name in read
        )
        prefixed = compose.add_prefix(model, prefix, rename_inputs=False)
        for node in prefixed.graph.node:
            node.input[:] = [_STATES if name == "states" else name for name in node.input]
        for value in prefixed.graph.input:
            if value.name != "states":
                self._inputs.setdefault(value.name, value)
        return self._add(prefixed)


def _window_inputs() -> list[onnx.ValueInfoProto]:
    windows, words = ["W", "T"], ["M"]
    shapes = {"input_ids": windows, "attention_mask": windows, "first": words, "last": words}
    return [
        helper.make_tensor_value_info(name, TensorProto.INT64, shape)
        for name, shape in shapes.items()
    ]


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
