"""Deploys what DONE jobs ask for, through the gate. Resumed after a crash, done once."""

from __future__ import annotations

from services.common.errors import (
    AbortedError,
    FailedPreconditionError,
    NotFoundError,
    Reason,
    SpanloopError,
)
from services.common.idempotency import MAX_REQUEST_ID
from services.common.logs import get_logger
from services.common.watch import Signal
from services.trainer.automation.gate import judge
from services.trainer.automation.settings_handlers import POLICIES_KEY
from services.trainer.automation.settings_repository import SettingsRepository
from services.trainer.domain import DeploymentOutcome, TrainingJob
from services.trainer.handlers import QUEUE_KEY
from services.trainer.ports import RegistryPeer
from services.trainer.repository import JobRepository

_log = get_logger(__name__)

_TRIES = 10
_PAGE = 100


class Deployer:
    """Looks for DONE jobs whose deployment is undecided. Any number may run over one database.

    Every step is safe to repeat: the registry knows the request, and the outcome is stored once.
    """

    def __init__(
        self,
        jobs: JobRepository,
        settings: SettingsRepository,
        registry: RegistryPeer,
        signal: Signal,
        *,
        interval_seconds: float,
    ) -> None:
        """Deploy through `registry`, and look again after so many seconds without news."""
        self._jobs = jobs
        self._settings = settings
        self._registry = registry
        self._signal = signal
        self._interval_seconds = interval_seconds

    async def run(self) -> None:
        """Deploy until cancelled."""
        while True:
            seen = self._signal.version(QUEUE_KEY)
            await self.deploy_all()
            await self._signal.wait(QUEUE_KEY, seen, self._interval_seconds)

    async def deploy_all(self) -> None:
        """Look once."""
        for job in await self._jobs.undeployed(_PAGE):
            try:
                outcome = await self._outcome(job)
            except SpanloopError as error:
                # The registry is away: the next look tries again.
                _log.warning("deployment_postponed", job=job.name, error=error.message)
                continue
            after = await self._jobs.settle_deployment(job, outcome)
            if after is not None:
                _log.info("deployment_decided", job=job.name, deployed=outcome.deployed)
                self._signal.notify(job.id)
                self._signal.notify(POLICIES_KEY)

    async def _outcome(self, job: TrainingJob) -> DeploymentOutcome:
        gate = (await self._settings.get(job.project)).gate
        for _ in range(_TRIES):
            served = await self._registry.served(job.project)
            model = served.model(job.model_type.value, job.control)
            if model is not None and model.name == job.model_version:
                # This process, or one before it, died between deploying and this write.
                return DeploymentOutcome(
                    deployed=True,
                    deployment_revision=served.revision,
                    message=f"{job.model_version} is deployed.",
                )
            version = await self._registry.get_version(job.model_version)
            verdict = judge(gate, job, version, model)
            if not verdict.passed:
                return DeploymentOutcome(deployed=False, message=verdict.message)
            try:
                revision = await self._registry.deploy(
                    job.model_version, served.etag, _request_id(job)
                )
            except AbortedError:
                # Someone else moved the deployment: judge by what is served now.
                continue
            except (FailedPreconditionError, NotFoundError) as error:
                return DeploymentOutcome(deployed=False, message=f"Not deployed: {error.message}")
            return DeploymentOutcome(
                deployed=True, deployment_revision=revision, message=verdict.message
            )
        raise AbortedError(
            Reason.ETAG_MISMATCH, f"The deployment of project {job.project} does not stand still."
        )


def _request_id(job: TrainingJob) -> str:
    name = f"deploy {job.name}"
    return name if len(name) <= MAX_REQUEST_ID else f"deploy {job.id}"
