"""What the trainer needs of other services, in its own words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from services.trainer.domain import SplitEvaluation
from services.trainer.job_files import Example, Parity


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A snapshot without its examples; `span_counts` over all splits, by label."""

    name: str
    content_hash: str
    labels: tuple[str, ...]
    span_counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RegisteredTrunk:
    """A trunk in the registry: its manifest's bytes and, by file name, digests."""

    digest: str
    manifest: bytes
    source: str
    files: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class RegisteredVersion:
    """A model version in the registry; `state` as in the contract, without its prefix."""

    name: str
    state: str
    adapters: Mapping[str, str]
    trunk_digest: str
    failure_message: str = ""


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


class AnnotationPeer(Protocol):
    """The annotation service. Methods raise SpanloopError; PEER_UNAVAILABLE may pass."""

    async def get_snapshot(self, name: str) -> Snapshot:
        """Return a snapshot; RESOURCE_NOT_FOUND when there is none."""
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

    async def verify_version(self, name: str, parity: Parity) -> RegisteredVersion:
        """Record a version's parity check; returns it READY or FAILED."""
        ...
