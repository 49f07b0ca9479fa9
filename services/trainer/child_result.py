"""What a child process leaves behind: adapters, evaluations, report and result as files."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean

from services.common.modeling.evaluation import Evaluation, Score
from services.common.modeling.onnx.trunk import MANIFEST_FILE
from services.trainer.domain import SpanMetrics, SplitEvaluation
from services.trainer.engines import interface
from services.trainer.job_files import (
    AdapterFiles,
    JobFolder,
    JobResult,
    Parity,
    write_whole,
)
from services.trainer.reports.making import split_report
from services.trainer.reports.model import PrecisionReport, TrainingReport

_SPLITS = {"train": "train", "dev": "dev", "held_out": "dev", "test": "test"}


def write_result(
    folder: JobFolder,
    request: interface.TrainRequest,
    result: interface.TrainResult,
    parameters: str,
    precision: PrecisionReport | None,
    exported_fp32: str,
) -> None:
    """Write what a run made, the result file last.

    Args:
        folder: The job's.
        request: What was asked of the engine.
        result: What it made.
        parameters: What decided the run, canonical JSON.
        precision: What the trunk's precision costs, if that was measured.
        exported_fp32: The folder of the trunk in fp32, if it was exported for that.
    """
    adapters = []
    for index, (label, artifact) in enumerate(sorted(result.adapters.items())):
        # Numbered: a label may hold any character.
        home = folder.adapters_path / str(index)
        home.mkdir(parents=True, exist_ok=True)
        manifest, weights = home / MANIFEST_FILE, home / "adapter.safetensors"
        write_whole(manifest, artifact.manifest)
        write_whole(weights, artifact.weights)
        adapters.append(AdapterFiles(label=label, manifest=str(manifest), weights=str(weights)))
    parity = result.parity
    evaluations = splits_of(request, result.evaluations)
    folder.write_report(
        TrainingReport(
            splits=tuple(
                split_report(evaluation, result.texts.get(name, ()))
                for name, evaluation in evaluations.items()
            ),
            learning_curve=tuple(result.learning_curve),
            precision=precision,
        )
    )
    folder.write_result(
        JobResult(
            trunk_folder=str(result.trunk_folder or request.trunk_folder),
            adapters=tuple(adapters),
            evaluation=tuple(evaluations.values()),
            parity=Parity(
                texts=parity.texts,
                max_abs_diff=float(parity.max_abs_diff),
                span_mismatches=parity.span_mismatches,
                passed=parity.passed,
                reason=parity.reason,
            ),
            parameters=parameters,
            fp32_trunk_folder=exported_fp32,
        )
    )


def splits_of(
    request: interface.TrainRequest, evaluations: Mapping[str, Evaluation]
) -> dict[str, SplitEvaluation]:
    """Return an engine's evaluations by the names that it gave the splits."""
    texts = {
        "train": len(request.train),
        "dev": len(request.dev),
        "held_out": round(len(request.train) * request.params.held_out),
        "test": len(request.test),
    }
    return {
        name: split_of(_SPLITS[name], evaluation, texts[name])
        for name, evaluation in evaluations.items()
        if name in _SPLITS
    }


def split_of(name: str, evaluation: Evaluation, texts: int) -> SplitEvaluation:
    """Return the evaluation of one split, ``train``, ``dev`` or ``test``."""
    labels = {label: _metrics(score) for label, score in evaluation.labels.items()}
    supported = [metrics for metrics in labels.values() if metrics.support]
    macro = SpanMetrics(
        precision=fmean(m.precision for m in supported) if supported else 0.0,
        recall=fmean(m.recall for m in supported) if supported else 0.0,
        f1=evaluation.macro_f1,
        support=sum(m.support for m in labels.values()),
        predicted=sum(m.predicted for m in labels.values()),
        correct=sum(m.correct for m in labels.values()),
    )
    return SplitEvaluation(
        split=name, labels=labels, micro=_metrics(evaluation.micro), macro=macro, texts=texts
    )


def _metrics(score: Score) -> SpanMetrics:
    return SpanMetrics(
        precision=score.precision,
        recall=score.recall,
        f1=score.f1,
        support=score.support,
        predicted=score.predicted,
        correct=score.correct,
    )
