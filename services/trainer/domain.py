"""What a training job is, apart from how it is stored, sent or run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from services.trainer.job_state import JobState

RECOMMENDED_EXAMPLES = 40
"""Below this number of annotated spans a label gets a warning."""


class FailureReason(StrEnum):
    """Why a job failed; names as in the contract's TrainingFailureReason without its prefix."""

    NO_TRAINING_DATA = "NO_TRAINING_DATA"
    INVALID_PARAMETERS = "INVALID_PARAMETERS"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    WORKER_LOST = "WORKER_LOST"
    PARITY_FAILED = "PARITY_FAILED"
    TRUNK_UNAVAILABLE = "TRUNK_UNAVAILABLE"
    PEER_FAILED = "PEER_FAILED"
    INTERNAL = "INTERNAL"
    TOO_FEW_COMPLETIONS = "TOO_FEW_COMPLETIONS"
    CONTRADICTORY_ANNOTATIONS = "CONTRADICTORY_ANNOTATIONS"
    SCRIPT_FAILED = "SCRIPT_FAILED"
    RESOURCES_INSUFFICIENT = "RESOURCES_INSUFFICIENT"
    PRECISION_REFUSED = "PRECISION_REFUSED"


class ModelType(StrEnum):
    """What is trained; values as in names of model versions."""

    NER = "ner"
    CLASSIFICATION = "classification"
    ASSERTION = "assertion"


class TrainingSource(StrEnum):
    """What made a job."""

    MANUAL = "MANUAL"
    ACTIVE_LEARNING = "ACTIVE_LEARNING"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a job failed and what to do about it."""

    reason: FailureReason
    message: str


class JobFailedError(Exception):
    """The attempt found that the job cannot succeed."""

    def __init__(self, reason: FailureReason, message: str) -> None:
        """Remember why."""
        super().__init__(message)
        self.failure = Failure(reason=reason, message=message)


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """How to train; None means the engine's default. Bounds: `validation.check_parameters`."""

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
class Transfer:
    """Start from the weights of another version of the same trunk."""

    model_version: str
    include_base_labels: bool = False


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """Which annotations to train on; the annotation service alone reads and judges it.

    Attributes:
        document: JSON form of the contract's message `TrainingData`, keys sorted.
    """

    document: str = "{}"


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a job takes of a worker, or what a worker has; 0: the engine's default."""

    cpu: int = 0
    gpu: int = 0
    memory_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class DeploymentOutcome:
    """What became of deploying after training."""

    deployed: bool
    deployment_revision: int = 0
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class TrunkPrecision:
    """In which precision a job reads its trunk, and why, for people."""

    precision: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What a job is doing; `fraction` is of the whole job, 0 to 1."""

    phase: str = ""
    fraction: float = 0.0
    epoch: int = 0
    epochs: int = 0


@dataclass(frozen=True, kw_only=True)
class EpochMetrics:
    """Figures after one pass over the train split."""

    epoch: int
    loss: float
    dev_micro_f1: float
    dev_f1: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class SpanMetrics:
    """Exact-span quality of one label, or an average."""

    precision: float = 0.0
    recall: float = 0.0
    f1: float = 0.0
    support: int = 0
    predicted: int = 0
    correct: int = 0


@dataclass(frozen=True, kw_only=True)
class SplitEvaluation:
    """Quality on one split: ``train``, ``dev`` or ``test``."""

    split: str
    labels: Mapping[str, SpanMetrics]
    micro: SpanMetrics
    macro: SpanMetrics
    texts: int


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What the version served before a job scores on the job's own frozen examples.

    Attributes:
        model_version: Its resource name.
        evaluation: On one split; None when it could not be measured.
        reason: Why it could not, or empty.
    """

    model_version: str
    evaluation: SplitEvaluation | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Timings:
    """Wall-clock seconds of a job's parts, summed over attempts."""

    trunk_seconds: float = 0.0
    activation_seconds: float = 0.0
    training_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    registration_seconds: float = 0.0

    def plus(self, part: str, seconds: float) -> Timings:
        """Return the timings with `seconds` added to ``<part>_seconds``."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values[f"{part}_seconds"] += max(0.0, seconds)
        return Timings(**values)


@dataclass(frozen=True, kw_only=True)
class Lease:
    """Who may write a running job, and until when.

    Attributes:
        worker: The holder's id; empty when nobody holds it.
        boot: The holder's process start, so that a restarted worker knows its own orphans.
        token: Fencing token: grows with every claim and every taking away, never falls.
        expires_at: Microseconds since the epoch; changes with every renewal, by which others see
            that the holder lives (`lease_watch`).
    """

    worker: str = ""
    boot: str = ""
    token: int = 0
    expires_at: int = 0


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """One training run: a snapshot in, a model version out. Times in microseconds, 0: not yet."""

    project: str
    id: str
    snapshot: str
    labels: tuple[str, ...] = ()
    base_model_version: str = ""
    parameters: Parameters = field(default_factory=Parameters)
    trunk_source: str
    model_type: ModelType = ModelType.NER
    control: str = ""
    """For a classification: name of the `Choices` control."""
    engine: str = "ladder"
    trunk_precision: TrunkPrecision | None = None
    """Chosen when a worker began; later attempts keep to it."""
    multiple: bool = False
    """For a classification: several values may be chosen at once."""
    data: TrainingData | None = None
    transfer: Transfer | None = None
    resources: Resources = field(default_factory=Resources)
    waiting_reason: str = ""
    source: TrainingSource = TrainingSource.MANUAL
    group: str = ""
    """The group's resource name."""
    deploy: bool = False
    deployment: DeploymentOutcome | None = None
    baseline: Baseline | None = None
    """The version served when the job ran, measured on the same examples; for the gate."""
    replace_newest: bool = False
    """The version takes the place of the newest one: the project's setting at creation, so that
    a later change of it concerns later jobs only."""
    example_counts: Mapping[str, int] = field(default_factory=dict)
    script: str = ""
    state: JobState = JobState.WAITING
    attempt: int = 0
    cancel_requested: bool = False
    committed: bool = False
    """The model version is being created: it is too late to cancel."""
    progress: Progress = field(default_factory=Progress)
    epochs: tuple[EpochMetrics, ...] = ()
    evaluation: tuple[SplitEvaluation, ...] = ()
    model_version: str = ""
    failure: Failure | None = None
    warnings: tuple[str, ...] = ()
    timings: Timings = field(default_factory=Timings)
    lease: Lease = field(default_factory=Lease)
    version: int = 1
    """Counts the changes that a caller can see."""
    create_time: int = 0
    start_time: int = 0
    end_time: int = 0

    @property
    def name(self) -> str:
        """``projects/{project}/trainingJobs/{job}``."""
        return f"projects/{self.project}/trainingJobs/{self.id}"

    @property
    def kept_version(self) -> str:
        """The version whose labels that are not trained the new version keeps, or empty."""
        if self.transfer is not None and self.transfer.include_base_labels:
            return self.transfer.model_version
        return self.base_model_version

    @property
    def based_on(self) -> str:
        """The version whose trunk the job reads, or empty."""
        return self.transfer.model_version if self.transfer else self.base_model_version

    @property
    def etag(self) -> str:
        """Changes with every visible change."""
        return f"v{self.version}"


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One line of a job's log; `sequence` counts from 1 without gaps, `time` in microseconds."""

    sequence: int
    time: int
    level: str
    message: str
