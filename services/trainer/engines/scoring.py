"""Predicts a split from its cached states, by the serving bank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.common.modeling.adapter import AdapterWeights
from services.common.modeling.decoding import decode_labels
from services.common.modeling.manifest import TrunkManifest
from services.common.modeling.onnx.bank import Bank, BankRuntime
from services.common.modeling.predictor import bank_logits
from services.trainer.engines.dataset import Split
from services.trainer.reports.model import ScoredSpan, ScoredText

_WORDS_AT_ONCE = 4096


def predict_split(
    weights: Sequence[AdapterWeights],
    split: Split,
    trunk: TrunkManifest,
    providers: Sequence[str],
) -> list[ScoredText]:
    """Return each text of a split with its gold spans and what the serving bank predicts.

    Only the states come from the cache (float16) instead of a new run of the trunk.
    """
    bank = Bank.stack(BankRuntime(trunk, providers=providers), weights)
    biases = bank.outside_bias
    labels = set(bank.labels)
    scored: list[ScoredText] = []
    for index, text in enumerate(split.texts):
        base, end = int(split.offsets[index]), int(split.offsets[index + 1])
        parts = [np.empty((len(bank.labels), 0, 3), dtype=np.float32)]
        for start in range(base, end, _WORDS_AT_ONCE):
            stop = min(start + _WORDS_AT_ONCE, end)
            # The words around a cut are there for context only, as in serving.
            left, right = max(start - bank.reach, base), min(stop + bank.reach, end)
            logits = bank_logits(bank, [split.inputs(left, right)])[0]
            parts.append(logits[:, start - left : stop - left])
        logits = np.concatenate(parts, axis=1)
        predicted: list[ScoredSpan] = [
            (text.words[span.first][0], text.words[span.last - 1][1], label, span.score)
            for label, found in zip(bank.labels, decode_labels(logits, biases), strict=True)
            for span in found
        ]
        example = split.examples[index]
        gold = [span for span in example.spans if span[2] in labels]
        scored.append(ScoredText(text=example.text, gold=gold, predicted=predicted))
    return scored
