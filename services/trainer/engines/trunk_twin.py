"""Keeps with a tuned trunk what makes its torch model out of its graph again."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from services.common.modeling.manifest import TRUNK_FILE, FileDigest
from services.common.modeling.onnx.weights import WEIGHTS_FILE, TorchTwin, find_weights
from services.trainer.engines.trunk_export import TrunkArtifact
from services.trainer.engines.trunk_source import TrunkSource

# What no hidden state depends on.
_UNREAD = "pooler."
# Where the encoder was loaded from: a path of this machine.
_PRIVATE = ("_name_or_path", "_attn_implementation_internal")


def with_twin(artifact: TrunkArtifact, source: TrunkSource) -> tuple[TrunkArtifact, list[str]]:
    """Return the artifact with its twin's file, and the weights that its graph lacks.

    If there are any, the artifact stays as it is: the trunk cannot be exported for torch.
    """
    weights = {
        name: tensor.numpy()
        for name, tensor in source.model.state_dict().items()
        if not name.startswith(_UNREAD)
    }
    places = find_weights(artifact.files[TRUNK_FILE], weights)
    missing = sorted(weights.keys() - places.keys())
    if missing:
        return artifact, missing
    twin = TorchTwin(config=_config(source), tokenizer=_tokenizer(source), places=places).to_bytes()
    files = {**artifact.files, WEIGHTS_FILE: twin}
    digests = {**artifact.manifest.files, WEIGHTS_FILE: FileDigest.of(twin)}
    return replace(artifact, manifest=replace(artifact.manifest, files=digests), files=files), []


def _config(source: TrunkSource) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(source.config.to_json_string(use_diff=False))
    return {name: value for name, value in config.items() if name not in _PRIVATE}


def _tokenizer(source: TrunkSource) -> dict[str, Any]:
    tokens = {name: str(token) for name, token in source.tokenizer.special_tokens_map.items()}
    return {"tokenizer_class": "PreTrainedTokenizerFast", **tokens}
