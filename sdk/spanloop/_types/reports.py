"""Reports of training jobs, and the workers that train."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from spanloop._types.text import SplitEvaluation
from spanloop._types.training import EpochMetrics, TrainingResources


@dataclass(frozen=True, kw_only=True)
class ConfusionCell:
    """How often one thing was annotated and another predicted; an empty name is nothing."""

    annotated: str
    predicted: str
    count: int


@dataclass(frozen=True, kw_only=True)
class LabelErrors:
    """How the annotations and predictions of one label fared.

    Attributes:
        label: The label, value or status.
        correct: Right.
        spurious: Predicted, and nothing right annotated there.
        missed: Annotated, and nothing right predicted there.
        boundary: Predicted with the right label and other borders.
        wrong_label: Predicted with the right borders and another label.
    """

    label: str
    correct: int
    spurious: int
    missed: int
    boundary: int
    wrong_label: int


@dataclass(frozen=True, kw_only=True)
class CalibrationBin:
    """Predictions whose scores lie from `low` to `high`; `precision` is the share that is right."""

    low: float
    high: float
    count: int
    mean_score: float
    precision: float


@dataclass(frozen=True, kw_only=True)
class WorstExample:
    """A text that the model got wrong; `loss` is the summed probability of what is wrong."""

    text: str
    missed: tuple[str, ...]
    spurious: tuple[str, ...]
    loss: float


@dataclass(frozen=True, kw_only=True)
class SplitReport:
    """The report on one split."""

    evaluation: SplitEvaluation
    confusion: tuple[ConfusionCell, ...]
    errors: Mapping[str, LabelErrors]
    calibration: tuple[CalibrationBin, ...]
    calibration_error: float
    worst_examples: tuple[WorstExample, ...]


@dataclass(frozen=True, kw_only=True)
class LearningCurvePoint:
    """Micro F1 on dev after training on so many texts."""

    texts: int
    micro_f1: float


@dataclass(frozen=True, kw_only=True)
class PrecisionCheck:
    """What is reached on the trunk in fp32, beside the precision that a job trained on.

    Attributes:
        precision: What the job trained on.
        fp32_evaluation: On fp32: the same texts as in the report on this split.
        trained: Whether by a training on fp32; else the same adapters read the trunk in fp32.
        max_label_loss: The F1 that a label may lose against fp32.
        min_spans: Annotated spans that a label needs to be held to that.
    """

    precision: str
    fp32_evaluation: SplitEvaluation
    trained: bool
    max_label_loss: float
    min_spans: int


@dataclass(frozen=True, kw_only=True)
class TrainingReport:
    """What is known about the quality of what a job trained.

    `precision_check` is there when it trained on another precision of the trunk than fp32.
    """

    name: str
    splits: tuple[SplitReport, ...]
    learning_curve: tuple[LearningCurvePoint, ...]
    epochs: tuple[EpochMetrics, ...]
    precision_check: PrecisionCheck | None = None


@dataclass(frozen=True, kw_only=True)
class RunningJob:
    """A job on a worker, and what it takes."""

    training_job: str
    resources: TrainingResources
    start_time: datetime | None


@dataclass(frozen=True, kw_only=True)
class Worker:
    """A trainer process with the slots that it declares."""

    id: str
    capacity: TrainingResources
    free: TrainingResources
    max_jobs: int
    jobs: tuple[RunningJob, ...]
    gpu_available: bool
    gpus: tuple[str, ...]
    execution_providers: tuple[str, ...]
    last_seen_time: datetime | None
    engines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Workers:
    """The workers, and how many jobs wait for one."""

    workers: tuple[Worker, ...]
    waiting_jobs: int
