"""The engine `script`: a user's own program, run apart, and what it makes checked in full."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from services.common.modeling.evaluation import Evaluation
from services.common.modeling.manifest import AdapterManifest
from services.common.modeling.states import WordStateReader
from services.trainer.engines.engine_run import EngineRun
from services.trainer.engines.interface import (
    AdapterArtifact,
    Cancelled,
    OnEvent,
    ScriptFailedError,
    ScriptRun,
    ShouldStop,
    Stage,
    TrainRequest,
    TrainResult,
)
from services.trainer.engines.script_artifacts import read_adapters, read_metrics, read_trunk
from services.trainer.engines.script_dataset import prepare_folder, write_arrays, write_dataset
from services.trainer.engines.trunk_names import TUNED_PREFIX
from services.trainer.scripts import landlock
from services.trainer.scripts.sandbox import run_script
from services.trainer.scripts.supervisor import End, Outcome

_BEGINS = {
    Stage.PREPARING: 0.0,
    Stage.ACTIVATIONS: 0.02,
    Stage.TRAINING: 0.2,
    Stage.EVALUATING: 0.93,
    Stage.PARITY: 0.97,
}
_PROGRESS = "::progress "
_SHOWN_METRICS = 2_000
_LAST_LINES = 30


def train(request: TrainRequest, on_event: OnEvent, should_stop: ShouldStop) -> TrainResult:
    """Run the request's script, check what it made and evaluate it on the serving path.

    Args:
        request: What to train; `script` must be set.
        on_event: Told progress, and each line that the script writes.
        should_stop: Asked often; true ends the script at once. A later run begins anew.

    Raises:
        ScriptFailedError: It failed, exceeded a limit, or made something else than asked for.
        NoTrainingDataError: If there is nothing to learn from.
        ManifestError: If the trunk's files differ from its manifest.
        Cancelled: When `should_stop` says so.
    """
    if request.script is None:
        raise ScriptFailedError("The job names no training script.")
    return _Run(request, on_event, should_stop, _BEGINS).run(request.script)


class _Run(EngineRun):
    _last: deque[str]

    def run(self, script: ScriptRun) -> TrainResult:
        request, log = self.request, self.log
        folder = request.work_dir / "script"
        with log.stage(Stage.PREPARING, "opening the trunk"):
            trunk = self.open_trunk(request.trunk_folder)
            reader = self.reader(trunk)
        with log.stage(Stage.ACTIVATIONS, "running the trunk over all splits"):
            splits = self.cached_splits(reader)
            train_split, (name, dev) = self.decider(splits)
            judged = {name: dev, "test": splits.get("test")}
            present = {key: split for key, split in judged.items() if split is not None}
            prepare_folder(folder)
            # Not test: what the result is judged by must not be learned from.
            told = {"train": train_split} if dev is None else {"train": train_split, "dev": dev}
            write_dataset(folder, request, self.task, trunk.manifest, told)
            if request.options["activations"]:
                write_arrays(folder, told)
        with log.stage(Stage.TRAINING, "the training script runs"):
            self._execute(script, folder)
            metrics = read_metrics(folder)
        if metrics:
            log.note(Stage.TRAINING, f"The script says: {metrics[:_SHOWN_METRICS]}")
        target = request.work_dir / "trunk"
        own = read_trunk(folder / "artifacts", target, TUNED_PREFIX + "script")
        if own is not None:
            if request.fixed_trunk:
                raise ScriptFailedError(
                    "The script brought a trunk of its own, but the job keeps or continues "
                    "adapters of another version: all adapters of a version read one trunk."
                )
            trunk = self.open_trunk(own)
            reader = self.reader(trunk)
            present = self.judged_splits(
                reader, {key: split.examples for key, split in present.items()}
            )
        with log.stage(Stage.EVALUATING, "evaluating on the serving path"):
            artifacts = self._adapters(folder, reader, {})
            evaluations = self.evaluate(artifacts, present, trunk.manifest)
            # A trunk that the script brought has no precision that was chosen for it.
            examples = () if own is not None or dev is None else dev.examples
            in_fp32 = self.evaluate_in_fp32(artifacts, trunk.manifest, name, examples)
        with log.stage(Stage.PARITY, "comparing torch with onnxruntime"):
            adapters = self._adapters(folder, reader, evaluations)
            parity = self.check_parity(adapters, reader)
        return TrainResult(
            adapters=adapters,
            evaluations=evaluations,
            best_epochs=dict.fromkeys(self.task.names, 0),
            parity=parity,
            timings=log.timings,
            notes=log.notes,
            texts=self.texts,
            trunk_folder=own,
            fp32_evaluations=in_fp32,
        )

    def _execute(self, script: ScriptRun, folder: Path) -> None:
        if not landlock.version():
            self.log.note(
                Stage.TRAINING,
                "This kernel cannot confine the script: it could read the trainer's own files.",
            )
        self._last = deque(maxlen=_LAST_LINES)
        outcome = run_script(
            script.path,
            folder,
            script.limits,
            readable=[self.request.trunk_folder],
            threads=self.request.threads,
            on_line=self._on_line,
            should_stop=self.should_stop,
        )
        if outcome.end is End.STOPPED:
            raise Cancelled
        reason = _reason(outcome, script, "\n".join(self._last))
        if reason:
            raise ScriptFailedError(f"{reason} What it wrote is in the job's log.")

    def _on_line(self, line: str) -> None:
        if line.startswith(_PROGRESS):
            try:
                share = float(line.removeprefix(_PROGRESS))
            except ValueError:
                share = -1.0
            if 0.0 <= share <= 1.0:
                self.log.progress(Stage.TRAINING, share)
                return
        self._last.append(line)
        self.log.say(Stage.TRAINING, line)

    def _adapters(
        self, folder: Path, reader: WordStateReader, evaluations: Mapping[str, Evaluation]
    ) -> dict[str, AdapterArtifact]:
        lineage = {
            **self.request.lineage,
            "engine": "script",
            "params": self.request.params.to_document(),
            "options": dict(self.request.options),
        }
        made = read_adapters(
            folder / "artifacts", self.task, reader.trunk.manifest, self.request.params, lineage
        )
        return {name: with_metrics(item, evaluations) for name, item in made.items()}


def with_metrics(
    artifact: AdapterArtifact, evaluations: Mapping[str, Evaluation]
) -> AdapterArtifact:
    """Return an adapter whose manifest holds how good it is."""
    manifest = AdapterManifest.from_bytes(artifact.manifest)
    metrics = {
        split: evaluation.to_document()
        if manifest.classes
        else evaluation.labels[manifest.label].to_document()
        for split, evaluation in evaluations.items()
    }
    return replace(artifact, manifest=replace(manifest, metrics=metrics).to_bytes())


def _reason(outcome: Outcome, script: ScriptRun, said: str) -> str:
    """Return what went wrong, or nothing."""
    limits = script.limits
    match outcome.end:
        case End.EXITED if outcome.status:
            ended = f"The script ended with exit status {outcome.status}."
            if "MemoryError" in said or "allocate memory" in said:
                return f"{ended} It may use {limits.memory_bytes:,} bytes of memory."
            if "File too large" in said:
                return f"{ended} A file may have {limits.file_bytes:,} bytes."
            return ended
        case End.KILLED:
            return (
                f"The script was ended by signal {outcome.status}: its own error, or processor "
                "time or memory ran out."
            )
        case End.TIME:
            return f"The script exceeded its time of {limits.wall_seconds:,} seconds."
        case End.FOLDER:
            return f"The script exceeded the {limits.folder_bytes:,} bytes of its folder."
        case End.NOT_STARTED:
            return f"The script could not be started: {outcome.message}."
        case _:
            return ""
