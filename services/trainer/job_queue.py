"""The queue of training jobs over the document store: claims, leases and guarded writes.

Fairness: a free worker serves, among the projects that have a job waiting, the one with the fewest
running jobs; of equals the one whose last claim is longest ago; of equals the one whose job waits
longest. Within a project the oldest job comes first. So a project with a thousand jobs delays
another project's first job by one job at most. The choice of the project is made outside the write
that claims, so concurrent trainers may now and then choose the same project; the claim itself is
one atomic write, so no job is ever taken twice.

Slots: a worker takes only what fits what it has free. A younger job may so pass an older, larger
one, but for a bounded time only (`resources.reservations`).

Fencing: every claim and every taking away raises ``lease.token``. Each write of a holder names its
token and the states that it may start from in the write's own guard; a holder that was paused past
its lease gets LEASE_LOST instead of overwriting its successor's work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.common.clock import Clock
from services.common.errors import AbortedError, Reason
from services.common.store.port import Condition, DocumentStore, Eq, In, Lt, Ne, Order
from services.trainer.documents import JOBS, failure_value, job_of
from services.trainer.domain import Failure, FailureReason, TrainingJob
from services.trainer.job_state import (
    RUNNING_STATES,
    TERMINAL_STATES,
    JobEvent,
    JobState,
    next_state,
    sources,
    target,
)
from services.trainer.lease_watch import LeaseWatch
from services.trainer.resources.reservations import Room
from services.trainer.turns import turns
from services.trainer.waiting_jobs import WAITING

_BY_AGE = (Order(field="create_time"),)
_MOST_ATTEMPTS_MESSAGE = (
    "The worker was lost in each of {attempts} attempts. Read the job's log and the trainer's log "
    "for the cause (often: too little memory), then create the job again."
)


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who claims: a worker's lasting id and the start of its process."""

    worker: str
    boot: str


