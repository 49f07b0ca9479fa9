"""What the inference service knows about: deployments to serve, and pre-annotation jobs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias, assert_never

MAX_TEXTS = 1024
"""Most texts in one Predict."""

MAX_TEXT_LENGTH = 1_000_000
"""Most code points in one text."""


MAX_GIVEN_SPANS = 10_000
"""Most spans of one text whose assertion status is asked for."""

CONVERTED_AT_ONCE = 10_000
"""Code points up to which an answer is put together on the event loop: a few milliseconds. That of
long texts, with the labels of every word, would hold up every other call for seconds."""


class Device(StrEnum):
    """What a server computes on."""

    CPU = "cpu"
    CUDA = "cuda"


@dataclass(frozen=True, kw_only=True)
class AdapterRef:
    """One adapter as a deployment or a pin names it.

    Attributes:
        digest: Digest of the adapter's manifest.
        trunk_digest: Digest of the trunk that it reads.
        model_version: Resource name of the model version that it is served from.
    """

    digest: str
    trunk_digest: str
    model_version: str


@dataclass(frozen=True, kw_only=True)
class AdapterSet:
    """Adapters by what they answer.

    Attributes:
        labels: Spans, by label value.
        controls: What is chosen of a `Choices` control, by its name.
        assertion: The assertion status of spans; None: nothing does.
    """

    labels: Mapping[str, AdapterRef] = field(default_factory=dict)
    controls: Mapping[str, AdapterRef] = field(default_factory=dict)
    assertion: AdapterRef | None = None

    def items(self) -> Iterator[tuple[AdapterKind, str, AdapterRef]]:
        """Yield all adapters with their kind and name; the assertion's name is empty."""
        for label, ref in self.labels.items():
            yield AdapterKind.LABEL, label, ref
        for control, ref in self.controls.items():
            yield AdapterKind.CONTROL, control, ref
        if self.assertion is not None:
            yield AdapterKind.ASSERTION, "", self.assertion

    @property
    def digests(self) -> AdapterDigests:
        """What answers for what, without where it comes from."""
        return {(kind, name): ref.digest for kind, name, ref in self.items()}

    @classmethod
    def of(cls, items: Iterable[tuple[AdapterKind, str, AdapterRef]]) -> AdapterSet:
        """Return the set of these items."""
        labels: dict[str, AdapterRef] = {}
        controls: dict[str, AdapterRef] = {}
        assertion: AdapterRef | None = None
        for kind, name, ref in items:
            match kind:
                case AdapterKind.LABEL:
                    labels[name] = ref
                case AdapterKind.CONTROL:
                    controls[name] = ref
                case AdapterKind.ASSERTION:
                    assertion = ref
                case _:
                    assert_never(kind)
        return cls(labels=labels, controls=controls, assertion=assertion)


class AdapterKind(StrEnum):
    """What an adapter answers."""

    LABEL = "LABEL"
    CONTROL = "CONTROL"
    ASSERTION = "ASSERTION"


AdapterDigests: TypeAlias = Mapping[tuple[AdapterKind, str], str]
"""Digests of adapters by what they answer; the assertion's name is empty."""


@dataclass(frozen=True, kw_only=True)
class DeploymentRevision:
    """What one revision of a project's deployment serves.

    Attributes:
        project: Id of the project.
        revision: Counts the deployment's moves.
        adapters: The adapters; those of different models may read different trunks.
        trial: Name of the trial whose candidate is in it; empty: it is what is deployed.
    """

    project: str
    revision: int
    adapters: AdapterSet
    trial: str = ""

    @property
    def generation(self) -> str:
        """Resource name of the generation that serves it."""
        deployed = f"projects/{self.project}/generations/{self.revision}"
        return f"{deployed}.trial{self.trial.rpartition('/')[2]}" if self.trial else deployed

    @property
    def content_digest(self) -> str:
        """What tells it from another of the same number, which a restored registry may give out."""
        named = sorted(self.adapters.digests.items())
        return hashlib.sha256(json.dumps(named).encode()).hexdigest()


class VersionState(StrEnum):
    """Where a model version stands in the registry."""

    REGISTERED = "REGISTERED"
    READY = "READY"
    RETIRED = "RETIRED"
    FAILED = "FAILED"


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """What a pin or an export needs to know of a model version.

    Attributes:
        name: Its resource name, also where an alias was asked for.
        state: Where it stands.
        adapters: All of one kind; none when it is of a type that is new to us.
        purged: Whether its artifacts are kept no more.
    """

    name: str
    state: VersionState
    adapters: AdapterSet
    purged: bool = False

    @property
    def servable(self) -> bool:
        """Whether a pin or an export may name it."""
        return self.state in (VersionState.READY, VersionState.RETIRED) and not self.purged


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
        content_digest: That of the generation's deployment.
        total_tasks: Open tasks when it began; None until they are counted.
        done_tasks: Tasks that have a prediction of the generation, or a current one.
        skipped_tasks: Of these, those that had a current prediction and were left out.
        written_predictions: Predictions that this job stored.
        cursor: Page token of the next page of open tasks.
    """

    generation: str = ""
    content_digest: str = ""
    total_tasks: int | None = None
    done_tasks: int = 0
    skipped_tasks: int = 0
    written_predictions: int = 0
    cursor: str = ""


@dataclass(frozen=True, kw_only=True)
class PreannotationJob:
    """A run over the open tasks of a project; times in microseconds UTC.

    With `stale_only` tasks whose prediction is current are left out.
    """

    id: str
    project: str
    labels: tuple[str, ...] = ()
    min_score: float = 0.0
    stale_only: bool = False
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
    """Code points ``[start, end)`` that carry `label` with a score from 0 to 1.

    `assertion` is the likeliest status of what it names, with its probability; empty: not asked.
    """

    start: int
    end: int
    label: str
    score: float
    assertion: str = ""
    assertion_score: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PredictedChoice:
    """How likely a value of a `Choices` control is for a text, and whether it is chosen."""

    control: str
    value: str
    score: float
    chosen: bool


@dataclass(frozen=True, kw_only=True)
class SpanAssertion:
    """The statuses of the span ``[start, end)`` with their probabilities, the likeliest first."""

    start: int
    end: int
    statuses: tuple[tuple[str, float], ...]


@dataclass(frozen=True, kw_only=True)
class Uncertainty:
    """How sure models are of a text: each measure from 0, sure, to 1."""

    least_confidence: float = 0.0
    margin: float = 0.0
    entropy: float = 0.0


@dataclass(frozen=True, kw_only=True)
class TextEmbedding:
    """Where a text lies among others: a unit vector, little-endian 16-bit floats, of one trunk."""

    data: bytes
    trunk_digest: str


@dataclass(frozen=True, kw_only=True)
class TaskPrediction:
    """What one generation says about one task.

    Attributes:
        task: Resource name of the task.
        generation: Resource name of the generation.
        adapters: What answered.
        spans: What it found.
        choices: What it chose.
        uncertainty: How sure it was.
        embedding: Where the text lies; None for a text without words.
    """

    task: str
    generation: str
    adapters: AdapterSet
    spans: tuple[ScoredSpan, ...]
    choices: tuple[PredictedChoice, ...] = ()
    uncertainty: Uncertainty = Uncertainty()
    embedding: TextEmbedding | None = None
