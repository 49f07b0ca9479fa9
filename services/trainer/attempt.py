"""One attempt at a job, from its claim to a terminal state or back into the queue."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum
from typing import Any

from services.common.clock import Clock
from services.common.errors import AbortedError
from services.common.logs import get_logger
from services.common.store.port import StoreError
from services.common.watch import Signal
from services.trainer.child_process import ChildDiedError
from services.trainer.domain import Failure, FailureReason, JobFailedError, TrainingJob
from services.trainer.held_job import HeldJob
from services.trainer.job_log import FLUSH_SECONDS, JobLog, LogWriter
from services.trainer.job_queue import JobQueue
from services.trainer.job_state import JobEvent
from services.trainer.job_work import JobWork, StoppedEarlyError, WorkParts
from services.trainer.publishing import CancelledBeforeCommitError
from services.trainer.resources.slots import Grant

_log = get_logger(__name__)
_LOOK_SECONDS = 0.5
"""A cancel that another process was asked for is seen after this long."""


class Interruption(Enum):
    """Why an attempt ends early."""

    CANCEL = "cancel"
    """The job is to end."""
    DRAIN = "drain"
    """The service is to end; the job goes back into the queue."""
    LOST = "lost"
    """The job belongs to another attempt."""


@dataclass(frozen=True, kw_only=True)
class AttemptParts:
    """What all attempts of a process share."""

    queue: JobQueue
    log: JobLog
    signal: Signal
    clock: Clock
    lease_seconds: float
    work: WorkParts


class Attempt:
    """Runs a job that was just claimed."""

    def __init__(self, job: TrainingJob, parts: AttemptParts, grant: Grant) -> None:
        """Take over the claimed job with the slots that it was given."""
        self._parts = parts
        self._held = HeldJob(job, parts.queue, parts.signal.notify)
        self._writer = LogWriter(
            parts.log,
            parts.clock,
            job.id,
            self._held.heartbeat,
            lambda: parts.signal.notify(job.id),
        )
        self._work = JobWork(
            self._held, self._writer, parts.work, grant, lambda: self._why() is Interruption.DRAIN
        )
        self._interrupted: asyncio.Future[Interruption] | None = None

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self._held.job.id

    def interrupt(self, why: Interruption) -> None:
        """End the attempt early; only the first reason counts."""
        if self._interrupted is not None and not self._interrupted.done():
            self._interrupted.set_result(why)

    async def run(self) -> None:
        """Run to the end; every outcome is in the store then, or the lease runs out by itself."""
        job = self._held.job
        self._interrupted = asyncio.get_running_loop().create_future()
        _log.info("attempt_begins", job=job.name, attempt=job.attempt)
        helpers = [
            asyncio.create_task(self._keep_lease(), name="lease"),
            asyncio.create_task(self._flush_regularly(), name="flush"),
        ]
        try:
            await self._settle(await self._outcome())
        except AbortedError:
            _log.warning("lease_lost", job=job.name, attempt=job.attempt)
        except StoreError:
            # Nothing can be written: the lease runs out, and whoever is able to goes on.
            _log.exception("attempt_unsettled", job=job.name, attempt=job.attempt)
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
        _log.info("attempt_ended", job=job.name, state=self._held.job.state.value)

    async def _outcome(self) -> Interruption | Exception | None:
        """Work until done, failed or interrupted; None when the job is DONE."""
        if self._interrupted is None:
            raise ValueError("run() was not called")
        work = asyncio.create_task(self._work.run(), name=f"work-{self.job_id}")
        first: set[asyncio.Future[Any]] = {work, self._interrupted}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            work.cancel()
            await asyncio.wait({work})
        if work.cancelled():
            return self._why() or Interruption.DRAIN
        error = work.exception()
        if error is None or isinstance(error, Exception):
            return error
        raise error

    async def _settle(self, outcome: Interruption | Exception | None) -> None:
        """Write how the attempt ended."""
        match outcome:
            case None:
                pass
            case Interruption.CANCEL | CancelledBeforeCommitError():
                self._writer.add("info", "Cancelled on request.")
                await self._writer.flush()
                await self._held.advance(JobEvent.CANCEL)
            case Interruption.DRAIN:
                self._writer.add("info", "The trainer stops: back into the queue.")
                await self._writer.flush()
                await self._held.give_back(consume_attempt=False)
            case StoppedEarlyError():
                # It counts: a child that always stops would come back for ever.
                self._writer.add("warning", "The training process stopped early.")
                await self._writer.flush()
                await self._held.give_back(consume_attempt=True)
            case Interruption.LOST | AbortedError():
                _log.warning("lease_lost", job=self._held.job.name)
            case JobFailedError(failure=failure):
                await self._fail(failure)
            case ChildDiedError() as died:
                await self._child_died(died)
            case StoreError():
                raise outcome
            case Exception():
                _log.error("attempt_failed", job=self._held.job.name, exc_info=outcome)
                await self._fail(
                    Failure(
                        reason=FailureReason.INTERNAL,
                        message="Something went wrong in the trainer; its log holds it.",
                    )
                )

    async def _child_died(self, died: ChildDiedError) -> None:
        for line in died.errors:
            self._writer.add("error", line)
        if died.out_of_memory:
            await self._fail(
                Failure(
                    reason=FailureReason.OUT_OF_MEMORY,
                    message="The system ended the training process because memory ran out: lower "
                    "batch_words or max_length, or add memory.",
                )
            )
        elif died.crashed:
            await self._fail(
                Failure(
                    reason=FailureReason.INTERNAL,
                    message=f"A bug: {died}; the job's log has the details.",
                )
            )
        else:
            self._writer.add("error", f"Worker lost: {died}.")
            await self._writer.flush()
            after = await self._held.give_back(consume_attempt=True)
            _log.warning("worker_lost", job=after.name, state=after.state.value)

    async def _fail(self, failure: Failure) -> None:
        self._writer.add("error", f"{failure.reason.value}: {failure.message}")
        await self._writer.flush()
        await self._held.advance(JobEvent.FAIL, failure=failure)

    async def _keep_lease(self) -> None:
        """Extend the lease, and see soon what others asked of the job, in whichever process."""
        job_id, clock, signal = self.job_id, self._parts.clock, self._parts.signal
        lease = self._parts.lease_seconds
        kept = clock.monotonic()
        while True:
            seen = signal.version(job_id)
            try:
                if clock.monotonic() - kept < lease / 3:
                    job = await self._held.look()
                else:
                    job = await self._held.heartbeat()
                    kept = clock.monotonic()
            except AbortedError:
                return self.interrupt(Interruption.LOST)
            except StoreError as error:
                _log.warning("heartbeat_failed", job=self._held.job.name, error=str(error))
                if clock.monotonic() - kept > lease:
                    return self.interrupt(Interruption.LOST)
            else:
                if job.cancel_requested:
                    return self.interrupt(Interruption.CANCEL)
            # A cancel in this process wakes us at once; our own writes do so too, so breathe.
            await asyncio.sleep(min(0.2, lease / 10))
            await signal.wait(job_id, seen, min(_LOOK_SECONDS, lease / 3))

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self._writer.flush()
                await self._held.flush()
            except AbortedError:
                return self.interrupt(Interruption.LOST)
            except StoreError as error:
                _log.warning("flush_failed", job=self._held.job.name, error=str(error))

    def _why(self) -> Interruption | None:
        done = self._interrupted is not None and self._interrupted.done()
        return self._interrupted.result() if done and self._interrupted is not None else None
