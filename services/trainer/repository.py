"""Training jobs as callers create, read, list and cancel them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict

from services.common.errors import not_found
from services.common.idempotency import RequestKey
from services.common.paging import Page, find_page
from services.common.store.port import (
    Condition,
    DocumentStore,
    DuplicateError,
    Eq,
    In,
    Ne,
    Order,
)
from services.common.store.requests import find_request, insert_once
from services.trainer.documents import JOBS, job_document, job_of
from services.trainer.domain import DeploymentOutcome, TrainingJob, TrainingSource
from services.trainer.job_state import LIVE_STATES, RUNNING_STATES, JobState

_NEWEST_FIRST = (Order(field="create_time", descending=True),)


class JobRepository:
    """Training jobs over a document store."""

    def __init__(self, store: DocumentStore) -> None:
        """Work on an open store."""
        self._store = store

    async def create(self, job: TrainingJob, key: RequestKey | None) -> TrainingJob:
        """Store a new job; a repeat of the request returns the first job.

        Raises:
            InvalidArgumentError: REQUEST_ID_REUSED.
        """
        stored, _ = await insert_once(self._store, JOBS, job.id, job_document(job), key)
        return job_of(stored)

    async def find_repeat(self, key: RequestKey) -> TrainingJob | None:
        """Return the job that an earlier request under this key made, if any.

        Raises:
            InvalidArgumentError: REQUEST_ID_REUSED: that request was another.
        """
        found = await find_request(self._store, JOBS, key)
        return None if found is None else job_of(found)

    async def get(self, project: str, job_id: str) -> TrainingJob:
        """Return a job.

        Raises:
            NotFoundError: The project has no such job.
        """
        stored = await self._store.get(JOBS, job_id)
        if stored is None or stored.body["project"] != project:
            raise not_found(f"projects/{project}/trainingJobs/{job_id}")
        return job_of(stored)

    async def has_live(self, project: str) -> bool:
        """Return whether a job of the project will still change."""
        live: list[Condition] = [
            Eq("project", project),
            In("state", [state.value for state in LIVE_STATES]),
        ]
        return bool(await self._store.find(JOBS, where=live, limit=1))

    async def get_many(self, job_ids: Sequence[str]) -> list[TrainingJob]:
        """Return the jobs of these ids that exist, in their order."""
        found = await self._store.get_many(JOBS, job_ids)
        return [job_of(found[job_id]) for job_id in job_ids if job_id in found]

    async def insert(self, job: TrainingJob) -> None:
        """Store a job of this id unless it is there already."""
        with suppress(DuplicateError):
            await self._store.insert(JOBS, job.id, job_document(job))

    async def undeployed(self, limit: int) -> list[TrainingJob]:
        """Return DONE jobs whose deployment is still to be decided on, oldest first."""
        found = await self._store.find(
            JOBS,
            where=[Eq("deploy_pending", True), Eq("state", JobState.DONE.value)],
            order=(Order(field="end_time"),),
            limit=limit,
        )
        return [job_of(stored) for stored in found]

    async def settle_deployment(
        self, job: TrainingJob, outcome: DeploymentOutcome
    ) -> TrainingJob | None:
        """Store what became of deploying, once; None when that was stored before."""
        stored = await self._store.update(
            JOBS,
            job.id,
            where=[Eq("deploy_pending", True), Eq("state", JobState.DONE.value)],
            set={"deployment": asdict(outcome), "deploy_pending": False},
            increment={"version": 1},
        )
        return None if stored is None else job_of(stored)

    async def states_of(self, job_ids: Sequence[str]) -> dict[str, JobState]:
        """Return the states of the jobs that exist."""
        found = await self._store.get_many(JOBS, job_ids)
        return {job_id: JobState(stored.body["state"]) for job_id, stored in found.items()}

    async def list_page(
        self,
        project: str,
        states: Sequence[JobState],
        page: Page,
        scope: str,
        *,
        source: TrainingSource | None = None,
    ) -> tuple[list[TrainingJob], str]:
        """Return a page of jobs, newest first, and the next page's token.

        Args:
            project: The project's id; empty: all projects.
            states: Only these; empty: all.
            page: Which page.
            scope: What its token is bound to.
            source: Only what this made; None: all.
        """
        where: list[Condition] = [Eq("project", project)] if project else []
        if states:
            where.append(_in(states))
        if source is not None:
            # Jobs of the first release do not say: callers made them.
            by_policy = TrainingSource.ACTIVE_LEARNING
            same = source is by_policy
            where.append((Eq if same else Ne)("source", by_policy.value))
        found, token = await find_page(self._store, JOBS, where, _NEWEST_FIRST, page, scope)
        return [job_of(stored) for stored in found], token

    async def of_group(self, group: str) -> list[TrainingJob]:
        """Return the jobs of a group by its resource name, in the order of their creation."""
        found = await self._store.find(
            JOBS, where=[Eq("group", group)], order=(Order(field="create_time"),), limit=1000
        )
        return [job_of(stored) for stored in found]

    async def running(self) -> list[TrainingJob]:
        """Return the jobs that workers hold."""
        found = await self._store.find(JOBS, where=[_in(RUNNING_STATES)], limit=1000)
        return [job_of(stored) for stored in found]

    async def count_waiting(self) -> int:
        """Return the number of jobs that wait for a worker."""
        return await self._store.count(JOBS, where=[_in([JobState.WAITING])])

    async def request_cancel(self, job: TrainingJob) -> TrainingJob | None:
        """Set the flag; None when it is too late (see `TrainingJob.committed`).

        A repeat changes nothing and returns the job.
        """
        open_to_it: list[Condition] = [
            _in(LIVE_STATES),
            Ne("committed", True),
        ]
        stored = await self._store.update(
            JOBS,
            job.id,
            where=[*open_to_it, Eq("cancel_requested", False)],
            set={"cancel_requested": True},
            increment={"version": 1},
        )
        if stored is not None:
            return job_of(stored)
        after = await self.get(job.project, job.id)
        return after if after.cancel_requested and after.state in LIVE_STATES else None


def _in(states: Sequence[JobState]) -> In:
    return In("state", [state.value for state in states])
