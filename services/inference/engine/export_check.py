"""An export is given away only when it was seen to answer as the service does."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.assertions import assert_spans
from services.common.modeling.choices import classify
from services.common.modeling.heads import Head
from services.common.modeling.manifest import ManifestError
from services.common.modeling.onnx.bank import Bank, BankRuntime
from services.common.modeling.onnx.pooled import PooledBank
from services.common.modeling.onnx.trunk import TrunkRunner
from services.common.modeling.predictor import PredictedSpan, TextPredictor
from services.common.modeling.states import WordStateReader
from services.inference.engine.standalone import assertions, choices, spans
from services.inference.exports.content import ExportContent
from services.inference.exports.onnx_layout import onnx_files

LIMIT = 1e-3
"""Largest difference of a score, of trunks in single precision."""

AGREEMENT = 0.9
"""Share of answers that other precisions must have in common: an export runs the windows of a long
text together, and rounding to a few bits makes much of what is in the same run."""

NEAR = 0.05
"""Largest difference of probabilities that are in common, of other precisions."""

_CPU = ["CPUExecutionProvider"]
_TEXT = "On 1 March 2024, Ada Lovelace of Example Ltd. paid $1,000 in London. "
_TEXTS = (_TEXT, "", "\u200b", "naïve façade 東京 👍🏽 #now", _TEXT * 40)
# Of each text a span of so many characters at every so many; they need not be words.
_SPAN_CHARACTERS, _SPAN_EVERY = 9, 40


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
    """Return when an exported folder answers what the service answers.

    Raises:
        ManifestError: It finds other spans, other scores or other probabilities.
    """
    runner = TrunkRunner.open(content.trunk, content.files.__getitem__, providers=_CPU)
    served = _Served(
        content=content,
        reader=WordStateReader(runner, max_length=content.max_length, stride=content.stride),
        runtime=BankRuntime(content.trunk, providers=_CPU),
    )
    with tempfile.TemporaryDirectory(prefix="spanloop-export-") as folder:
        for name in ("model.onnx", "tokenizer.json", "config.json"):
            Path(folder, name).write_bytes(files[name])
        match content.head:
            case Head.TAGS:
                same = _same_spans(served, folder)
            case Head.CHOICES:
                same = _same_choices(served, folder)
            case Head.ASSERTION:
                same = _same_statuses(served, folder)
    if not same:
        raise ManifestError(f"the export of {content.version} does not answer as it is served")


@dataclass(frozen=True, kw_only=True)
class _Served:
    """What the service reads a version with."""

    content: ExportContent
    reader: WordStateReader
    runtime: BankRuntime

    @property
    def exact(self) -> bool:
        return self.content.trunk.precision == "fp32"

    @property
    def pooled(self) -> PooledBank:
        return PooledBank.stack(self.runtime, self.content.head, self.content.adapters)


def _same_spans(served: _Served, folder: str) -> bool:
    bank = Bank.stack(served.runtime, served.content.adapters)
    wanted = _scores(TextPredictor(served.reader, bank).predict(_TEXTS))
    exported = spans.ExportedModel(folder)
    found = _scores([exported.predict(text) for text in _TEXTS])
    common = wanted.keys() & found.keys()
    if served.exact:
        return len(common) == len(wanted) == len(found) and all(
            abs(wanted[span] - found[span]) <= LIMIT for span in common
        )
    return 2 * len(common) >= AGREEMENT * (len(wanted) + len(found))


def _scores(
    texts: Sequence[Sequence[PredictedSpan | spans.Span]],
) -> dict[tuple[int, int, int, str], float]:
    """Return the scores of spans by text, place and label."""
    return {
        (place, span.start, span.end, span.label): span.score
        for place, found in enumerate(texts)
        for span in found
    }


def _same_choices(served: _Served, folder: str) -> bool:
    bank, exported = served.pooled, choices.ExportedModel(folder)
    wanted = [
        np.concatenate([choice.probabilities for choice in text])
        for text in classify(served.reader, bank, served.reader.prepare(_TEXTS))
    ]
    found = [exported.probabilities(text) for text in _TEXTS]
    return _same_probabilities(served, wanted, found)


def _same_statuses(served: _Served, folder: str) -> bool:
    bank, exported = served.pooled, assertions.ExportedModel(folder)
    given = [
        [
            (start, min(start + _SPAN_CHARACTERS, len(text)))
            for start in range(0, len(text), _SPAN_EVERY)
        ]
        for text in _TEXTS
    ]
    wanted = assert_spans(served.reader, bank, served.reader.prepare(_TEXTS), given)
    found = [exported.probabilities(text, some) for text, some in zip(_TEXTS, given, strict=True)]
    return _same_probabilities(served, wanted, found)


def _same_probabilities(
    served: _Served, wanted: Sequence[NDArray[np.float32]], found: Sequence[NDArray[np.float32]]
) -> bool:
    apart = np.abs(np.concatenate(wanted) - np.concatenate(found))
    if served.exact:
        return bool((apart <= LIMIT).all())
    return float((apart <= NEAR).mean()) >= AGREEMENT
