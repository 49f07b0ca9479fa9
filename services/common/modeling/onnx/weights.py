"""A trunk's weights under the names that its family has in torch, read out of its graph.

The exporter keeps every weight but may transpose and rename it. ``huggingface.json`` beside a tuned
trunk says where each is, with the encoder's configuration, so that nothing is stored twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from services.common.modeling.documents import ManifestError, canonical_json

WEIGHTS_FILE = "huggingface.json"
"""Name of the file in a trunk's manifest."""


@dataclass(frozen=True, kw_only=True)
class TorchTwin:
    """What torch needs to build a trunk.

    Attributes:
        config: The encoder's configuration.
        tokenizer: Its tokenizer's configuration.
        places: By name of the weight: name of the graph's constant, and whether it is transposed.
    """

    config: Mapping[str, Any]
    tokenizer: Mapping[str, Any]
    places: Mapping[str, tuple[str, bool]]

    def to_bytes(self) -> bytes:
        """Return the file."""
        return canonical_json(
            {
                "config": dict(self.config),
                "tokenizer": dict(self.tokenizer),
                "weights": {name: list(place) for name, place in self.places.items()},
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> TorchTwin:
        """Parse the file.

        Raises:
            ManifestError: It is none.
        """
        try:
            document = json.loads(data)
            return cls(
                config=dict(document["config"]),
                tokenizer=dict(document["tokenizer"]),
                places={
                    str(name): (str(place), bool(transposed))
                    for name, (place, transposed) in document["weights"].items()
                },
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ManifestError(f"{WEIGHTS_FILE} of the trunk cannot be read") from error


def find_weights(
    model: bytes, weights: Mapping[str, NDArray[np.generic]]
) -> dict[str, tuple[str, bool]]:
    """Return where a graph has each of these weights, to the last bit; those it lacks are left out.

    Args:
        model: The graph.
        weights: By name.
    """
    constants: dict[tuple[tuple[int, ...], bytes], str] = {}
    for name, array in sorted(_constants(model).items()):
        constants.setdefault((array.shape, array.tobytes()), name)
    found = {}
    for name, weight in weights.items():
        for transposed, array in ((False, weight), (True, weight.T)):
            place = constants.get((array.shape, np.ascontiguousarray(array).tobytes()))
            if place is not None:
                found[name] = (place, transposed)
                break
    return found


def read_weights(
    model: bytes, places: Mapping[str, tuple[str, bool]]
) -> dict[str, NDArray[np.generic]]:
    """Return the weights of a graph by their names in torch.

    Raises:
        ManifestError: The graph lacks one.
    """
    constants = _constants(model)
    weights = {}
    for name, (place, transposed) in places.items():
        if place not in constants:
            raise ManifestError(f"the trunk's graph lacks {place}, which is to be {name}")
        array = constants[place]
        weights[name] = np.ascontiguousarray(array.T if transposed else array)
    return weights


def _constants(model: bytes) -> dict[str, NDArray[np.generic]]:
    graph = onnx.load_from_string(model).graph
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
