"""What the trainer needs of other services, in its own words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from services.trainer.domain import Baseline, SplitEvaluation, TrainingData
from services.trainer.job_files import Example, Parity


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A snapshot without its examples.

    Attributes:
        name: Its resource name.
        content_hash: Of its examples.
        labels: The label values.
        span_counts: Spans of all splits by label.
        example_counts: Examples by split.
        choice_counts: Examples by control and value.
        assertion_counts: Spans by assertion status.
    """

    name: str
    content_hash: str
    labels: tuple[str, ...]
    span_counts: Mapping[str, int] = field(default_factory=dict)
    example_counts: Mapping[str, int] = field(default_factory=dict)
    choice_counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    assertion_counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def controls(self) -> tuple[str, ...]:
        """The `Choices` controls that its examples have choices of, sorted."""
        return tuple(sorted({control for control, _ in self.choice_counts}))

    def values_of(self, control: str) -> tuple[str, ...]:
        """Return the values chosen of a control, sorted."""
        return tuple(sorted(value for name, value in self.choice_counts if name == control))


@dataclass(frozen=True, kw_only=True)
class ChoiceControl:
    """A `Choices` control of a labelling config."""

    name: str
    multiple: bool = False
    train: bool = False


@dataclass(frozen=True, kw_only=True)
class Change:
    """What the event stream told: one event, or a heartbeat.

    Attributes:
        token: Continues the stream behind it.
        submitted: Whether it says that a completion was submitted.
        time: When it happened, microseconds; 0 for a heartbeat.
    """

    token: str
    submitted: bool = False
    time: int = 0


@dataclass(frozen=True, kw_only=True)
class RegisteredTrunk:
    """A trunk in the registry: its manifest's bytes and, by file name, digests."""

    digest: str
    manifest: bytes
    source: str
    files: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ChosenPrecision:
    """What the registry chose for the inference servers that are there, and why, for people."""

    precision: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class RegisteredVersion:
    """A model version in the registry.

    `state` is as in the contract, without its prefix; `purged`: its artifacts are kept no more.
    """

    name: str
    state: str
    adapters: Mapping[str, str]
    trunk_digest: str
    failure_message: str = ""
    model_type: str = "ner"
    control: str = ""
    purged: bool = False


@dataclass(frozen=True, kw_only=True)
class DeployedVersion:
    """One of the models that a project serves: `name` is the version's."""

    name: str
    model_type: str
    control: str
    trunk_digest: str
    adapters: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Served:
    """What a project serves; revision 0 and no etag: nothing was ever deployed."""

    revision: int = 0
    etag: str = ""
    models: tuple[DeployedVersion, ...] = ()

    def model(self, model_type: str, control: str) -> DeployedVersion | None:
        """Return the one of this type and control, if any."""
        wanted = (model_type, control)
        return next((m for m in self.models if (m.model_type, m.control) == wanted), None)


@dataclass(frozen=True, kw_only=True)
class RegisteredAdapter:
    """An adapter in the registry: its manifest's bytes and, by file name, digests."""

    digest: str
    manifest: bytes
    files: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class NewVersion:
    """A model version to create.

    Attributes:
        project: The project's id.
        model_type: ``ner``, ``classification`` or ``assertion``.
        control: For a classification: name of the `Choices` control.
        adapters: By label: digest.
        evaluation: Quality on the snapshot's splits.
        snapshot: The snapshot's name.
        snapshot_content_hash: Its content hash.
        training_job: The job's name.
        code_version: Version of the trainer.
        request_id: Makes repeats return the first version.
        parameters: What it was trained with, canonical JSON.
        replace_newest: Take the place of the newest version.
        base_model_versions: Names of the versions that it was made from.
        baseline: What the served version reached on the same examples, if that was measured.
    """

    project: str
    model_type: str
    adapters: Mapping[str, str]
    evaluation: Sequence[SplitEvaluation]
    snapshot: str
    snapshot_content_hash: str
    training_job: str
    code_version: str
    request_id: str
    control: str = ""
    parameters: str = ""
    replace_newest: bool = False
    base_model_versions: Sequence[str] = ()
    baseline: Baseline | None = None


class AnnotationPeer(Protocol):
    """The annotation service. Methods raise SpanloopError; PEER_UNAVAILABLE may pass."""

    async def get_snapshot(self, name: str) -> Snapshot:
        """Return a snapshot; RESOURCE_NOT_FOUND when there is none."""
        ...

    async def create_snapshot(self, project: str, data: TrainingData, request_id: str) -> Snapshot:
        """Freeze the completions that `data` selects; a repeat returns the first snapshot.

        Raises:
            SpanloopError: Fields are named as those of CreateSnapshot.
        """
        ...

    async def choice_controls(self, project: str) -> tuple[ChoiceControl, ...]:
        """Return the `Choices` controls of a project's labelling config; without one: none."""
        ...

    def watch_changes(self, project: str, token: str) -> AsyncIterator[Change]:
        """Yield what happens in a project behind a token; empty: from the first kept event on.

        Raises:
            OutOfRangeError: RESUME_TOKEN_EXPIRED or RESUME_TOKEN_INVALID.
        """
        ...

    def read_snapshot(self, name: str) -> AsyncIterator[Example]:
        """Yield a snapshot's examples in their fixed order."""
        ...


class RegistryPeer(Protocol):
    """The registry service. Methods raise SpanloopError; PEER_UNAVAILABLE may pass."""

    async def find_trunk(self, source: str) -> RegisteredTrunk | None:
        """Return the newest trunk from this source, if any."""
        ...

    async def get_trunk(self, digest: str) -> RegisteredTrunk:
        """Return a trunk; RESOURCE_NOT_FOUND when there is none."""
        ...

    async def choose_precision(self) -> ChosenPrecision:
        """Return the precision of trunks that fits the inference servers."""
        ...

    async def download(self, digest: str, path: Path) -> None:
        """Write an artifact's verified bytes to a file."""
        ...

    async def upload(self, digest: str, path: Path) -> None:
        """Store a file's bytes under their digest."""
        ...

    async def register_trunk(self, manifest: bytes) -> str:
        """Register a trunk whose files are uploaded; returns its digest."""
        ...

    async def register_adapter(self, manifest: bytes) -> str:
        """Register an adapter whose files are uploaded; returns its digest."""
        ...

    async def get_version(self, name: str) -> RegisteredVersion:
        """Return a model version; RESOURCE_NOT_FOUND when there is none."""
        ...

    async def create_version(self, version: NewVersion) -> RegisteredVersion:
        """Create a model version, or return the one that the same request created."""
        ...

    async def find_version_of(self, project: str, training_job: str) -> RegisteredVersion | None:
        """Return the version that a job made, if any."""
        ...

    async def get_adapter(self, digest: str) -> RegisteredAdapter:
        """Return an adapter; RESOURCE_NOT_FOUND when there is none."""
        ...

    async def served(self, project: str) -> Served:
        """Return what a project serves."""
        ...

    async def deploy(self, version: str, etag: str, request_id: str) -> int:
        """Serve a version; returns the deployment's revision. A repeat returns the first answer.

        Raises:
            AbortedError: The deployment moved since `etag` was read.
            FailedPreconditionError: The version cannot be deployed.
        """
        ...

    async def verify_version(self, name: str, parity: Parity) -> RegisteredVersion:
        """Record a version's parity check; returns it READY or FAILED."""
        ...
