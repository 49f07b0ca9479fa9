"""Compares torch with onnxruntime on the adapters as they will be served."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from services.common.modeling.adapter import AdapterWeights, load_adapter
from services.common.modeling.decoding import DecodedSpan, decode_bio
from services.common.modeling.onnx.bank import Bank, BankRuntime
from services.common.modeling.packing import WordInputs, pack_words
from services.common.modeling.predictor import text_logits
from services.common.modeling.states import (
    PreparedText,
    Segment,
    WordStateReader,
    cut_segments,
)
from services.trainer.engines.interface import AdapterArtifact, ParityReport
from services.trainer.engines.ladder import Ladder

LOGIT_LIMIT = 1e-3
"""Largest difference of any logit between torch and onnxruntime."""

_WORDS_AT_ONCE = 2048

ODD_TEXTS = ("", " \n", "a", "😀", "Ltd. ltd LTD 1,000.50 https://example.org/x @y #z 東京")
"""Compared in every run, beside real texts."""


def check_parity(
    adapters: Mapping[str, AdapterArtifact],
    *,
    reader: WordStateReader,
    providers: Sequence[str],
    texts: Sequence[str],
    threads: int = 0,
) -> ParityReport:
    """Run the same texts through torch and through the serving path.

    Both start from the adapters' bytes, so their packing is checked too, and from the states of
    the very trunk that serves. Spans are compared with the fitted bias.

    Args:
        adapters: The artifacts by label.
        reader: Reads states from the trunk.
        providers: onnxruntime providers.
        texts: Real texts; a few odd ones are added. Long ones are compared whole.
        threads: Threads of the bank.

    Returns:
        The report; ``passed`` only if no logit differs by more than ``LOGIT_LIMIT`` and every span
        is the same on both sides.

    Raises:
        ManifestError: If an adapter cannot be loaded at all.
    """
    weights = [load_adapter(item.manifest, item.weights) for item in adapters.values()]
    runtime = BankRuntime(reader.trunk.manifest, providers=providers, threads=threads)
    bank = Bank.stack(runtime, weights)
    ladder = _torch_ladder(weights)
    prepared = reader.prepare([*ODD_TEXTS, *texts])
    largest, mismatches = 0.0, 0
    for text, inputs in _whole(reader, prepared):
        served = _served_logits(bank, reader, text, inputs)
        trained = _torch_logits(ladder, inputs)
        seen = inputs.present
        difference = np.abs(served - trained)[:, seen]
        if difference.size:
            worst = float(difference.max())
            largest = max(largest, worst) if np.isfinite(worst) else float("inf")
        trained[:, ~seen] = served[:, ~seen]
        for row, adapter in enumerate(weights):
            bias = adapter.manifest.decoding.outside_bias
            mismatches += len(
                _borders(decode_bio(served[row], bias)) ^ _borders(decode_bio(trained[row], bias))
            )
    reason = disagreement(largest, mismatches, "spans")
    return ParityReport(
        texts=len(prepared),
        max_abs_diff=largest,
        span_mismatches=mismatches,
        passed=not reason,
        reason=reason,
    )


def _whole(
    reader: WordStateReader, texts: Sequence[PreparedText]
) -> Iterator[tuple[PreparedText, WordInputs]]:
    """Yield the texts that have words with their states, read without a cut.

    Some are read at once, so that neither time nor memory grows much with their number.
    """
    group: list[Segment] = []
    words = 0
    for text in texts:
        group += cut_segments(text, max(len(text.words), 1), 0)
        words += len(text.words)
        if words >= _WORDS_AT_ONCE:
            yield from zip((one.text for one in group), reader.read(group), strict=True)
            group, words = [], 0
    yield from zip((one.text for one in group), reader.read(group), strict=True)


def _served_logits(
    bank: Bank, reader: WordStateReader, text: PreparedText, whole: WordInputs
) -> NDArray[np.float32]:
    """Return the logits as they are served; the trunk runs again only where that cuts the text."""

    def read(_: Sequence[int], segments: Sequence[Segment]) -> list[WordInputs]:
        if [(one.start, one.end) for one in segments] == [(0, len(text.words))]:
            return [whole]
        return reader.read(segments)

    return text_logits(bank, [text], read)[0]


def disagreement(largest: float, mismatches: int, what: str) -> str:
    """Return why adapters must not be served, or nothing.

    Args:
        largest: Largest difference of any logit.
        mismatches: Decisions that differ.
        what: What these are, for the message.
    """
    if not largest <= LOGIT_LIMIT:
        return (
            f"torch and onnxruntime differ by {largest:.2g} in a logit, more than {LOGIT_LIMIT:g}"
        )
    if mismatches:
        return f"torch and onnxruntime disagree on {mismatches} {what}"
    return ""


def _torch_ladder(weights: Sequence[AdapterWeights]) -> Ladder:
    architecture = weights[0].manifest.architecture
    ladder = Ladder(architecture, [item.label for item in weights], seed=0)
    ladder.load(
        {
            name: torch.from_numpy(np.stack([item.tensors[name] for item in weights]))
            for name in architecture.tensor_shapes()
        }
    )
    return ladder


def _torch_logits(ladder: Ladder, inputs: WordInputs) -> NDArray[np.float32]:
    packed = pack_words([inputs], ladder.architecture.context)
    states = packed.states[list(ladder.architecture.taps)]
    with torch.inference_mode():
        logits = ladder(
            torch.from_numpy(states),
            torch.from_numpy(packed.features),
            torch.from_numpy(packed.mask),
        )
    return np.array(logits.numpy())


def _borders(spans: Sequence[DecodedSpan]) -> set[tuple[int, int]]:
    return {(span.first, span.last) for span in spans}
