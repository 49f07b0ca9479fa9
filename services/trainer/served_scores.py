"""What the version served today scores on a job's own examples, by the serving path.

Run in the child process, so that new and old version are measured on the same frozen texts by the
same code. The served version may read another trunk than the job's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from services.common.modeling.adapter import AdapterWeights, load_adapter
from services.common.modeling.assertions import assert_spans
from services.common.modeling.choices import classify
from services.common.modeling.evaluation import Evaluation, Span, evaluate
from services.common.modeling.heads import Head
from services.common.modeling.manifest import ManifestError
from services.common.modeling.onnx.bank import Bank, BankRuntime
from services.common.modeling.onnx.pooled import PooledBank
from services.common.modeling.onnx.trunk import TrunkRunner
from services.common.modeling.predictor import TextPredictor
from services.common.modeling.states import WordStateReader
from services.trainer.domain import Baseline, SplitEvaluation
from services.trainer.job_files import Example, JobSpec, ServedModel

Summarise = Callable[[str, Evaluation, int], SplitEvaluation]


def measure_served(
    spec: JobSpec,
    served: ServedModel,
    examples: Iterable[Example],
    providers: Sequence[str],
    summarise: Summarise,
) -> Baseline:
    """Return what the served version scores, or why it cannot be measured.

    Args:
        spec: The job.
        served: The served version.
        examples: All its examples.
        providers: onnxruntime providers.
        summarise: Makes a split's evaluation of its name, scores and number of texts.
    """
    chosen = [example for example in examples if example.split == served.split]
    if not chosen:
        return Baseline(
            model_version=served.model_version,
            reason="the snapshot has neither a dev nor a test split",
        )
    try:
        evaluation = _evaluate(spec, served, chosen, providers)
    except ManifestError as error:
        return Baseline(model_version=served.model_version, reason=str(error))
    return Baseline(
        model_version=served.model_version,
        evaluation=summarise(served.split, evaluation, len(chosen)),
    )


def _evaluate(
    spec: JobSpec, served: ServedModel, examples: Sequence[Example], providers: Sequence[str]
) -> Evaluation:
    trunk = TrunkRunner.open_folder(
        Path(served.trunk_folder), providers=providers, threads=spec.threads
    )
    runtime = BankRuntime(trunk.manifest, providers=providers)
    weights = [
        load_adapter(Path(item.manifest).read_bytes(), Path(item.weights).read_bytes())
        for item in served.adapters
    ]
    match spec.model_type:
        case "classification":
            return _of_choices(spec, trunk, runtime, weights, examples)
        case "assertion":
            return _of_assertions(trunk, runtime, weights, examples)
        case _:
            return _of_spans(trunk, runtime, weights, examples)


def _of_spans(
    trunk: TrunkRunner,
    runtime: BankRuntime,
    weights: Sequence[AdapterWeights],
    examples: Sequence[Example],
) -> Evaluation:
    predicted: list[list[Span]] = [[] for _ in examples]
    for reader, group in _by_window(trunk, weights):
        predictor = TextPredictor(reader, Bank.stack(runtime, group))
        for found, spans in zip(
            predicted, predictor.predict([e.text for e in examples]), strict=True
        ):
            found.extend((span.start, span.end, span.label) for span in spans)
    labels = [adapter.label for adapter in weights]
    return evaluate([example.spans for example in examples], predicted, labels)


def _of_choices(
    spec: JobSpec,
    trunk: TrunkRunner,
    runtime: BankRuntime,
    weights: Sequence[AdapterWeights],
    examples: Sequence[Example],
) -> Evaluation:
    gold: list[list[Span]] = []
    predicted: list[list[Span]] = []
    classes: list[str] = []
    for reader, group in _by_window(trunk, weights):
        bank = PooledBank.stack(runtime, Head.CHOICES, group)
        classes += bank.classes(0)
        # As in training: of a single choice only texts with exactly one value count.
        asked = [
            (example.text, values)
            for example in examples
            if len(values := {v for control, v in example.choices if control == spec.control}) == 1
            or spec.multiple
        ]
        answers = classify(reader, bank, reader.prepare([text for text, _ in asked]))
        gold += [[(0, len(text), value) for value in values] for text, values in asked]
        predicted += [
            [(0, len(text), answer.values[place]) for answer in answered for place in answer.chosen]
            for (text, _), answered in zip(asked, answers, strict=True)
        ]
    return evaluate(gold, predicted, classes)


def _of_assertions(
    trunk: TrunkRunner,
    runtime: BankRuntime,
    weights: Sequence[AdapterWeights],
    examples: Sequence[Example],
) -> Evaluation:
    asked = [example for example in examples if example.assertions]
    extents = [sorted({(start, end) for start, end, _ in one.assertions}) for one in asked]
    predicted: list[list[Span]] = [[] for _ in asked]
    classes: list[str] = []
    for reader, group in _by_window(trunk, weights):
        bank = PooledBank.stack(runtime, Head.ASSERTION, group)
        statuses = bank.classes(0)
        classes += statuses
        prepared = reader.prepare([example.text for example in asked])
        for found, spans, chances in zip(
            predicted, extents, assert_spans(reader, bank, prepared, extents), strict=True
        ):
            best = np.argmax(chances, axis=1).tolist()
            found.extend(
                (*extent, statuses[place]) for extent, place in zip(spans, best, strict=True)
            )
    return evaluate([example.assertions for example in asked], predicted, classes)


def _by_window(
    trunk: TrunkRunner, weights: Sequence[AdapterWeights]
) -> Iterator[tuple[WordStateReader, list[AdapterWeights]]]:
    """Yield adapters that read the same windows, with a reader of these."""

    def window(adapter: AdapterWeights) -> tuple[int, int]:
        return adapter.manifest.max_length, adapter.manifest.stride

    for (length, stride), group in groupby(sorted(weights, key=window), key=window):
        yield WordStateReader(trunk, max_length=length, stride=stride), list(group)
