"""Runs pre-annotation jobs: claims them, oldest first, and keeps their leases.

Jobs of several projects run side by side, those of one project one after the other.
A job that is cut off at any point continues where its last saved progress says: what was written
twice is the same prediction of the same generation, which changes nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from services.common.clock import Clock
from services.common.errors import NotFoundError, SpanloopError
from services.common.ids import IdSource
from services.common.logs import get_logger
from services.common.store.port import StoreError
from services.common.watch import Signal
from services.inference.domain import JobProgress, PreannotationJob
from services.inference.handlers.jobs import QUEUE
from services.inference.job_state import JobEvent
from services.inference.preannotate import LeaseLostError, Preannotation
from services.inference.repository import JobRepository, Lease

_log = get_logger(__name__)

_POLL_SECONDS = 1.0
_LOOK_SECONDS = 0.25


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    event: JobEvent
    message: str = ""
    progress: JobProgress | None = None


class PreannotationRunner:
    """Claims jobs and sees to it that each ends, here or elsewhere."""

    def __init__(
        self,
        jobs: JobRepository,
        preannotation: Preannotation,
        signal: Signal,
        *,
        clock: Clock,
        ids: IdSource,
        lease_seconds: float,
        at_once: int,
    ) -> None:
        """Run up to `at_once` jobs; a holder that dies loses its job after `lease_seconds`."""
        self._jobs = jobs
        self._preannotation = preannotation
        self._signal = signal
        self._clock = clock
        self._ids = ids
        self._lease_seconds = lease_seconds
        self._at_once = at_once
        # By project: it has one job here at a time.
        self._running: dict[str, JobProgress] = {}

    @property
    def running(self) -> dict[str, JobProgress]:
        """How far the jobs under way are, by project."""
        return dict(self._running)

    async def run(self) -> None:
        """Work until cancelled; jobs that are under way then go back to the queue."""
        self._running.clear()
        # When the store fails one job, it fails all: they go back, and begin again with this.
        async with asyncio.TaskGroup() as group:
            while True:
                seen = self._signal.version(QUEUE)
                for job in await self._jobs.requeue_expired(self._clock.now()):
                    _log.warning("preannotation_lease_expired", job=job.name)
                    self._signal.notify(job.name)
                while len(self._running) < self._at_once:
                    lease = self._lease(self._ids.new())
                    claimed = await self._jobs.claim(
                        lease, self._clock.now(), passing=self._running
                    )
                    if claimed is None:
                        break
                    self._running[claimed.project] = claimed.progress
                    group.create_task(self._run_job(claimed, lease.token))
                await self._signal.wait(QUEUE, seen, _POLL_SECONDS)

    def _lease(self, token: str) -> Lease:
        return Lease(token=token, until=self._clock.now() + round(self._lease_seconds * 1e6))

    async def _run_job(self, job: PreannotationJob, token: str) -> None:
        log = _log.bind(job=job.name)
        log.info("preannotation_started")
        self._signal.notify(job.name)
        work = asyncio.create_task(self._work(job, token), name=f"preannotate {job.id}")
        try:
            outcome = await self._guard(job, token, work)
            if outcome is not None:
                await self._jobs.finish(
                    job.id,
                    token,
                    outcome.event,
                    self._clock.now(),
                    message=outcome.message,
                    progress=outcome.progress,
                )
                log.info("preannotation_ended", outcome=outcome.event.value)
        except BaseException:
            # The server stops, or the store failed: the next holder continues.
            await _stop(work)
            await asyncio.shield(self._jobs.release(job.id, token))
            raise
        finally:
            del self._running[job.project]
            self._signal.notify(job.name)
            self._signal.notify(QUEUE)

    async def _guard(
        self, job: PreannotationJob, token: str, work: asyncio.Task[_Outcome]
    ) -> _Outcome | None:
        """Wait for the work, keep its lease, and end it when it is cancelled or lost."""
        renew_at = self._clock.monotonic() + self._lease_seconds / 3
        while True:
            done, _ = await asyncio.wait({work}, timeout=_LOOK_SECONDS)
            if done:
                try:
                    return work.result()
                except LeaseLostError:
                    _log.warning("preannotation_lease_lost", job=job.name)
                    return None
            current: PreannotationJob | None
            if self._clock.monotonic() >= renew_at:
                current = await self._jobs.renew(job.id, self._lease(token))
                renew_at = self._clock.monotonic() + self._lease_seconds / 3
                if current is None:
                    await _stop(work)
                    return None
            else:
                current = await self._jobs.get(job.project, job.id)
            if current.cancel_requested:
                await _stop(work)
                return _Outcome(event=JobEvent.CANCEL)

    async def _work(self, job: PreannotationJob, token: str) -> _Outcome:
        async def save(progress: JobProgress) -> None:
            if await self._jobs.save(job.id, self._lease(token), progress) is None:
                raise LeaseLostError
            self._running[job.project] = progress
            self._signal.notify(job.name)

        if job.cancel_requested:
            return _Outcome(event=JobEvent.CANCEL)
        try:
            progress = await self._preannotation.run(job, save)
        except NotFoundError as error:
            return _Outcome(event=JobEvent.FAIL, message=error.message)
        except SpanloopError as error:
            _log.warning("preannotation_failed", job=job.name, reason=error.reason.value)
            return _Outcome(event=JobEvent.FAIL, message=error.message)
        except (LeaseLostError, StoreError):
            raise
        except Exception:  # noqa: BLE001 - whatever it is, it is logged and told
            # Given back to the queue, it would be the oldest job again, for ever.
            _log.exception("preannotation_crashed", job=job.name)
            return _Outcome(
                event=JobEvent.FAIL, message="The job failed unexpectedly; see the server's log."
            )
        return _Outcome(event=JobEvent.FINISH, progress=progress)


async def _stop(work: asyncio.Task[_Outcome]) -> None:
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
