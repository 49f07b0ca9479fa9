"""What an engine is given and what it gives back. Free of torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from services.common.modeling.evaluation import Evaluation
from services.trainer.engines.description import OptionValue
from services.trainer.engines.params import LadderParams
from services.trainer.reports.model import LearningCurvePoint, ScoredText
from services.trainer.scripts.model import ScriptLimits


class Stage(StrEnum):
    """Where a run is; the order is the order of work."""

    PREPARING = "PREPARING"
    ACTIVATIONS = "ACTIVATIONS"
    TRAINING = "TRAINING"
    EVALUATING = "EVALUATING"
    PARITY = "PARITY"


class EngineError(Exception):
    """The run cannot succeed as requested; the message is for the user."""


class NoTrainingDataError(EngineError):
    """The training split has no text with a word, or there are no labels."""


class NoRoomError(EngineError):
    """The disk has no room for what the run has to keep."""


class ScriptFailedError(EngineError):
    """A training script failed, exceeded a limit or broke its contract."""


class Cancelled(Exception):  # noqa: N818 - the requested end of a run, not an error
    """`should_stop` answered true; the last checkpoint stays for a later resume."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One text with what was annotated in it.

    Attributes:
        text: The text.
        spans: Gold spans: start, end (half-open code points), label.
        choices: Chosen values of the control that is trained.
        assertions: Spans with a status: start, end, status.
    """

    text: str
    spans: Sequence[tuple[int, int, str]] = ()
    choices: Sequence[str] = ()
    assertions: Sequence[tuple[int, int, str]] = ()


@dataclass(frozen=True, kw_only=True)
class ScriptRun:
    """A training script on disk, and what it may use."""

    path: Path
    limits: ScriptLimits


@dataclass(frozen=True, kw_only=True)
class TrainRequest:
    """One training run: all labels of a project in one pass.

    Attributes:
        train: Examples to learn from.
        dev: Examples that decide when to stop and fit the bias; may be empty (see
            ``LadderParams.held_out``).
        test: Examples that are only evaluated; may be empty.
        labels: One adapter is trained for each; sorted by the engine. For a classification the
            values of its control, for an assertion the statuses: one adapter is trained for all.
        model_type: ``ner``, ``classification`` or ``assertion``.
        control: For a classification: name of the `Choices` control, the key of its adapter. An
            assertion's key is ``assertion``.
        multiple: For a classification: several values may be chosen at once.
        trunk_folder: An exported trunk: ``manifest.json``, ``model.onnx``, ``tokenizer.json``.
        work_dir: Belongs to this run: its checkpoint lies here, and a second call with the same
            request resumes from it.
        cache_dir: Shared between runs: activations lie here.
        cache_bytes: Most bytes of activations in `cache_dir`; what does not fit is kept in
            `work_dir` until the run ends.
        params: The knobs.
        options: The engine's own knobs, as `EngineInfo.option_values` gives them.
        initial: By label: an adapter of the same trunk whose weights are where its training
            starts; only for engines with `transfer`.
        script: What the engine `script` runs.
        fixed_trunk: Whether the adapters must read `trunk_folder`, because they join others.
        fp32_trunk_folder: The same trunk in fp32, where `trunk_folder` is in another precision and
            the difference is to be measured.
        trunk_source: What `trunk_folder` was exported from, for engines that change the trunk.
        lineage: Goes into every adapter's manifest (snapshot name and hash, …); JSON, and only
            what follows from the inputs, since it is part of the adapter's identity.
        threads: Threads for torch and onnxruntime; 0 for all cores.
        providers: onnxruntime providers, as ``choose_providers`` returns them.
    """

    train: Sequence[Example]
    labels: Sequence[str]
    trunk_folder: Path
    work_dir: Path
    cache_dir: Path
    cache_bytes: int = 8 * 1024**3
    model_type: str = "ner"
    control: str = ""
    multiple: bool = False
    dev: Sequence[Example] = ()
    test: Sequence[Example] = ()
    params: LadderParams = field(default_factory=LadderParams)
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    initial: Mapping[str, AdapterArtifact] = field(default_factory=dict)
    script: ScriptRun | None = None
    fixed_trunk: bool = False
    fp32_trunk_folder: Path | None = None
    trunk_source: str = ""
    lineage: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 0
    providers: Sequence[str] = ("CPUExecutionProvider",)


@dataclass(frozen=True, kw_only=True)
class TrainEvent:
    """Something to show while a run goes on.

    Attributes:
        stage: Where the run is.
        progress: Share of the whole run that is done, 0 to 1; never goes back.
        message: A log line, or empty.
        metrics: Numbers worth plotting, e.g. ``train_loss``, ``dev_micro_f1``, ``dev_f1/ORG``.
        epoch: Finished passes over the training split.
        step: Finished optimiser steps.
    """

    stage: Stage
    progress: float
    message: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    epoch: int = 0
    step: int = 0


OnEvent = Callable[[TrainEvent], None]
"""Called from the training thread; must be quick."""

ShouldStop = Callable[[], bool]
"""Asked between steps; true ends the run with ``Cancelled``."""


@dataclass(frozen=True, kw_only=True)
class AdapterArtifact:
    """One label's adapter as bytes: what ``load_adapter`` reads."""

    manifest: bytes
    weights: bytes


@dataclass(frozen=True, kw_only=True)
class ParityReport:
    """Whether torch and onnxruntime agree on the trained adapters.

    Attributes:
        texts: Texts compared.
        max_abs_diff: Largest difference of any logit.
        span_mismatches: Spans that only one side found.
        passed: Whether the adapters may be served.
        reason: Why not; empty if passed.
    """

    texts: int
    max_abs_diff: float
    span_mismatches: int
    passed: bool
    reason: str = ""

    def to_document(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "texts": self.texts,
            "max_abs_diff": self.max_abs_diff,
            "span_mismatches": self.span_mismatches,
            "passed": self.passed,
            "reason": self.reason,
        }


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """What a run made.

    Attributes:
        adapters: One artifact per label.
        evaluations: By split: ``dev`` (or ``held_out``, or nothing) and ``test`` if it was given.
        fp32_evaluations: What the same adapters score on ``dev`` (or ``held_out``) when they read
            the request's trunk in fp32; empty unless that was asked for and there is such a split.
        best_epochs: The epoch whose weights were kept, per label; 0 is before training.
        parity: The check that must pass before a version is registered.
        timings: Seconds by stage, lower-case: ``activations``, ``training``, ``evaluating``, …
        notes: What was odd about the data, as sentences for the job's log.
        texts: By split, as `evaluations`: the texts that were evaluated, for the job's report.
        learning_curve: F1 on dev after training on parts of the train split, if asked for.
        trunk_folder: The trunk that the adapters read, where it is not the request's.
    """

    adapters: Mapping[str, AdapterArtifact]
    evaluations: Mapping[str, Evaluation]
    best_epochs: Mapping[str, int]
    parity: ParityReport
    timings: Mapping[str, float]
    notes: Sequence[str] = ()
    texts: Mapping[str, Sequence[ScoredText]] = field(default_factory=dict)
    learning_curve: Sequence[LearningCurvePoint] = ()
    trunk_folder: Path | None = None
    fp32_evaluations: Mapping[str, Evaluation] = field(default_factory=dict)
