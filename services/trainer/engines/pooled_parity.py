"""Compares torch with onnxruntime on pooled adapters as they will be served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from services.common.modeling.adapter import AdapterWeights, load_adapter
from services.common.modeling.assertions import span_group
from services.common.modeling.class_decoding import chosen_classes, class_probabilities
from services.common.modeling.onnx.bank import BankRuntime
from services.common.modeling.onnx.pooled import PooledBank, PooledGroup, pack_groups
from services.common.modeling.packing import WordInputs
from services.common.modeling.span_windows import span_words
from services.common.modeling.states import WordStateReader, cut_segments
from services.trainer.engines.interface import AdapterArtifact, Example, ParityReport
from services.trainer.engines.parity import ODD_TEXTS, disagreement
from services.trainer.engines.pooled_ladder import PooledLadder

# Spans of one text that are compared; a text has any number.
_MOST_SPANS = 50


@dataclass(kw_only=True)
class _Comparison:
    """One adapter on both sides."""

    adapter: AdapterWeights
    bank: PooledBank
    ladder: PooledLadder
    largest: float = 0.0
    mismatches: int = 0
    texts: int = field(default=0)

    def add(self, groups: Sequence[PooledGroup]) -> None:
        """Compare the groups of one text."""
        self.texts += 1
        if not groups:
            return
        served = self.bank.run(groups)[0]
        trained = _torch_logits(self.ladder, groups)
        worst = float(np.abs(served - trained).max())
        self.largest = max(self.largest, worst) if np.isfinite(worst) else float("inf")
        decoding = self.adapter.manifest.decoding
        # Texts are counted: of one text any number of spans may differ.
        self.mismatches += any(
            chosen_classes(class_probabilities(one, decoding.scheme), decoding)
            != chosen_classes(class_probabilities(other, decoding.scheme), decoding)
            for one, other in zip(served, trained, strict=True)
        )

    def report(self, what: str) -> ParityReport:
        """Return the verdict; `what` names the decisions that texts differ in."""
        reason = disagreement(self.largest, self.mismatches, what)
        return ParityReport(
            texts=self.texts,
            max_abs_diff=self.largest,
            span_mismatches=self.mismatches,
            passed=not reason,
            reason=reason,
        )


def check_choices_parity(
    adapters: Mapping[str, AdapterArtifact],
    *,
    reader: WordStateReader,
    providers: Sequence[str],
    examples: Sequence[Example],
    threads: int = 0,
) -> ParityReport:
    """Run whole texts through torch and through the serving bank; as ``parity.check_parity``."""
    comparison = _comparison(adapters, reader, providers, threads)
    for text in reader.prepare([*ODD_TEXTS, *(example.text for example in examples)]):
        comparison.add([PooledGroup(inputs=item) for item in _inputs(reader, text.encoded.text)])
    return comparison.report("texts' choices")


def check_spans_parity(
    adapters: Mapping[str, AdapterArtifact],
    *,
    reader: WordStateReader,
    providers: Sequence[str],
    examples: Sequence[Example],
    threads: int = 0,
) -> ParityReport:
    """Run given spans through torch and through the serving bank; as ``parity.check_parity``."""
    comparison = _comparison(adapters, reader, providers, threads)
    odd = [Example(text=text, assertions=[(0, len(text), "")]) for text in ODD_TEXTS]
    for example in (*odd, *examples):
        (text,) = reader.prepare([example.text])
        extents = sorted({(start, end) for start, end, _ in example.assertions})[:_MOST_SPANS]
        comparison.add(
            [
                span_group(item, *span_words(text.words, start, end))
                for item in _inputs(reader, example.text)
                for start, end in extents
            ]
        )
    return comparison.report("texts' statuses")


def _comparison(
    adapters: Mapping[str, AdapterArtifact],
    reader: WordStateReader,
    providers: Sequence[str],
    threads: int,
) -> _Comparison:
    (artifact,) = adapters.values()
    adapter = load_adapter(artifact.manifest, artifact.weights)
    shape = adapter.manifest.architecture
    runtime = BankRuntime(reader.trunk.manifest, providers=providers, threads=threads)
    ladder = PooledLadder(shape, [adapter.label], seed=0)
    ladder.load({name: torch.from_numpy(array)[None] for name, array in adapter.tensors.items()})
    return _Comparison(
        adapter=adapter, bank=PooledBank.stack(runtime, shape.head, [adapter]), ladder=ladder
    )


def _inputs(reader: WordStateReader, text: str) -> list[WordInputs]:
    """Return the states of a whole text; nothing for one without words."""
    (prepared,) = reader.prepare([text])
    return reader.read(cut_segments(prepared, max(len(prepared.words), 1), 0))


def _torch_logits(ladder: PooledLadder, groups: Sequence[PooledGroup]) -> NDArray[np.float32]:
    architecture = ladder.architecture
    feeds = pack_groups(groups, architecture.context)
    feeds["states"] = feeds["states"][list(architecture.taps)]
    marks = feeds.get("marks")
    with torch.inference_mode():
        sums = ladder.sums(
            torch.from_numpy(feeds["states"]),
            torch.from_numpy(feeds["features"]),
            torch.from_numpy(feeds["mask"]),
            torch.from_numpy(feeds["members"]),
            None if marks is None else torch.from_numpy(marks),
        )
        return np.array(ladder.logits(*sums)[0].numpy())
