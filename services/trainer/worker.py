"""The workers of a trainer process: each takes one job after the other."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from services.common.logs import get_logger
from services.common.store.port import StoreError
from services.common.watch import Signal
from services.trainer.attempt import Attempt, AttemptParts, Interruption
from services.trainer.domain import TrainingJob
from services.trainer.handlers import QUEUE_KEY
from services.trainer.job_queue import Holder, JobQueue
from services.trainer.resources.reservations import Reservations
from services.trainer.resources.slots import Grant, Slots

_log = get_logger(__name__)


class WorkerPool:
    """Claims jobs that fit the free slots and runs attempts, until it is drained."""

    def __init__(
        self,
        queue: JobQueue,
        parts: AttemptParts,
        signal: Signal,
        holder: Holder,
        slots: Slots,
        reservations: Reservations,
        *,
        poll_seconds: float,
        after_attempt: Callable[[], Awaitable[None]],
    ) -> None:
        """Work as `holder`; `after_attempt` is awaited whenever an attempt has ended."""
        self._queue = queue
        self._parts = parts
        self._signal = signal
        self._holder = holder
        self._slots = slots
        self._reservations = reservations
        self._claiming = asyncio.Lock()
        self._poll_seconds = poll_seconds
        self._after_attempt = after_attempt
        self._stopping = False
        self._running: dict[str, Attempt] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Work until drained. Being cancelled starts the drain, and does not cut attempts off."""
        if self._stopping:
            return
        # Tasks of their own: a cancelled background task must not leave a child behind.
        self._tasks = [
            asyncio.create_task(self._work(), name="worker") for _ in range(self._slots.max_jobs)
        ]
        try:
            await asyncio.shield(asyncio.gather(*self._tasks))
        finally:
            self._stop()

    async def drain(self) -> None:
        """Claim nothing more, put the jobs at hand back into the queue, and wait for that."""
        self._stop()
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _stop(self) -> None:
        self._stopping = True
        for attempt in self._running.values():
            attempt.interrupt(Interruption.DRAIN)
        self._signal.notify(QUEUE_KEY)

    async def _work(self) -> None:
        while not self._stopping:
            seen = self._signal.version(QUEUE_KEY)
            try:
                taken = await self._claim()
            except StoreError as error:
                _log.warning("claim_failed", error=str(error))
                taken = None
            if taken is None:
                # Several trainers that poll one database spread out.
                pause = self._poll_seconds * random.uniform(0.8, 1.2)  # noqa: S311
                await self._signal.wait(QUEUE_KEY, seen, pause)
                continue
            job, grant = taken
            attempt = Attempt(job, self._parts, grant)
            self._running[job.id] = attempt
            try:
                if self._stopping:
                    # Drained while claiming: the attempt begins and ends at once.
                    asyncio.get_running_loop().call_soon(attempt.interrupt, Interruption.DRAIN)
                await attempt.run()
            except Exception:  # noqa: BLE001  # logged with its traceback
                # A slot must survive whatever one job does; its lease runs out by itself.
                _log.exception("attempt_broke", job=job.name)
            finally:
                del self._running[job.id]
                self._slots.give_back(job.id)
                self._signal.notify(QUEUE_KEY)
            await self._after_attempt()

    async def _claim(self) -> tuple[TrainingJob, Grant] | None:
        """Take a job and its slots, one at a time: what is free must not be offered twice."""
        async with self._claiming:
            free = self._slots.free
            if not free.cpu:
                return None
            room = self._reservations.room(free, self._slots.capacity)
            job = await self._queue.claim(self._holder, room)
            return None if job is None else (job, self._slots.take(job.id, job.resources))
