"""Finishes what nobody works on: expired leases, orphans, cancelled jobs, groups half created."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from services.common.logs import get_logger
from services.common.watch import Signal
from services.trainer.domain import TrainingJob
from services.trainer.handlers import QUEUE_KEY
from services.trainer.job_log import JobLog
from services.trainer.job_queue import Holder, JobQueue
from services.trainer.job_state import JobState
from services.trainer.resources.shortage import Shortage
from services.trainer.waiting_jobs import WaitingJobs

_log = get_logger(__name__)


class Reconciler:
    """Looks at the queue again and again. Any number may run over one database."""

    def __init__(
        self,
        queue: JobQueue,
        log: JobLog,
        signal: Signal,
        holder: Holder,
        *,
        alone: bool,
        interval_seconds: float,
        waiting: WaitingJobs,
        shortage: Shortage,
        tidy: Callable[[], Awaitable[None]],
        finish_groups: Callable[[], Awaitable[None]],
    ) -> None:
        """Reconcile the jobs of `queue`.

        Args:
            queue: The queue.
            log: Where requeued jobs are told why.
            signal: Wakes it up; is told what changed.
            holder: This process.
            alone: Whether no other process works under the same worker id, so that what the id
                still holds from before was left behind.
            interval_seconds: Time between looks.
            waiting: The jobs that nobody holds.
            shortage: Tells and ends those of them that no worker is large enough for.
            tidy: Awaited once at the start.
            finish_groups: Awaited at each look; inserts the jobs of groups that are not complete.
        """
        self._queue = queue
        self._log = log
        self._signal = signal
        self._holder = holder
        self._alone = alone
        self._interval_seconds = interval_seconds
        self._waiting = waiting
        self._shortage = shortage
        self._tidy = tidy
        self._finish_groups = finish_groups

    async def run(self) -> None:
        """Reconcile until cancelled."""
        if self._alone:
            await self._requeued(await self._queue.requeue_orphans(self._holder))
        await self._waiting.complete_earlier()
        await self._tidy()
        while True:
            seen = self._signal.version(QUEUE_KEY)
            await self.reconcile()
            await self._signal.wait(QUEUE_KEY, seen, self._interval_seconds)

    async def reconcile(self) -> None:
        """Look once."""
        await self._finish_groups()
        await self._requeued(await self._queue.requeue_expired())
        for job in await self._queue.cancel_waiting():
            _log.info("job_cancelled", job=job.name)
            self._signal.notify(job.id)
        await self._shortage.look()

    async def _requeued(self, jobs: list[TrainingJob]) -> None:
        for job in jobs:
            _log.warning("worker_lost", job=job.name, attempt=job.attempt, state=job.state.value)
            if job.state is JobState.WAITING:
                await self._log.append_one(
                    job.id, "warning", "The worker was lost: back into the queue."
                )
            self._signal.notify(job.id)
        if jobs:
            self._signal.notify(QUEUE_KEY)
