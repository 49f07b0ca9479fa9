"""The folder that transformers loads: weights for torch, and code for what is no linear head."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from safetensors.numpy import save

from services.common.modeling.onnx.weights import WEIGHTS_FILE, TorchTwin, read_weights
from services.inference.exports.card import HUGGING_FACE_USE, card
from services.inference.exports.content import ExportContent
from services.inference.exports.sources import carried

_CODE = "services.inference.exports.hugging_face"
_MODULES = ("configuration_spanloop", "modeling_spanloop", "pipeline_spanloop")


def hugging_face_files(content: ExportContent) -> dict[str, bytes]:
    """Return the files of the folder of a version that finds spans.

    The trunk must have its twin's file.

    Raises:
        ManifestError: The twin's file does not fit the trunk.
    """
    twin = TorchTwin.from_bytes(content.files[WEIGHTS_FILE])
    weights = {
        f"trunk.{name}": array
        for name, array in read_weights(content.trunk_model, twin.places).items()
    }
    for index, adapter in enumerate(content.adapters):
        for name, tensor in adapter.tensors.items():
            weights[f"ladders.{index}.{name}"] = np.ascontiguousarray(tensor)
    return {
        "model.safetensors": save(weights, metadata={"format": "pt"}),
        "config.json": _json(_config(content, twin)),
        "tokenizer.json": content.tokenizer,
        "tokenizer_config.json": _json(dict(twin.tokenizer)),
        "README.md": card(content, HUGGING_FACE_USE, library="transformers"),
        **carried({name: f"{_CODE}.{name}" for name in _MODULES}, package=True),
    }


def _config(content: ExportContent, twin: TorchTwin) -> dict[str, Any]:
    document = content.document()
    names = ("max_length", "stride", "reach", "pad_token_id")
    return {
        "model_type": "spanloop",
        "architectures": ["SpanloopForTokenClassification"],
        "auto_map": {
            "AutoConfig": "configuration_spanloop.SpanloopConfig",
            "AutoModelForTokenClassification": "modeling_spanloop.SpanloopForTokenClassification",
        },
        "custom_pipelines": {
            "token-classification": {
                "impl": "pipeline_spanloop.SpanloopPipeline",
                "pt": ["AutoModelForTokenClassification"],
                "type": "text",
            }
        },
        "id2label": dict(enumerate(document["labels"])),
        "label2id": {label: index for index, label in enumerate(document["labels"])},
        "trunk": dict(twin.config),
        "reading": {name: document[name] for name in names},
        "ladders": [
            {
                "taps": list(adapter.manifest.architecture.taps),
                "context": adapter.manifest.architecture.context,
                "outside_bias": adapter.manifest.decoding.outside_bias,
                "tensors": {name: list(shape) for name, shape in adapter.manifest.tensors.items()},
            }
            for adapter in content.adapters
        ],
        "spanloop": document,
    }


def _json(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
