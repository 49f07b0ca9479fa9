"""The jobs that nobody holds: why they wait, and ending those that cannot be taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from services.common.clock import Clock
from services.common.store.port import Condition, DocumentStore, Eq, Order
from services.trainer.documents import JOBS, failure_value, job_of
from services.trainer.domain import Failure, TrainingJob
from services.trainer.job_state import JobEvent, JobState, next_state
from services.trainer.resources.slots import LEAST

WAITING: Sequence[Condition] = (
    Eq("state", JobState.WAITING.value),
    Eq("cancel_requested", False),
)
"""What a worker may take."""

_BY_AGE = (Order(field="create_time"),)
_MOST = 1_000


class WaitingJobs:
    """Reads waiting jobs and writes what may be written without a lease.

    Each write's guard holds it to a job that still waits, and that nobody took since it was read.
    """

    def __init__(self, store: DocumentStore, clock: Clock) -> None:
        """Work on an open store."""
        self._store = store
        self._clock = clock

    async def oldest(self) -> list[TrainingJob]:
        """Return the jobs that have waited longest, at most 1,000."""
        found = await self._store.find(JOBS, where=WAITING, order=_BY_AGE, limit=_MOST)
        return [job_of(stored) for stored in found]

    async def explain(self, job: TrainingJob, reason: str) -> bool:
        """Say why a job waits; False when it does not wait any more."""
        return await self._write(job, {"waiting_reason": reason})

    async def fail(self, job: TrainingJob, failure: Failure) -> bool:
        """End a job that cannot be taken; False when it does not wait any more."""
        return await self._write(
            job,
            {
                "state": next_state(JobState.WAITING, JobEvent.FAIL).value,
                "failure": failure_value(failure),
                "end_time": self._clock.now(),
            },
        )

    async def complete_earlier(self) -> None:
        """Give jobs of the first release, which say nothing of resources, the least there is."""
        found = await self._store.find(
            JOBS, where=[*WAITING, Eq("resources.cpu", None)], order=_BY_AGE, limit=_MOST
        )
        for stored in found:
            await self._write(job_of(stored), {"resources": asdict(LEAST)})

    async def _write(self, job: TrainingJob, changes: Mapping[str, Any]) -> bool:
        stored = await self._store.update(
            JOBS,
            job.id,
            where=[*WAITING, Eq("lease.token", job.lease.token)],
            set=changes,
            increment={"version": 1},
        )
        return stored is not None
