"""Pre-annotation jobs as documents.

Every change of a job repeats its guard inside the write: the state that the move starts from and,
for a running job, the token of the lease under which it runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.common.errors import not_found
from services.common.idempotency import RequestKey
from services.common.paging import Page, find_page
from services.common.store.port import (
    Collection,
    Condition,
    Document,
    DocumentStore,
    Eq,
    Index,
    Lt,
    Ne,
    Order,
    Stored,
)
from services.common.store.requests import REQUEST_INDEX, insert_once
from services.inference.domain import (
    JobProgress,
    JobState,
    PreannotationJob,
)
from services.inference.job_state import JobEvent, transition

JOBS = "preannotation_jobs"

JOB_COLLECTION = Collection(
    name=JOBS,
    indexes=(
        REQUEST_INDEX,
        Index(fields=("project", "create_time")),
        Index(fields=("create_time",)),
        Index(fields=("state", "create_time")),
    ),
)

_OLDEST_FIRST = (Order(field="create_time"),)
_NEWEST_FIRST = (Order(field="create_time", descending=True),)
_MANY = 1000


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to run a job until `until` (microseconds UTC); `token` names this holder."""

    token: str
    until: int


class JobRepository:
    """Pre-annotation jobs. Methods may raise StoreUnavailableError."""

    def __init__(self, store: DocumentStore) -> None:
        """Use an opened store."""
        self._store = store

    async def create(self, job: PreannotationJob, key: RequestKey | None) -> PreannotationJob:
        """Store a new job, or return the one that the same request made before.

        Raises:
            InvalidArgumentError: The request id was used for another request.
        """
        stored, _ = await insert_once(self._store, JOBS, job.id, _to_document(job), key)
        return _to_job(stored)

    async def get(self, project: str, job_id: str) -> PreannotationJob:
        """Read a job.

        Raises:
            NotFoundError: The project has no such job.
        """
        stored = await self._store.get(JOBS, job_id)
        if stored is None or stored.body["project"] != project:
            raise not_found(f"projects/{project}/preannotationJobs/{job_id}")
        return _to_job(stored)

    async def list_page(
        self, project: str | None, page: Page, scope: str
    ) -> tuple[list[PreannotationJob], str]:
        """Read a page of the jobs of a project, or of all, newest first."""
        where: list[Condition] = [] if project is None else [Eq("project", project)]
        found, token = await find_page(self._store, JOBS, where, _NEWEST_FIRST, page, scope)
        return [_to_job(stored) for stored in found], token

    async def request_cancel(self, project: str, job_id: str, now: int) -> PreannotationJob:
        """Persist the wish that a job ends; one that waits is CANCELLED at once.

        Raises:
            NotFoundError: The project has no such job.
            FailedPreconditionError: It has reached a terminal state (STATE_CONFLICT).
        """
        while True:
            job = await self.get(project, job_id)
            following = transition(job.state, JobEvent.CANCEL)
            changes: Document = {"cancel_requested": True}
            if job.state is JobState.WAITING:
                changes |= {"state": following.value, "end_time": now}
            stored = await self._store.update(
                JOBS, job_id, where=[Eq("state", job.state.value)], set=changes
            )
            if stored is not None:
                return _to_job(stored)

    async def claim(
        self, lease: Lease, now: int, *, passing: Iterable[str] = ()
    ) -> PreannotationJob | None:
        """Take the oldest waiting job, or None; two callers never get the same one.

        Those of the projects in `passing` are passed over.
        """
        others = [Ne("project", project) for project in sorted(passing)]
        stored = await self._store.claim_one(
            JOBS,
            where=[Eq("state", JobState.WAITING.value), *others],
            order=_OLDEST_FIRST,
            set={
                "state": transition(JobState.WAITING, JobEvent.CLAIM).value,
                "lease_token": lease.token,
                "lease_until": lease.until,
            },
        )
        if stored is None:
            return None
        if stored.body.get("start_time") is None:
            changed = await self._store.update(
                JOBS, stored.id, where=_held(lease.token), set={"start_time": now}
            )
            stored = changed or stored
        return _to_job(stored)

    async def requeue_expired(self, now: int) -> list[PreannotationJob]:
        """Return jobs whose holder is gone to the queue."""
        late = Lt("lease_until", now)
        expired = await self._store.find(
            JOBS, where=[Eq("state", JobState.RUNNING.value), late], limit=_MANY
        )
        # Asked again in the write: a holder that was only slow may have renewed its lease.
        requeued = [
            await self._release(stored.id, stored.body["lease_token"], late) for stored in expired
        ]
        return [job for job in requeued if job is not None]

    async def release(self, job_id: str, token: str) -> PreannotationJob | None:
        """Return a running job to the queue; None when the lease is not this one."""
        return await self._release(job_id, token)

    async def renew(self, job_id: str, lease: Lease) -> PreannotationJob | None:
        """Prolong the lease; None when it was lost."""
        return await self._guarded(job_id, lease.token, {"lease_until": lease.until})

    async def save(
        self, job_id: str, lease: Lease, progress: JobProgress
    ) -> PreannotationJob | None:
        """Record progress and prolong the lease; None when it was lost."""
        changes: Document = {"progress": _progress(progress), "lease_until": lease.until}
        return await self._guarded(job_id, lease.token, changes)

    async def finish(
        self,
        job_id: str,
        token: str,
        event: JobEvent,
        now: int,
        *,
        message: str = "",
        progress: JobProgress | None = None,
    ) -> PreannotationJob | None:
        """Move a running job to its terminal state, with its last progress in the same write.

        Returns:
            The job, or None when the lease was lost.
        """
        following = transition(JobState.RUNNING, event)
        changes: Document = {
            "state": following.value,
            "end_time": now,
            "failure_message": message,
            "lease_token": None,
        }
        if progress is not None:
            changes["progress"] = _progress(progress)
        return await self._guarded(job_id, token, changes)

    async def _release(
        self, job_id: str, token: str, *guards: Condition
    ) -> PreannotationJob | None:
        following = transition(JobState.RUNNING, JobEvent.REQUEUE)
        changes: Document = {"state": following.value, "lease_token": None}
        return await self._guarded(job_id, token, changes, *guards)

    async def _guarded(
        self, job_id: str, token: str, changes: Document, *guards: Condition
    ) -> PreannotationJob | None:
        where = [*_held(token), *guards]
        stored = await self._store.update(JOBS, job_id, where=where, set=changes)
        return None if stored is None else _to_job(stored)


