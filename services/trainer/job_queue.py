"""The queue of training jobs over the document store: claims, leases and guarded writes.

Fairness: a free worker serves, among the projects that have a job waiting, the one with the fewest
running jobs; of equals the one whose last claim is longest ago; of equals the one whose job waits
longest. Within a project the oldest job comes first. So a project with a thousand jobs delays
another project's first job by one job at most. The choice of the project is made outside the write
that claims, so concurrent trainers may now and then choose the same project; the claim itself is
one atomic write, so no job is ever taken twice.

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
from services.common.store.port import Condition, DocumentStore, Eq, Gt, In, Lt, Ne, Order
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
        self._choosing = asyncio.Lock()

    async def claim(self, holder: Holder) -> TrainingJob | None:
        """Take the next job by the rule above, or None when nothing waits."""
        async with self._choosing:
            for project in await self._projects_by_turn():
                job = await self._claim_in(project, holder)
                if job is not None:
                    return job
        return None

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
        """Take away every lease that has expired; returns the jobs after the writes."""
        return await self._requeue([Lt("lease.expires_at", self._clock.now())])

    async def requeue_orphans(self, holder: Holder) -> list[TrainingJob]:
        """Take away at once the leases of earlier processes of the same worker."""
        return await self._requeue(
            [Eq("lease.worker", holder.worker), Ne("lease.boot", holder.boot)]
        )

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

    async def _projects_by_turn(self) -> list[str]:
        waiting = [Eq("state", JobState.WAITING.value), Eq("cancel_requested", False)]
        turns: list[tuple[int, int, int, str]] = []
        last = ""
        while True:
            # Jumps from project to project, so that a long queue of one project costs nothing.
            found = await self._store.find(
                JOBS,
                where=[*waiting, Gt("project", last)],
                order=(Order(field="project"), *_BY_AGE),
                limit=1,
            )
            if not found:
                break
            last = found[0].body["project"]
            running = await self._store.count(
                JOBS, where=[Eq("project", last), _in(RUNNING_STATES)]
            )
            latest = await self._store.find(
                JOBS,
                where=[Eq("project", last), Gt("claim_time", 0)],
                order=(Order(field="claim_time", descending=True),),
                limit=1,
            )
            claimed = latest[0].body["claim_time"] if latest else 0
            turns.append((running, claimed, found[0].body["create_time"], last))
        return [project for *_, project in sorted(turns)]

    async def _claim_in(self, project: str, holder: Holder) -> TrainingJob | None:
        now = self._clock.now()
        stored = await self._store.claim_one(
            JOBS,
            where=[
                Eq("state", JobState.WAITING.value),
                Eq("project", project),
                Eq("cancel_requested", False),
            ],
            order=_BY_AGE,
            set={
                "state": next_state(JobState.WAITING, JobEvent.CLAIM).value,
                "lease.worker": holder.worker,
                "lease.boot": holder.boot,
                "lease.expires_at": now + self._lease_us,
                "claim_time": now,
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

    async def _requeue(self, where: Sequence[Condition]) -> list[TrainingJob]:
        found = await self._store.find(
            JOBS,
            where=[_in(RUNNING_STATES), *where],
            order=_BY_AGE,
            limit=1000,
        )
        taken = [
            await self._take_away(job_of(stored), consume_attempt=True, where=where)
            for stored in found
        ]
        return [job for job in taken if job is not None]

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