class JobQueue:
    """Hands waiting jobs to workers, one holder at a time."""

    def __init__(
        self, store: DocumentStore, clock: Clock, *, lease_seconds: float, max_attempts: int
    ) -> None:
        """Work on an open store; `max_attempts` claims are the most before WORKER_LOST."""
        self._store = store
        self._clock = clock
        self._lease_us = round(lease_seconds * 1e6)
        self._max_attempts = max_attempts
        self._leases = LeaseWatch(clock, lease_seconds=lease_seconds)
        self._choosing = asyncio.Lock()

    async def claim(self, holder: Holder, room: Room | None = None) -> TrainingJob | None:
        """Take the next job by the rule above, or None when nothing waits that may be taken.

        Args:
            holder: Who takes it.
            room: What it has room for; None: for anything.
        """
        async with self._choosing:
            queue = await turns(self._store)
            # All are asked, also those whose turn may not come: each may have been passed by.
            held = {turn.project for turn in queue if room and room.holds_back(turn.oldest)}
            latest = max((turn.claimed for turn in queue), default=0)
            for turn in queue:
                if turn.project in held:
                    return None
                job = await self._claim_in(turn.project, holder, room, after=latest)
                if job is not None:
                    return job
        return None

    async def look(self, job: TrainingJob) -> TrainingJob:
        """Read a held job: whether cancelling was asked for.

        Raises:
            AbortedError: LEASE_LOST.
        """
        stored = await self._store.get(JOBS, job.id)
        if stored is None:
            raise _lease_lost(job)
        now = job_of(stored)
        if now.lease.token != job.lease.token or now.state not in RUNNING_STATES:
            raise _lease_lost(job)
        return now

    async def heartbeat(self, job: TrainingJob) -> TrainingJob:
        """Extend the lease; the answer tells whether cancelling was asked for.

        Raises:
            AbortedError: LEASE_LOST.
        """
        return await self._guarded(
            job, RUNNING_STATES, {"lease.expires_at": self._clock.now() + self._lease_us}
        )

    async def write(self, job: TrainingJob, changes: Mapping[str, Any]) -> TrainingJob:
        """Change visible fields of a held job; extends the lease too.

        Raises:
            AbortedError: LEASE_LOST.
        """
        return await self._guarded(
            job,
            RUNNING_STATES,
            {**changes, "lease.expires_at": self._clock.now() + self._lease_us},
            increment={"version": 1},
        )

    async def advance(
        self, job: TrainingJob, event: JobEvent, changes: Mapping[str, Any] | None = None
    ) -> TrainingJob:
        """Move a held job by `event`, with other changes in the same write.

        Raises:
            IllegalTransitionError: The event does not apply in the job's state.
            AbortedError: LEASE_LOST.
        """
        after = next_state(job.state, event)
        values: dict[str, Any] = {**(changes or {}), "state": after.value}
        if after in TERMINAL_STATES:
            values |= {"end_time": self._clock.now(), "lease.worker": "", "lease.boot": ""}
        return await self._guarded(job, (job.state,), values, increment={"version": 1})

    async def commit(self, job: TrainingJob) -> TrainingJob | None:
        """Pass the point after which the job cannot be cancelled; None when it is cancelled.

        Raises:
            AbortedError: LEASE_LOST.
        """
        stored = await self._store.update(
            JOBS,
            job.id,
            where=[*_held(job, RUNNING_STATES), Eq("cancel_requested", False)],
            set={"committed": True, "lease.expires_at": self._clock.now() + self._lease_us},
        )
        if stored is not None:
            return job_of(stored)
        await self.heartbeat(job)
        return None

    async def give_back(self, job: TrainingJob, *, consume_attempt: bool) -> TrainingJob:
        """Put a held job back into the queue, or fail it when its attempts are used up.

        Args:
            job: The held job.
            consume_attempt: Whether this attempt counts; False when the trainer is shutting down.

        Raises:
            AbortedError: LEASE_LOST.
        """
        stored = await self._take_away(job, consume_attempt=consume_attempt)
        if stored is None:
            raise _lease_lost(job)
        return stored

    async def requeue_expired(self) -> list[TrainingJob]:
        """Take away every lease that was not renewed for as long as it lasts, as seen from here.

        It takes two calls, the lease's time apart. Returns the jobs after the writes.
        """
        taken = [
            await self._take_away(
                job,
                consume_attempt=True,
                # Not if it was renewed since it was read.
                where=[Eq("lease.expires_at", job.lease.expires_at)],
            )
            for job in self._leases.dead(await self._running())
        ]
        return [job for job in taken if job is not None]

    async def requeue_orphans(self, holder: Holder) -> list[TrainingJob]:
        """Take away at once the leases of earlier processes of the same worker."""
        where: list[Condition] = [
            Eq("lease.worker", holder.worker),
            Ne("lease.boot", holder.boot),
        ]
        taken = [
            await self._take_away(job, consume_attempt=True, where=where)
            for job in await self._running(where)
        ]
        return [job for job in taken if job is not None]

    async def cancel_waiting(self) -> list[TrainingJob]:
        """Finish the cancelling of jobs that nobody holds; returns the jobs after the writes."""
        done = []
        waiting = await self._store.find(
            JOBS,
            where=[Eq("state", JobState.WAITING.value), Eq("cancel_requested", True)],
            order=_BY_AGE,
            limit=1000,
        )
        for stored in waiting:
            after = await self._store.update(
                JOBS,
                stored.id,
                where=[Eq("state", JobState.WAITING.value), Eq("cancel_requested", True)],
                set={
                    "state": next_state(JobState.WAITING, JobEvent.CANCEL).value,
                    "end_time": self._clock.now(),
                },
                increment={"version": 1},
            )
            if after is not None:
                done.append(job_of(after))
        return done

    async def _claim_in(
        self, project: str, holder: Holder, room: Room | None, *, after: int
    ) -> TrainingJob | None:
        now = self._clock.now()
        where: list[Condition] = [*WAITING, Eq("project", project)]
        if room is not None:
            where += [
                Lt("resources.cpu", room.free.cpu + 1),
                Lt("resources.gpu", room.free.gpu + 1),
                Lt("resources.memory_bytes", room.free.memory_bytes + 1),
            ]
        stored = await self._store.claim_one(
            JOBS,
            where=where,
            order=_BY_AGE,
            set={
                "state": next_state(JobState.WAITING, JobEvent.CLAIM).value,
                "lease.worker": holder.worker,
                "lease.boot": holder.boot,
                "lease.expires_at": now + self._lease_us,
                # Behind all claims before, though the wall clock be set back: projects take turns.
                "claim_time": max(now, after + 1),
                "waiting_reason": "",
                "committed": False,
                "progress": {"phase": "starting", "fraction": 0.0, "epoch": 0, "epochs": 0},
            },
            increment={"attempt": 1, "lease.token": 1, "version": 1},
        )
        if stored is None:
            return None
        job = job_of(stored)
        return job if job.start_time else await self.write(job, {"start_time": now})

    async def _guarded(
        self,
        job: TrainingJob,
        states: Sequence[JobState],
        changes: Mapping[str, Any],
        increment: Mapping[str, int] | None = None,
    ) -> TrainingJob:
        stored = await self._store.update(
            JOBS, job.id, where=_held(job, states), set=changes, increment=increment
        )
        if stored is None:
            raise _lease_lost(job)
        return job_of(stored)

    async def _running(self, where: Sequence[Condition] = ()) -> list[TrainingJob]:
        found = await self._store.find(
            JOBS, where=[_in(RUNNING_STATES), *where], order=_BY_AGE, limit=1000
        )
        return [job_of(stored) for stored in found]

    async def _take_away(
        self, job: TrainingJob, *, consume_attempt: bool, where: Sequence[Condition] = ()
    ) -> TrainingJob | None:
        changes: dict[str, Any] = {"lease.worker": "", "lease.boot": ""}
        increment = {"lease.token": 1, "version": 1}
        if consume_attempt and job.attempt >= self._max_attempts:
            event = JobEvent.FAIL
            message = _MOST_ATTEMPTS_MESSAGE.format(attempts=job.attempt)
            changes |= {
                "failure": failure_value(
                    Failure(reason=FailureReason.WORKER_LOST, message=message)
                ),
                "end_time": self._clock.now(),
            }
        else:
            event = JobEvent.REQUEUE
            if not consume_attempt:
                increment["attempt"] = -1
        stored = await self._store.update(
            JOBS,
            job.id,
            where=[*_held(job, sources(JobEvent.REQUEUE)), *where],
            set={**changes, "state": target(event).value},
            increment=increment,
        )
        return None if stored is None else job_of(stored)


def _held(job: TrainingJob, states: Sequence[JobState]) -> list[Condition]:
    return [Eq("lease.token", job.lease.token), _in(states)]


def _in(states: Sequence[JobState]) -> In:
    return In("state", [state.value for state in states])


def _lease_lost(job: TrainingJob) -> AbortedError:
    return AbortedError(
        Reason.LEASE_LOST,
        f"{job.name} belongs to another attempt; this one must stop.",
        metadata={"resource": job.name},
    )
