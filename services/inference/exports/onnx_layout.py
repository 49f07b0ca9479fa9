"""The folder that plain onnxruntime runs."""

from __future__ import annotations

import json

from services.common.modeling.heads import Head
from services.common.modeling.onnx.fused import fuse
from services.inference.exports.card import ONNX_USES, card
from services.inference.exports.content import ExportContent
from services.inference.exports.sources import carried

_PROGRAMS = {
    Head.TAGS: "services.inference.engine.standalone.spans",
    Head.CHOICES: "services.inference.engine.standalone.choices",
    Head.ASSERTION: "services.inference.engine.standalone.assertions",
}


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
        "README.md": card(content, ONNX_USES[content.head], library="onnx"),
        **carried({"decode": _PROGRAMS[content.head]}, package=False),
    }
