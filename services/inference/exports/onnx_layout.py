"""The folder that plain onnxruntime runs."""

from __future__ import annotations

import json

from services.common.modeling.onnx.fused import fuse
from services.inference.exports.card import ONNX_USE, card
from services.inference.exports.content import ExportContent
from services.inference.exports.sources import rewritten, rule_files

_EXAMPLE = "services.inference.engine.standalone"


def onnx_files(content: ExportContent) -> dict[str, bytes]:
    """Return the files of the folder.

    Raises:
        ManifestError: The trunk's graph cannot be joined with the adapters.
    """
    model = fuse(content.trunk, content.trunk_model, content.adapters)
    document = json.dumps(content.document(), indent=2, ensure_ascii=False) + "\n"
    return {
        "model.onnx": model.SerializeToString(deterministic=True),
        "tokenizer.json": content.tokenizer,
        "config.json": document.encode(),
        "decode.py": rewritten(_EXAMPLE, package=False),
        "README.md": card(content, ONNX_USE, library="onnx"),
        **rule_files(package=False),
    }
