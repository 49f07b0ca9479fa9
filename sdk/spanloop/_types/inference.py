"""Predictions, serving state and pre-annotation jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from spanloop._types.choice import Choice
from spanloop._types.text import ScoredSpan


class Granularity(Choice):
    """What is answered for each text: decoded spans, or the labels of every word."""

    UNSPECIFIED = "unspecified"
    SPAN = "span"
    TOKEN = "token"  # noqa: S105 - a word of the text, not a credential


class GenerationState(Choice):
    """Where a generation stands on a server."""

    UNSPECIFIED = "unspecified"
    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"
    ERROR = "error"


class ExportLayout(Choice):
    """How the folder of an exported model version is laid out."""

    UNSPECIFIED = "unspecified"
    ONNX = "onnx"
    HUGGING_FACE = "hugging_face"


class PreannotationJobState(Choice):
    """Where a pre-annotation job stands."""

    UNSPECIFIED = "unspecified"
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self in {self.DONE, self.FAILED, self.CANCELLED}


@dataclass(frozen=True, kw_only=True)
class LabelScore:
    """The probability, 0 to 1, that a word belongs to a span of the label."""

    label: str
    score: float


@dataclass(frozen=True, kw_only=True)
class TokenPrediction:
    """A word with its labels by falling score."""

    start: int
    end: int
    labels: tuple[LabelScore, ...]


@dataclass(frozen=True, kw_only=True)
class PredictedChoice:
    """How likely a value of a `Choices` control is, 0 to 1, and whether the model chooses it."""

    control: str
    value: str
    score: float
    chosen: bool


@dataclass(frozen=True, kw_only=True)
class StatusScore:
    """An assertion status with its probability, 0 to 1."""

    status: str
    score: float


@dataclass(frozen=True, kw_only=True)
class SpanAssertion:
    """The assertion statuses of a span by falling score."""

    start: int
    end: int
    statuses: tuple[StatusScore, ...]


@dataclass(frozen=True, kw_only=True)
class Uncertainty:
    """How sure the models are of a text: each measure from 0, sure, to 1."""

    least_confidence: float
    margin: float
    entropy: float


@dataclass(frozen=True, kw_only=True)
class TextPrediction:
    """The answer for one text; `windows` says into how many overlapping windows it was cut.

    `choices` are all values of the controls by falling score, `assertions` the statuses of the
    given spans in their order; `uncertainty` is None unless asked for.
    """

    spans: tuple[ScoredSpan, ...]
    tokens: tuple[TokenPrediction, ...]
    windows: int
    choices: tuple[PredictedChoice, ...] = ()
    assertions: tuple[SpanAssertion, ...] = ()
    uncertainty: Uncertainty | None = None


@dataclass(frozen=True, kw_only=True)
class Generation:
    """The adapters that answered, with their versions.

    By label value, by control, and the one of the assertion statuses (empty: none did). `trial` is
    the one whose candidate answered; empty: what is deployed did.
    """

    name: str
    deployment_revision: int
    adapters: Mapping[str, str]
    model_versions: Mapping[str, str]
    choice_adapters: Mapping[str, str] = field(default_factory=dict)
    choice_model_versions: Mapping[str, str] = field(default_factory=dict)
    assertion_adapter: str = ""
    assertion_model_version: str = ""
    trial: str = ""


@dataclass(frozen=True, kw_only=True)
class PredictResult:
    """One prediction per text, in order, all by the same generation."""

    predictions: tuple[TextPrediction, ...]
    generation: Generation


@dataclass(frozen=True, kw_only=True)
class LoadedGeneration:
    """A generation on a server; `error_message` says why it is in ERROR."""

    name: str
    state: GenerationState
    deployment_revision: int
    model_versions: Mapping[str, str]
    trunk_digest: str
    resident_bytes: int
    active_requests: int
    error_message: str
    load_seconds: float
    ready_time: datetime | None
    choice_model_versions: Mapping[str, str] = field(default_factory=dict)
    assertion_model_version: str = ""


@dataclass(frozen=True, kw_only=True)
class TriedCandidate:
    """The candidate of a trial on a server; `paused`: a canary answers nothing just now."""

    trial: str
    generation: LoadedGeneration | None
    paused: bool


@dataclass(frozen=True, kw_only=True)
class ServingState:
    """What an inference server holds."""

    generations: tuple[LoadedGeneration, ...]
    execution_provider: str
    registry_connected: bool
    candidates: tuple[TriedCandidate, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PreannotationJob:
    """One run over the open tasks of a project that writes predictions back.

    `skipped_tasks` are those of `done_tasks` whose prediction was current; see `stale_only`.
    """

    name: str
    labels: tuple[str, ...]
    min_score: float
    stale_only: bool
    state: PreannotationJobState
    generation: str
    total_tasks: int
    done_tasks: int
    skipped_tasks: int
    written_predictions: int
    failure_message: str
    cancel_requested: bool
    etag: str
    create_time: datetime | None
    start_time: datetime | None
    end_time: datetime | None