def _held(token: str) -> list[Condition]:
    return [Eq("state", JobState.RUNNING.value), Eq("lease_token", token)]


def _progress(progress: JobProgress) -> Document:
    return {
        "generation": progress.generation,
        "content_digest": progress.content_digest,
        "total_tasks": progress.total_tasks,
        "done_tasks": progress.done_tasks,
        "skipped_tasks": progress.skipped_tasks,
        "written_predictions": progress.written_predictions,
        "cursor": progress.cursor,
    }


def _to_document(job: PreannotationJob) -> Document:
    return {
        "project": job.project,
        "labels": list(job.labels),
        "min_score": job.min_score,
        "stale_only": job.stale_only,
        "state": job.state.value,
        "progress": _progress(job.progress),
        "failure_message": job.failure_message,
        "cancel_requested": job.cancel_requested,
        "create_time": job.create_time,
        "start_time": job.start_time,
        "end_time": job.end_time,
    }


def _to_job(stored: Stored) -> PreannotationJob:
    body = stored.body
    return PreannotationJob(
        id=stored.id,
        project=body["project"],
        labels=tuple(body["labels"]),
        min_score=float(body["min_score"]),
        # Earlier releases knew no such jobs.
        stale_only=body.get("stale_only", False),
        state=JobState(body["state"]),
        progress=JobProgress(**body["progress"]),
        failure_message=body["failure_message"],
        cancel_requested=body["cancel_requested"],
        revision=stored.revision,
        create_time=body["create_time"],
        start_time=body["start_time"],
        end_time=body["end_time"],
    )
