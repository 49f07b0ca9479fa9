"""What the child process does with a spec: trunk, training, evaluation, parity, result files.

Imported in child processes only: the engines import torch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from services.common.modeling.evaluation import Evaluation
from services.common.modeling.manifest import AdapterManifest, ManifestError, TrunkManifest
from services.common.modeling.onnx.providers import choose_providers
from services.common.modeling.onnx.trunk import MANIFEST_FILE
from services.trainer.child_result import split_of, splits_of, write_result
from services.trainer.domain import FailureReason, JobFailedError
from services.trainer.engines import interface
from services.trainer.engines.catalog import installed_engines
from services.trainer.engines.description import EngineInfo
from services.trainer.engines.effective import Effective, effective
from services.trainer.engines.params import ParamsError
from services.trainer.engines.trunk_names import FP32, in_precision
from services.trainer.job_files import (
    Example,
    JobFolder,
    JobSpec,
)
from services.trainer.precision_check import measured, too_costly
from services.trainer.reports.model import PrecisionReport
from services.trainer.served_scores import measure_served

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
        trunk, in_fp32 = _trunks(spec, send)
    except interface.EngineError as error:
        raise JobFailedError(FailureReason.TRUNK_UNAVAILABLE, str(error)) from error
    if should_stop():
        return False
    try:
        manifest = TrunkManifest.from_bytes((trunk / MANIFEST_FILE).read_bytes())
        initial = _initial(spec)
        chosen = effective(
            engine,
            spec.model_type,
            {**_shape_of(initial), **spec.parameters},
            spec.engine_options,
            manifest.max_length,
        )
        request = _request(spec, folder, trunk, in_fp32, chosen, initial)
        reporter = _EventReporter(send, request.params.epochs)
        result = engine.load()(request, reporter, should_stop)
        reference = _reference(spec, engine, request, in_fp32, result, send, should_stop)
    except interface.Cancelled:
        return False
    except ManifestError as error:
        # Given up, so that the next job fetches or exports them anew.
        for stored in filter(None, (trunk, in_fp32)):
            (stored / MANIFEST_FILE).unlink(missing_ok=True)
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
    check = _checked_precision(spec, request, result, reference, manifest.precision, send)
    for note in result.notes:
        send("warning", message=note)
    for stage, seconds in result.timings.items():
        send("timing", part=_PARTS.get(stage, "training"), seconds=float(seconds))
    if spec.served is not None:
        folder.write_baseline(
            measure_served(spec, spec.served, folder.read_examples(), request.providers, split_of)
        )
    precision = {"precision": manifest.precision, "reason": spec.trunk_precision_reason}
    parameters = chosen.to_text(engine.name, spec.model_type, manifest.digest, precision)
    given = spec.precision_check is None or spec.precision_check.fp32_folder
    exported = "" if given or in_fp32 is None else str(in_fp32)
    write_result(folder, request, result, parameters, check, exported)
    return True


def _trunks(spec: JobSpec, send: Send) -> tuple[Path, Path | None]:
    """Return the trunk to train on, and the one in fp32 that its precision is held against."""
    check = spec.precision_check
    given = Path(check.fp32_folder) if check is not None and check.fp32_folder else None
    missing = check is not None and given is None
    if not spec.trunk_folder:
        trunk, exported = _export(spec.trunk_source, spec, send, with_fp32=missing)
        return trunk, exported if missing else given
    if missing:
        given, _ = _export(in_precision(spec.trunk_source, FP32), spec, send)
    return Path(spec.trunk_folder), given


def _export(
    source: str, spec: JobSpec, send: Send, *, with_fp32: bool = False
) -> tuple[Path, Path | None]:
    # transformers takes seconds to load, and only exporting needs it.
    from services.trainer.engines.trunk_folder import export_into

    started = time.monotonic()
    send("progress", phase="trunk export", fraction=0.0, epoch=0, epochs=0)
    folders = export_into(
        Path(spec.trunks_folder),
        source,
        lambda line: send("log", level="info", message=line),
        with_fp32=with_fp32,
    )
    send("timing", part="trunk", seconds=time.monotonic() - started)
    return folders


def _reference(
    spec: JobSpec,
    engine: EngineInfo,
    request: interface.TrainRequest,
    in_fp32: Path | None,
    result: interface.TrainResult,
    send: Send,
    should_stop: Callable[[], bool],
) -> Mapping[str, Evaluation]:
    """Return what is reached on the trunk in fp32: by a training, or by the adapters made already.

    Raises:
        interface.Cancelled: When asked to stop.
    """
    check = spec.precision_check
    if check is None or in_fp32 is None or not check.train or result.trunk_folder is not None:
        return result.fp32_evaluations
    started = time.monotonic()
    send("log", level="info", message="training on the trunk in fp32 too, to compare")

    def tell(event: interface.TrainEvent) -> None:
        if event.message:
            send("log", level="info", message=f"in fp32: {event.message}")

    # Where a job in fp32 has its checkpoint: if the precision is refused, it goes on from there.
    home = JobFolder(Path(spec.folder)).run_path
    wanted = replace(request, trunk_folder=in_fp32, work_dir=home)
    found = engine.load()(wanted, tell, should_stop).evaluations
    send("timing", part="evaluation", seconds=time.monotonic() - started)
    return found


def _checked_precision(
    spec: JobSpec,
    request: interface.TrainRequest,
    result: interface.TrainResult,
    reference: Mapping[str, Evaluation],
    precision: str,
    send: Send,
) -> PrecisionReport | None:
    """Return what the precision costs; None: nobody wants to know, or nobody can.

    Raises:
        JobFailedError: PRECISION_REFUSED: it costs too much.
    """
    check = spec.precision_check
    if check is None:
        return None
    served, in_fp32 = (splits_of(request, found) for found in (result.evaluations, reference))
    for name, fp32 in in_fp32.items():
        if fp32.split != "dev":
            continue
        report = measured(check, precision, fp32)
        if reason := too_costly(report, served[name]):
            raise JobFailedError(FailureReason.PRECISION_REFUSED, reason)
        return report
    send(
        "log",
        level="warning",
        message=f"What {precision} costs was not measured: there is no dev split, or the engine "
        f"{spec.engine} or its script reads another trunk.",
    )
    return None


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


def _request(
    spec: JobSpec,
    folder: JobFolder,
    trunk: Path,
    in_fp32: Path | None,
    chosen: Effective,
    initial: Mapping[str, interface.AdapterArtifact],
) -> interface.TrainRequest:
    splits: dict[str, list[interface.Example]] = {"train": [], "dev": [], "test": []}
    wanted = set(spec.labels)
    for example in folder.read_examples():
        splits[example.split].append(_example(example, spec, wanted))
    check = spec.precision_check
    # Apart from the run in fp32 that may be its comparison, so that both can go on after a crash.
    work_dir = folder.run_path if check is None else folder.run_path / "precision"
    work_dir.mkdir(exist_ok=True)
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
        work_dir=work_dir,
        cache_dir=Path(spec.cache_folder),
        cache_bytes=spec.cache_bytes,
        params=chosen.params,
        options=chosen.options,
        initial=initial,
        script=None
        if spec.script is None
        else interface.ScriptRun(path=Path(spec.script.path), limits=spec.script.limits),
        fixed_trunk=spec.fixed_trunk,
        fp32_trunk_folder=None if check is None or check.train else in_fp32,
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
