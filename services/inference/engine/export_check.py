"""An export is given away only when it was seen to answer as the service does."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from services.common.modeling.manifest import ManifestError
from services.common.modeling.onnx.bank import Bank, BankRuntime
from services.common.modeling.onnx.trunk import TrunkRunner
from services.common.modeling.predictor import TextPredictor
from services.common.modeling.states import WordStateReader
from services.inference.engine.standalone import ExportedModel
from services.inference.exports.content import ExportContent
from services.inference.exports.onnx_layout import onnx_files

LIMIT = 1e-3
"""Largest difference of a score."""

_CPU = ["CPUExecutionProvider"]
_TEXT = "On 1 March 2024, Ada Lovelace of Example Ltd. paid $1,000 in London. "
_TEXTS = (_TEXT, "", "\u200b", "naïve façade 東京 👍🏽 #now", _TEXT * 40)


def checked_onnx_files(content: ExportContent) -> dict[str, bytes]:
    """Return the files of a folder for onnxruntime.

    Raises:
        ManifestError: The trunk cannot be joined with the adapters, or does not answer as it is
            served.
    """
    files = onnx_files(content)
    check_export(content, files)
    return files


def check_export(content: ExportContent, files: Mapping[str, bytes]) -> None:
    """Return when an exported folder finds what the service finds.

    Scores of quantised trunks depend on what is in the same run, so only their form is checked.

    Raises:
        ManifestError: It finds other spans, or other scores.
    """
    runner = TrunkRunner.open(content.trunk, content.files.__getitem__, providers=_CPU)
    bank = Bank.stack(BankRuntime(content.trunk, providers=_CPU), content.adapters)
    reader = WordStateReader(runner, max_length=content.max_length, stride=content.stride)
    wanted = TextPredictor(reader, bank).predict(_TEXTS)
    with tempfile.TemporaryDirectory(prefix="spanloop-export-") as folder:
        for name in ("model.onnx", "tokenizer.json", "config.json"):
            Path(folder, name).write_bytes(files[name])
        exported = ExportedModel(folder)
        found = [exported.predict(text) for text in _TEXTS]
    if content.trunk.precision != "fp32":
        return
    for mine, theirs in zip(wanted, found, strict=True):
        same = [(one.start, one.end, one.label) for one in mine] == [
            (one.start, one.end, one.label) for one in theirs
        ]
        if not same or any(
            not abs(one.score - other.score) <= LIMIT
            for one, other in zip(mine, theirs, strict=True)
        ):
            raise ManifestError(f"the export of {content.version} does not answer as it is served")
