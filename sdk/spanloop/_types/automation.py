"""Training without a hand on it: data, groups, settings, active learning."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from spanloop._types.annotation import SplitPolicy
from spanloop._types.team import Selection
from spanloop._types.text import ModelType
from spanloop._types.training import TrainingJob, TrainingParameters, TrainingResources


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """Which annotations to train on; a snapshot of them is taken at once."""

    selection: Selection | None = None
    split_policy: SplitPolicy | None = None


@dataclass(frozen=True, kw_only=True)
class TransferLearning:
    """Start from the weights of another version of the same trunk."""

    model_version: str
    include_base_labels: bool = False


@dataclass(frozen=True, kw_only=True)
class TrainingTemplate:
    """What jobs have in common that are created together, or by themselves.

    `model_type`, `labels` and `control` are for active learning only; unspecified, all that the
    project has is trained.
    """

    data: TrainingData | None = None
    parameters: TrainingParameters = field(default_factory=TrainingParameters)
    trunk_source: str = ""
    engine: str = ""
    transfer: TransferLearning | None = None
    resources: TrainingResources = field(default_factory=TrainingResources)
    deploy: bool = False
    model_type: ModelType = ModelType.UNSPECIFIED
    labels: tuple[str, ...] = ()
    control: str = ""


@dataclass(frozen=True, kw_only=True)
class TrainingGroup:
    """Training jobs that one request made, one per model."""

    name: str
    training_jobs: tuple[TrainingJob, ...]
    create_time: datetime | None


@dataclass(frozen=True, kw_only=True)
class DeploymentGate:
    """What a new version must reach before it is deployed by itself."""

    min_micro_f1: float = 0.0
    max_label_regression: float = 0.02


@dataclass(frozen=True, kw_only=True)
class ActiveLearningPolicy:
    """Trains by itself when so many completions came in, or after a time with at least one."""

    enabled: bool = False
    min_new_completions: int = 50
    max_interval: timedelta | None = None
    deploy: bool = False
    template: TrainingTemplate = field(default_factory=TrainingTemplate)


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How a project trains."""

    name: str
    versioning_disabled: bool
    active_learning: ActiveLearningPolicy
    gate: DeploymentGate
    etag: str
    update_time: datetime | None


@dataclass(frozen=True, kw_only=True)
class ActiveLearningState:
    """Where a project's active learning stands; `queued`: another run follows the one under way."""

    name: str
    new_completions: int
    training_jobs: tuple[str, ...]
    last_run_time: datetime | None
    queued: bool
    message: str
