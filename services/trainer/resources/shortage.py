"""Says of waiting jobs that no live worker is large enough for them, and ends them in time."""

from __future__ import annotations

from collections.abc import Callable

from services.common.clock import Clock
from services.common.logs import get_logger
from services.trainer.domain import Failure, FailureReason, TrainingJob
from services.trainer.resources.admission import fits_any, too_large
from services.trainer.resources.directory import WorkerDirectory
from services.trainer.resources.slots import needed
from services.trainer.waiting_jobs import WaitingJobs

_log = get_logger(__name__)


class Shortage:
    """Looks at the waiting jobs, at most every `grace_seconds`.

    Time is measured on the process's own steady clock from when the shortage was seen first: a
    jump of the wall clock ends no job, and a restart of the trainer begins anew.
    """

    def __init__(
        self,
        jobs: WaitingJobs,
        directory: WorkerDirectory,
        clock: Clock,
        on_change: Callable[[str], None],
        *,
        grace_seconds: float,
        fail_seconds: float,
    ) -> None:
        """Watch the jobs that wait.

        Args:
            jobs: The jobs.
            directory: The live workers.
            clock: The steady clock.
            on_change: Told the id of each job that was changed.
            grace_seconds: A shortage this short, as when a trainer restarts, is not told.
            fail_seconds: A shortage this long ends the job.
        """
        self._jobs = jobs
        self._directory = directory
        self._clock = clock
        self._on_change = on_change
        self._grace_seconds = grace_seconds
        self._fail_seconds = fail_seconds
        self._since: dict[str, float] = {}
        self._looked = float("-inf")

    async def look(self) -> None:
        """Tell and end what is to be told and ended now."""
        now = self._clock.monotonic()
        if now - self._looked < self._grace_seconds:
            return
        self._looked = now
        workers = await self._directory.live()
        known, self._since = self._since, {}
        for job in await self._jobs.oldest():
            need = needed(job.resources)
            if fits_any(need, workers):
                await self._tell(job, "")
                continue
            since = self._since[job.id] = known.get(job.id, now)
            why = too_large(need, workers)
            if now - since >= self._fail_seconds:
                await self._end(job, why)
            elif now - since >= self._grace_seconds:
                await self._tell(job, why[0].upper() + why[1:])

    async def _tell(self, job: TrainingJob, why: str) -> None:
        if job.waiting_reason != why and await self._jobs.explain(job, why):
            self._on_change(job.id)

    async def _end(self, job: TrainingJob, why: str) -> None:
        failure = Failure(
            reason=FailureReason.RESOURCES_INSUFFICIENT,
            message=f"It waited for {self._fail_seconds:,.0f} s: {why}",
        )
        if await self._jobs.fail(job, failure):
            _log.warning("job_fits_no_worker", job=job.name)
            self._on_change(job.id)
