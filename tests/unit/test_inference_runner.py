"""The runner of pre-annotation jobs over a real store, with work that goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.common.clock import ManualClock, SystemClock
from services.common.ids import SortableIds
from services.common.store.port import Document
from services.common.store.sqlite import SqliteStore
from services.common.watch import Signal
from services.inference.domain import JobProgress, JobState, PreannotationJob
from services.inference.preannotate import Save
from services.inference.repository import JOB_COLLECTION, JobRepository, Lease
from services.inference.runner import PreannotationRunner
from tests.support.inference import until


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "jobs.db")
    await store.open([JOB_COLLECTION])
    yield store
    await store.close()


class Broken:
    """Work that has a bug for one job."""

    async def run(self, job: PreannotationJob, save: Save) -> JobProgress:
        if job.id == "a":
            raise ZeroDivisionError("secret detail")
        return JobProgress(total_tasks=0)


async def test_a_job_that_crashes_fails_and_lets_the_next_one_run(store: SqliteStore) -> None:
    jobs = JobRepository(store)
    for number, name in enumerate("ab"):
        await jobs.create(PreannotationJob(id=name, project="p", create_time=number), None)
    runner = PreannotationRunner(
        jobs,
        Broken(),  # type: ignore[arg-type]
        Signal(),
        clock=SystemClock(),
        ids=SortableIds(),
        lease_seconds=10,
        at_once=1,
    )
    task = asyncio.create_task(runner.run())
    try:

        async def ended() -> bool:
            return task.done() or (await jobs.get("p", "b")).state.terminal

        await until(ended)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    failed = await jobs.get("p", "a")
    assert failed.state is JobState.FAILED
    assert "log" in failed.failure_message
    assert "secret" not in failed.failure_message
    assert (await jobs.get("p", "b")).state is JobState.DONE


async def test_a_lease_renewed_at_the_last_moment_is_not_taken_away(store: SqliteStore) -> None:
    clock = ManualClock()
    jobs = JobRepository(store)
    await jobs.create(PreannotationJob(id="a", project="p"), None)
    assert await jobs.claim(Lease(token="t", until=clock.now()), clock.now())
    clock.advance(1)

    class Renewing:
        """The store; its holder renews between the look for expired leases and the write."""

        async def find(self, *arguments: object, **fields: object) -> object:
            found = await store.find(*arguments, **fields)  # type: ignore[arg-type]
            changes: Document = {"lease_until": clock.now() + 1}
            await store.update(JOB_COLLECTION.name, "a", set=changes)
            return found

        def __getattr__(self, name: str) -> object:
            return getattr(store, name)

    late = JobRepository(Renewing())  # type: ignore[arg-type]
    assert await late.requeue_expired(clock.now()) == []
    assert (await jobs.get("p", "a")).state is JobState.RUNNING
    clock.advance(1)
    (requeued,) = await jobs.requeue_expired(clock.now())
    assert requeued.state is JobState.WAITING


class Held:
    """Work that ends when it is told to."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ends = {name: asyncio.Event() for name in ("a1", "a2", "b1", "c1")}

    async def run(self, job: PreannotationJob, save: Save) -> JobProgress:
        await save(JobProgress(total_tasks=1))
        self.begun.append(job.id)
        await self.ends[job.id].wait()
        return JobProgress(total_tasks=1, done_tasks=1)


async def test_projects_do_not_wait_for_each_other(store: SqliteStore) -> None:
    """Two jobs run at once; of one project they run one after the other, the oldest first."""
    jobs, work = JobRepository(store), Held()
    for number, name in enumerate(("a1", "a2", "b1", "c1")):
        await jobs.create(PreannotationJob(id=name, project=name[0], create_time=number), None)
    runner = PreannotationRunner(
        jobs,
        work,  # type: ignore[arg-type]
        Signal(),
        clock=SystemClock(),
        ids=SortableIds(),
        lease_seconds=10,
        at_once=2,
    )

    async def run_to(*begun: str) -> None:
        async def reached() -> bool:
            return len(work.begun) == len(begun)

        await until(reached)
        assert set(work.begun) == set(begun)
        assert len(runner.running) == 2

    task = asyncio.create_task(runner.run())
    try:
        await run_to("a1", "b1")
        assert runner.running == dict.fromkeys("ab", JobProgress(total_tasks=1))
        work.ends["b1"].set()
        await run_to("a1", "b1", "c1")
        work.ends["a1"].set()
        await run_to("a1", "b1", "c1", "a2")
        assert (await jobs.get("a", "a1")).state is JobState.DONE
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    # Whoever stops gives back what was under way.
    assert runner.running == {}
    assert (await jobs.get("a", "a2")).state is JobState.WAITING
    assert (await jobs.get("c", "c1")).state is JobState.WAITING
