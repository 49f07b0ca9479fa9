"""An export is given away only when it was seen to answer as the service does."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.common.modeling.manifest import ManifestError
from services.common.modeling.onnx.bank import Bank, BankRuntime
from services.common.modeling.onnx.trunk import TrunkRunner
from services.common.modeling.predictor import PredictedSpan, TextPredictor
from services.common.modeling.states import WordStateReader
from services.inference.engine.standalone import ExportedModel, Span
from services.inference.exports.content import ExportContent
from services.inference.exports.onnx_layout import onnx_files

LIMIT = 1e-3
"""Largest difference of a score, of trunks in single precision."""

AGREEMENT = 0.9
"""Share of spans that other precisions must have in common: an export runs the windows of a long
text together, and rounding to a few bits makes much of what is in the same run."""

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

    Raises:
        ManifestError: It finds other spans, or other scores.
    """
    runner = TrunkRunner.open(content.trunk, content.files.__getitem__, providers=_CPU)
    bank = Bank.stack(BankRuntime(content.trunk, providers=_CPU), content.adapters)
    reader = WordStateReader(runner, max_length=content.max_length, stride=content.stride)
    wanted = _scores(TextPredictor(reader, bank).predict(_TEXTS))
    with tempfile.TemporaryDirectory(prefix="spanloop-export-") as folder:
        for name in ("model.onnx", "tokenizer.json", "config.json"):
            Path(folder, name).write_bytes(files[name])
        exported = ExportedModel(folder)
        found = _scores([exported.predict(text) for text in _TEXTS])
    common = wanted.keys() & found.keys()
    if content.trunk.precision == "fp32":
        same = len(common) == len(wanted) == len(found) and all(
            abs(wanted[span] - found[span]) <= LIMIT for span in common
        )
    else:
        same = 2 * len(common) >= AGREEMENT * (len(wanted) + len(found))
    if not same:
        raise ManifestError(f"the export of {content.version} does not answer as it is served")


def _scores(
    texts: Sequence[Sequence[PredictedSpan | Span]],
) -> dict[tuple[int, int, int, str], float]:
    """Return the scores of spans by text, place and label."""
    return {
        (place, span.start, span.end, span.label): span.score
        for place, spans in enumerate(texts)
        for span in spans
    }
