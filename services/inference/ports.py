"""What the inference service asks of the other services."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from services.inference.domain import (
    AdapterDigests,
    DeploymentRevision,
    Device,
    ModelVersion,
    TaskPage,
    TaskPrediction,
)
from services.inference.trials.domain import Trial, TrialOver, TrialReport


class Registry(Protocol):
    """The registry. Every method raises UnavailableError (PEER_UNAVAILABLE) while it is away."""

    def watch_deployments(self) -> AsyncIterator[DeploymentRevision | Trial | TrialOver | None]:
        """Yield each project's deployment and trial, then every move; None for nothing new.

        What the candidate of a trial would be is told again when the deployment moves. Of trials
        that ended before the stream began nothing is told; see `report_trial`.
        """
        ...

    async def report_trial(self, report: TrialReport) -> bool:
        """Tell what was counted of a trial; return whether it still runs.

        Raises:
            NotFoundError: There is no such trial.
        """
        ...

    async def report_server(self, server: str, device: Device, lifetime: float) -> None:
        """Tell that a server is there, for so many seconds unless it reports again.

        Args:
            server: Its id.
            device: What it computes on.
            lifetime: Seconds.
        """
        ...

    async def remove_server(self, server: str) -> None:
        """Tell that a server goes."""
        ...

    async def deployment(self, project: str) -> DeploymentRevision:
        """Read what a project serves.

        Raises:
            FailedPreconditionError: Nothing was ever deployed (NOTHING_DEPLOYED).
        """
        ...

    async def model_version(self, project: str, version: str) -> ModelVersion:
        """Read a model version.

        Raises:
            NotFoundError: The project has no such version.
        """
        ...

    async def adapter_manifest(self, digest: str) -> bytes:
        """Return the manifest of a registered adapter, not yet verified."""
        ...

    async def trunk_manifest(self, digest: str) -> bytes:
        """Return the manifest of a registered trunk, not yet verified."""
        ...

    async def download(self, digest: str) -> bytes:
        """Return the bytes stored under a digest.

        Raises:
            DataLossError: The registry's copy is damaged (ARTIFACT_CORRUPT).
        """
        ...


class Annotation(Protocol):
    """The annotation service. Every method raises UnavailableError while it is away."""

    async def open_tasks(self, project: str, cursor: str, page_size: int) -> TaskPage:
        """Read a page of the tasks that have no completion.

        Raises:
            NotFoundError: There is no such project.
            InvalidArgumentError: The cursor is not one of this list (PAGE_TOKEN_INVALID).
            ResourceExhaustedError: The page is larger than a message may be; ask for fewer tasks.
        """
        ...

    async def newest_sources(
        self, project: str, tasks: Sequence[str]
    ) -> Mapping[str, AdapterDigests]:
        """Return the adapters that the newest prediction of each task names.

        A task that no generation has predicted is left out.
        """
        ...

    async def write_predictions(
        self, project: str, predictions: Sequence[TaskPrediction]
    ) -> tuple[int, int]:
        """Store predictions; return how many were new and how many were there already."""
        ...

    async def assign_models(
        self, project: str, labels: Mapping[str, str], controls: Mapping[str, str]
    ) -> bool:
        """Name in the project's labelling config the models that serve its labels and choices.

        Args:
            project: Id of the project.
            labels: By label value, and by assertion status: the name of a model version, without
                its project.
            controls: By name of the `Choices` control, likewise.

        Returns:
            Whether the config was changed.

        Raises:
            NotFoundError: There is no such project.
        """
        ...
