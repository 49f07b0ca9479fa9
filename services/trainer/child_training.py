"""What the child process does with a spec: trunk, training, evaluation, parity, result files.

Imported in child processes only: the engines import torch.
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from statistics import fmean
from typing import Protocol

from services.common.modeling.evaluation import Evaluation, Score
from services.common.modeling.manifest import AdapterManifest, ManifestError, TrunkManifest
from services.common.modeling.onnx.providers import choose_providers
from services.trainer.domain import FailureReason, JobFailedError, SpanMetrics, SplitEvaluation
from services.trainer.engines import interface
from services.trainer.engines.catalog import installed_engines
from services.trainer.engines.description import EngineInfo
from services.trainer.engines.effective import Effective, effective
from services.trainer.engines.params import ParamsError
from services.trainer.engines.trunk_names import split_precision
from services.trainer.job_files import (
    AdapterFiles,
    Example,
    JobFolder,
    JobResult,
    JobSpec,
    Parity,
    write_whole,
)
from services.trainer.reports.making import split_report
from services.trainer.reports.model import TrainingReport
from services.trainer.served_scores import measure_served

_MANIFEST = "manifest.json"
_SPLITS = {"train": "train", "dev": "dev", "held_out": "dev", "test": "test"}
# The engine measures a run from 0 to 1; getting the trunk comes before it.
_TRUNK_SHARE = 0.05
# Parts of the timings by the engine's stage names; the others count as training.
_PARTS = {
    "preparing": "trunk",
    "activations": "activation",
    "training": "training",
    "evaluating": "evaluation",
    "parity": "registration",
}


class Send(Protocol):
    """Sends one protocol message."""

    def __call__(self, kind: str, **fields: object) -> None:
        """Send a message of this type."""


def train(spec: JobSpec, send: Send, should_stop: Callable[[], bool]) -> bool:
    """Do the spec; False when it was stopped at a checkpoint.

    Raises:
        JobFailedError: The job cannot succeed.
    """
    folder = JobFolder(Path(spec.folder))
    engine = _engine(spec)
    try:
        trunk = Path(spec.trunk_folder) if spec.trunk_folder else _export_trunk(spec, send)
    except interface.EngineError as error:
        raise JobFailedError(FailureReason.TRUNK_UNAVAILABLE, str(error)) from error
    if should_stop():
        return False
    try:
        manifest = TrunkManifest.from_bytes((trunk / _MANIFEST).read_bytes())
        initial = _initial(spec)
        chosen = effective(
            engine,
            spec.model_type,
            {**_shape_of(initial), **spec.parameters},
            spec.engine_options,
            manifest.max_length,
        )
        request = _request(spec, folder, trunk, chosen, initial)
        reporter = _EventReporter(send, request.params.epochs)
        result = engine.load()(request, reporter, should_stop)
    except interface.Cancelled:
        return False
    except ManifestError as error:
        # Given up, so that the next job fetches or exports it anew.
        (trunk / _MANIFEST).unlink(missing_ok=True)
        raise JobFailedError(
            FailureReason.TRUNK_UNAVAILABLE,
            f"The stored trunk is damaged and was dropped: create the job again. ({error})",
        ) from error
    except ParamsError as error:
        raise JobFailedError(FailureReason.INVALID_PARAMETERS, str(error)) from error
    except interface.NoTrainingDataError as error:
        raise JobFailedError(FailureReason.NO_TRAINING_DATA, str(error)) from error
    except interface.ScriptFailedError as error:
        raise JobFailedError(FailureReason.SCRIPT_FAILED, str(error)) from error
    except interface.NoRoomError as error:
        raise JobFailedError(FailureReason.INTERNAL, str(error)) from error
    except interface.EngineError as error:
        raise JobFailedError(FailureReason.INVALID_PARAMETERS, str(error)) from error
    except ImportError as error:
        raise JobFailedError(
            FailureReason.INTERNAL, f"The engine {engine.name} cannot be loaded: {error}"
        ) from error
    for note in result.notes:
        send("warning", message=note)
    for stage, seconds in result.timings.items():
        send("timing", part=_PARTS.get(stage, "training"), seconds=float(seconds))
    if spec.served is not None:
        folder.write_baseline(
            measure_served(spec, spec.served, folder.read_examples(), request.providers, _split)
        )
    parameters = chosen.to_text(engine.name, spec.model_type, manifest.digest)
    _write_result(folder, request, result, parameters)
    return True


def _engine(spec: JobSpec) -> EngineInfo:
    catalog = installed_engines()
    try:
        return catalog.engines[spec.engine]
    except KeyError:
        why = catalog.broken.get(spec.engine, f"installed are: {', '.join(catalog.names)}")
        raise JobFailedError(
            FailureReason.INVALID_PARAMETERS,
            f"This worker has no engine {spec.engine!r}: {why}.",
        ) from None


def _export_trunk(spec: JobSpec, send: Send) -> Path:
    """Export the trunk and return its folder."""
    # transformers takes seconds to load, and only exporting needs it.
    from services.trainer.engines.trunk_export import export_trunk
    from services.trainer.engines.trunk_source import load_trunk

    started = time.monotonic()
    send("progress", phase="trunk export", fraction=0.0, epoch=0, epochs=0)
    send("log", level="info", message=f"exporting the trunk {spec.trunk_source} to ONNX")
    plain, precision = split_precision(spec.trunk_source)
    artifact = export_trunk(load_trunk(plain), precision)
    digest = artifact.manifest.digest
    trunks = Path(spec.trunks_folder)
    folder = trunks / digest.removeprefix("sha256:")
    if not (folder / _MANIFEST).is_file():
        # Whole or not at all: another child may export the same trunk just now.
        part = trunks / f".{folder.name}.{uuid.uuid4().hex}"
        artifact.write(part)
        if folder.exists():
            shutil.rmtree(folder)  # without a manifest: damaged
        try:
            part.rename(folder)
        except OSError:
            shutil.rmtree(part)
    send(
        "log",
        level="info",
        message=f"trunk exported: {digest}, {artifact.agreement}",
    )
    send("timing", part="trunk", seconds=time.monotonic() - started)
    return folder


def _request(
    spec: JobSpec,
    folder: JobFolder,
    trunk: Path,
    chosen: Effective,
    initial: Mapping[str, interface.AdapterArtifact],
) -> interface.TrainRequest:
    splits: dict[str, list[interface.Example]] = {"train": [], "dev": [], "test": []}
    wanted = set(spec.labels)
    for example in folder.read_examples():
        splits[example.split].append(_example(example, spec, wanted))
    try:
        providers = choose_providers(spec.providers)  # type: ignore[arg-type]  # checked inside
    except ValueError as error:
        raise JobFailedError(FailureReason.INVALID_PARAMETERS, str(error)) from error
    return interface.TrainRequest(
        train=splits["train"],
        dev=splits["dev"],
        test=splits["test"],
        labels=spec.labels,
        model_type=spec.model_type,
        control=spec.control,
        multiple=spec.multiple,
        trunk_folder=trunk,
        work_dir=folder.run_path,
        cache_dir=Path(spec.cache_folder),
        cache_bytes=spec.cache_bytes,
        params=chosen.params,
        options=chosen.options,
        initial=initial,
        script=None
        if spec.script is None
        else interface.ScriptRun(path=Path(spec.script.path), limits=spec.script.limits),
        fixed_trunk=spec.fixed_trunk,
        trunk_source=spec.trunk_source,
        lineage=spec.lineage,
        threads=spec.threads,
        providers=providers,
    )


def _example(example: Example, spec: JobSpec, wanted: AbstractSet[str]) -> interface.Example:
    """Return what the type learns of an example."""
    match spec.model_type:
        case "classification":
            values = [value for name, value in example.choices if name == spec.control]
            return interface.Example(text=example.text, choices=values)
        case "assertion":
            return interface.Example(text=example.text, assertions=example.assertions)
        case _:
            spans = [span for span in example.spans if span[2] in wanted]
            return interface.Example(text=example.text, spans=spans)


def _initial(spec: JobSpec) -> dict[str, interface.AdapterArtifact]:
    return {
        files.label: interface.AdapterArtifact(
            manifest=Path(files.manifest).read_bytes(), weights=Path(files.weights).read_bytes()
        )
        for files in spec.initial_adapters
    }


def _shape_of(initial: Mapping[str, interface.AdapterArtifact]) -> dict[str, int]:
    """Return the parameters that adapters to start from have fixed; a job may leave them out."""
    for artifact in initial.values():
        shape = AdapterManifest.from_bytes(artifact.manifest).architecture
        return {"width": shape.width, "context": shape.context}
    return {}


class _EventReporter:
    """Turns the engine's events into messages."""

    def __init__(self, send: Send, epochs: int) -> None:
        self._send = send
        self._epochs = epochs
        self._epoch = 0
        self._evaluating = False
        self._epoch_started = time.monotonic()

    def __call__(self, event: interface.TrainEvent) -> None:
        if event.message:
            self._send("log", level="info", message=event.message)
        if event.stage is interface.Stage.TRAINING:
            self._training(event)
        after_training = event.stage in (interface.Stage.EVALUATING, interface.Stage.PARITY)
        if after_training and not self._evaluating:
            self._evaluating = True
            self._send("evaluating")
        self._send(
            "progress",
            phase=self._phase(event),
            fraction=_TRUNK_SHARE + (1 - _TRUNK_SHARE) * event.progress,
            epoch=event.epoch,
            epochs=max(self._epochs, event.epoch),
        )

    def _training(self, event: interface.TrainEvent) -> None:
        metrics = event.metrics
        self._epochs = int(metrics.get("epochs", self._epochs))
        if event.epoch <= self._epoch or "train_loss" not in metrics:
            return
        now = time.monotonic()
        self._send(
            "epoch",
            epoch=event.epoch,
            loss=float(metrics["train_loss"]),
            dev_micro_f1=float(metrics.get("dev_micro_f1", 0.0)),
            dev_f1={
                name.removeprefix("dev_f1/"): float(value)
                for name, value in metrics.items()
                if name.startswith("dev_f1/")
            },
            seconds=float(metrics.get("seconds", now - self._epoch_started)),
        )
        self._epoch, self._epoch_started = event.epoch, now

    def _phase(self, event: interface.TrainEvent) -> str:
        if event.stage is interface.Stage.TRAINING:
            return f"epoch {event.epoch}/{max(self._epochs, event.epoch)}"
        return event.stage.value.lower()


