"""What the inference service knows about: deployments to serve, and pre-annotation jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

MAX_TEXTS = 1024
"""Most texts in one Predict."""

MAX_TEXT_LENGTH = 1_000_000
"""Most code points in one text."""


@dataclass(frozen=True, kw_only=True)
class AdapterRef:
    """One label's adapter as a deployment or a pin names it.

    Attributes:
        digest: Digest of the adapter's manifest.
        trunk_digest: Digest of the trunk that it reads.
        model_version: Resource name of the model version that it is served from.
    """

    digest: str
    trunk_digest: str
    model_version: str


@dataclass(frozen=True, kw_only=True)
class DeploymentRevision:
    """What one revision of a project's deployment serves.

    Attributes:
        project: Id of the project.
        revision: Counts the deployment's moves.
        adapters: By label value.
    """

    project: str
    revision: int
    adapters: Mapping[str, AdapterRef]

    @property
    def generation(self) -> str:
        """Resource name of the generation that serves it."""
        return f"projects/{self.project}/generations/{self.revision}"


class VersionState(StrEnum):
    """Where a model version stands in the registry."""

    REGISTERED = "REGISTERED"
    READY = "READY"
    RETIRED = "RETIRED"
    FAILED = "FAILED"

    @property
    def servable(self) -> bool:
        """Whether a pin may name it."""
        return self in (VersionState.READY, VersionState.RETIRED)


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """What a pin needs to know of a model version; `adapters` by label value."""

    name: str
    state: VersionState
    adapters: Mapping[str, AdapterRef]


class JobState(StrEnum):
    """Where a pre-annotation job stands; see ``job_state`` for the moves."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def terminal(self) -> bool:
        """Whether nothing follows it."""
        return self not in (JobState.WAITING, JobState.RUNNING)


@dataclass(frozen=True, kw_only=True)
class JobProgress:
    """How far a job is; all that a resumed run needs.

    Attributes:
        generation: The generation that the predictions are from; empty before it is chosen.
        total_tasks: Open tasks when it began; None until they are counted.
        done_tasks: Tasks that have a prediction of the generation.
        written_predictions: Predictions that this job stored.
        cursor: Page token of the next page of open tasks.
    """

    generation: str = ""
    total_tasks: int | None = None
    done_tasks: int = 0
    written_predictions: int = 0
    cursor: str = ""


@dataclass(frozen=True, kw_only=True)
class PreannotationJob:
    """A run over the open tasks of a project; times in microseconds UTC."""

    id: str
    project: str
    labels: tuple[str, ...] = ()
    min_score: float = 0.0
    state: JobState = JobState.WAITING
    progress: JobProgress = field(default_factory=JobProgress)
    failure_message: str = ""
    cancel_requested: bool = False
    revision: int = 0
    create_time: int = 0
    start_time: int | None = None
    end_time: int | None = None

    @property
    def name(self) -> str:
        """Resource name."""
        return f"projects/{self.project}/preannotationJobs/{self.id}"


@dataclass(frozen=True, kw_only=True)
class OpenTask:
    """A task without completion; `name` is its resource name."""

    name: str
    text: str


@dataclass(frozen=True, kw_only=True)
class TaskPage:
    """Some open tasks in order of creation; an empty `next_cursor` ends them."""

    tasks: tuple[OpenTask, ...]
    next_cursor: str


@dataclass(frozen=True, kw_only=True, order=True)
class ScoredSpan:
    """Code points ``[start, end)`` that carry `label` with a score from 0 to 1."""

    start: int
    end: int
    label: str
    score: float


@dataclass(frozen=True, kw_only=True)
class TaskPrediction:
    """What one generation says about one task; `adapters` by label value."""

    task: str
    generation: str
    adapters: Mapping[str, AdapterRef]
    spans: tuple[ScoredSpan, ...]
