"""Reading what the workers have and do, apart from how it is called."""

from __future__ import annotations

from dataclasses import dataclass

from services.trainer.domain import Resources, TrainingJob
from services.trainer.repository import JobRepository
from services.trainer.resources.directory import WorkerDirectory, WorkerEntry
from services.trainer.resources.slots import minus, needed


@dataclass(frozen=True, kw_only=True)
class WorkerView:
    """A worker and what runs on it."""

    entry: WorkerEntry
    free: Resources
    jobs: tuple[TrainingJob, ...]


class ResourceHandlers:
    """What trains, and on what."""

    def __init__(self, directory: WorkerDirectory, jobs: JobRepository) -> None:
        """Read workers and jobs."""
        self._directory = directory
        self._jobs = jobs

    async def list(self) -> tuple[list[WorkerView], int]:
        """Return the live workers by id, and the number of jobs that wait."""
        workers = await self._directory.live()
        running = await self._jobs.running()
        views = []
        for entry in workers:
            mine = tuple(job for job in running if job.lease.worker == entry.id)
            free = entry.capacity
            for job in mine:
                free = minus(free, needed(job.resources))
            views.append(WorkerView(entry=entry, free=free, jobs=mine))
        return views, await self._jobs.count_waiting()
