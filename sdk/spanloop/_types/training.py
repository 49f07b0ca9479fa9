"""Training jobs and what their watch tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from spanloop._types.choice import Choice
from spanloop._types.text import EvaluationReport, ModelType


class TrainingJobState(Choice):
    """Where a training job stands."""

    UNSPECIFIED = "unspecified"
    WAITING = "waiting"
    TRAINING = "training"
    EVALUATING = "evaluating"
    REGISTERING = "registering"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self in {self.DONE, self.FAILED, self.CANCELLED}


class TrainingFailureReason(Choice):
    """Why a training job failed."""

    UNSPECIFIED = "unspecified"
    NO_TRAINING_DATA = "no_training_data"
    INVALID_PARAMETERS = "invalid_parameters"
    OUT_OF_MEMORY = "out_of_memory"
    WORKER_LOST = "worker_lost"
    PARITY_FAILED = "parity_failed"
    TRUNK_UNAVAILABLE = "trunk_unavailable"
    PEER_FAILED = "peer_failed"
    INTERNAL = "internal"
    TOO_FEW_COMPLETIONS = "too_few_completions"
    CONTRADICTORY_ANNOTATIONS = "contradictory_annotations"
    SCRIPT_FAILED = "script_failed"
    RESOURCES_INSUFFICIENT = "resources_insufficient"
    PRECISION_REFUSED = "precision_refused"


class TrainingSource(Choice):
    """What made a training job."""

    UNSPECIFIED = "unspecified"
    MANUAL = "manual"
    ACTIVE_LEARNING = "active_learning"


@dataclass(frozen=True, kw_only=True)
class TrainingResources:
    """What a job takes of a worker, or what a worker has; of a job 0 is the engine's default."""

    cpu: int = 0
    gpu: int = 0
    memory_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class DeploymentOutcome:
    """What became of deploying after training, and why."""

    deployed: bool
    deployment_revision: int = 0
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class TrunkPrecision:
    """In which precision a job reads its trunk, and why."""

    precision: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class TrainingFailure:
    """Why a training job failed: a reason for programs, a message for people."""

    reason: TrainingFailureReason
    message: str


@dataclass(frozen=True, kw_only=True)
class TrainingParameters:
    """How to train; None means the service's default, which adapts to the data.

    Attributes:
        epochs: Most passes over the train split, 1 to 1,000.
        patience: Passes without a better dev F1 after which a label's training stops.
        learning_rate: Step size of the optimiser, 0.000001 to 0.1.
        weight_decay: Decoupled weight decay, 0 to 1.
        dropout: Share of an adapter's activations dropped while training.
        tap_dropout: Share of the trunk's activations dropped while training.
        batch_words: Words per optimiser step, 16 to 65,536.
        width: Width of an adapter's running state, 4 to 512.
        context: Neighbours on each side that an adapter's block sees, 0 to 8.
        seed: Seed of everything random.
        max_length: Longest window in trunk tokens.
        stride: Tokens that neighbouring windows of a long text share.
        validation_split: Share of the train texts held out when there is no dev split, 0 to 0.5.
        learning_rate_decay: Factor by which the step size has fallen at the end, 0 to 1.
        batch_words_start: Words of the first step, which grow up to `batch_words`.
        batch_growth: Factor by which each step's words grow, 1 to 2.
        weight_averaging: Decay of the averaged weights, which are kept then; 0: no averaging.
        engine_options: Options of the engine, by name; see `describe_engines`.
    """

    epochs: int | None = None
    patience: int | None = None
    learning_rate: float | None = None
    weight_decay: float | None = None
    dropout: float | None = None
    tap_dropout: float | None = None
    batch_words: int | None = None
    width: int | None = None
    context: int | None = None
    seed: int | None = None
    max_length: int | None = None
    stride: int | None = None
    validation_split: float | None = None
    learning_rate_decay: float | None = None
    batch_words_start: int | None = None
    batch_growth: float | None = None
    weight_averaging: float | None = None
    engine_options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TrainingProgress:
    """What a job is doing; `fraction` is 0 to 1 over the whole job, `epoch` counts from 1."""

    phase: str
    fraction: float
    epoch: int
    epochs: int


@dataclass(frozen=True, kw_only=True)
class EpochMetrics:
    """Figures after one pass over the train split; `seconds` are wall-clock."""

    epoch: int
    loss: float
    dev_micro_f1: float
    dev_f1: Mapping[str, float]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class TrainingTimings:
    """Wall-clock seconds of a job's parts."""

    trunk_seconds: float
    activation_seconds: float
    training_seconds: float
    evaluation_seconds: float
    registration_seconds: float


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """One training run: a snapshot in, a model version out.

    `evaluation` is there once evaluated, `model_version` once DONE, `failure` when FAILED,
    `waiting_reason` when it is WAITING and could not be taken so far, `trunk_precision` once a
    worker began, `deployment` once deploying was decided.
    """

    name: str
    snapshot: str
    model_type: ModelType
    labels: tuple[str, ...]
    base_model_version: str
    parameters: TrainingParameters
    trunk_source: str
    state: TrainingJobState
    attempt: int
    cancel_requested: bool
    progress: TrainingProgress
    epochs: tuple[EpochMetrics, ...]
    evaluation: EvaluationReport | None
    model_version: str
    failure: TrainingFailure | None
    warnings: tuple[str, ...]
    timings: TrainingTimings
    worker: str
    etag: str
    create_time: datetime | None
    start_time: datetime | None
    end_time: datetime | None
    engine: str = ""
    control: str = ""
    resources: TrainingResources = TrainingResources()
    waiting_reason: str = ""
    source: TrainingSource = TrainingSource.UNSPECIFIED
    group: str = ""
    deployment: DeploymentOutcome | None = None
    example_counts: Mapping[str, int] = field(default_factory=dict)
    trunk_precision: TrunkPrecision | None = None


@dataclass(frozen=True, kw_only=True)
class TrainingLogLine:
    """One line of a job's log; `sequence` counts from 1 over all attempts."""

    sequence: int
    time: datetime | None
    level: str
    message: str
