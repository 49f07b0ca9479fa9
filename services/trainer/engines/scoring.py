"""Predicts a split from its cached states, by the serving bank."""

from __future__ import annotations

from collections.abc import Sequence

from services.common.modeling.adapter import AdapterWeights
from services.common.modeling.decoding import decode_labels
from services.common.modeling.manifest import TrunkManifest
from services.common.modeling.onnx.bank import Bank, BankRuntime
from services.common.modeling.packing import WordInputs
from services.common.modeling.predictor import text_logits
from services.common.modeling.states import Segment
from services.trainer.engines.dataset import Split
from services.trainer.reports.model import ScoredSpan, ScoredText


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

    def read(places: Sequence[int], segments: Sequence[Segment]) -> list[WordInputs]:
        bases = (int(split.offsets[place]) for place in places)
        return [
            split.inputs(base + one.start, base + one.end)
            for base, one in zip(bases, segments, strict=True)
        ]

    scored: list[ScoredText] = []
    found = text_logits(bank, split.texts, read)
    for example, text, logits in zip(split.examples, split.texts, found, strict=True):
        predicted: list[ScoredSpan] = [
            (text.words[span.first][0], text.words[span.last - 1][1], label, span.score)
            for label, spans in zip(bank.labels, decode_labels(logits, biases), strict=True)
            for span in spans
        ]
        gold = [span for span in example.spans if span[2] in labels]
        scored.append(ScoredText(text=example.text, gold=gold, predicted=predicted))
    return scored