def _write_result(
    folder: JobFolder,
    request: interface.TrainRequest,
    result: interface.TrainResult,
    parameters: str,
) -> None:
    adapters = []
    for index, (label, artifact) in enumerate(sorted(result.adapters.items())):
        # Numbered: a label may hold any character.
        home = folder.adapters_path / str(index)
        home.mkdir(parents=True, exist_ok=True)
        manifest, weights = home / _MANIFEST, home / "adapter.safetensors"
        write_whole(manifest, artifact.manifest)
        write_whole(weights, artifact.weights)
        adapters.append(AdapterFiles(label=label, manifest=str(manifest), weights=str(weights)))
    texts = {
        "train": len(request.train),
        "dev": len(request.dev),
        "held_out": round(len(request.train) * request.params.held_out),
        "test": len(request.test),
    }
    parity = result.parity
    evaluations = {
        name: _split(_SPLITS[name], evaluation, texts[name])
        for name, evaluation in result.evaluations.items()
        if name in _SPLITS
    }
    folder.write_report(
        TrainingReport(
            splits=tuple(
                split_report(evaluation, result.texts.get(name, ()))
                for name, evaluation in evaluations.items()
            ),
            learning_curve=tuple(result.learning_curve),
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
        )
    )


def _split(name: str, evaluation: Evaluation, texts: int) -> SplitEvaluation:
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
