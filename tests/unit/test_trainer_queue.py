"""Claims, leases, fencing and fairness of the job queue; the log between two writers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from services.common.clock import ManualClock
from services.common.errors import AbortedError, Reason
from services.common.paging import Page
from services.common.store.port import DocumentStore
from services.common.store.sqlite import SqliteStore
from services.trainer.documents import COLLECTIONS
from services.trainer.domain import Failure, FailureReason, TrainingJob
from services.trainer.held_job import HeldJob
from services.trainer.job_log import JobLog, LogWriter
from services.trainer.job_queue import Holder, JobQueue
from services.trainer.job_state import (
    RUNNING_STATES,
    TERMINAL_STATES,
    IllegalTransitionError,
    JobEvent,
    JobState,
    sources,
    target,
)
from services.trainer.repository import JobRepository

ME, OTHER = Holder(worker="w1", boot="b1"), Holder(worker="w2", boot="b2")


class Fixture:
    def __init__(self, store: DocumentStore) -> None:
        self.store = store
        self.clock = ManualClock()
        self.repository = JobRepository(store)
        self.queue = JobQueue(store, self.clock, lease_seconds=30, max_attempts=3)
        self.log = JobLog(store, self.clock)

    async def add(self, id: str, project: str = "p") -> TrainingJob:
        self.clock.advance(1)
        return await self.repository.create(
            TrainingJob(
                project=project,
                id=id,
                snapshot=f"projects/{project}/snapshots/s",
                trunk_source="t",
                create_time=self.clock.now(),
            ),
            None,
        )

    async def expire(self) -> list[TrainingJob]:
        """Watch the leases for longer than one lasts."""
        for _ in range(2):
            assert await self.queue.requeue_expired() == []
            self.clock.advance(16)
        return await self.queue.requeue_expired()

    async def claim(self, holder: Holder = ME) -> TrainingJob:
        self.clock.advance(1)
        job = await self.queue.claim(holder)
        assert job is not None
        return job


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path)
    await store.open(COLLECTIONS)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def f(tmp_path: Path) -> AsyncIterator[Fixture]:
    async with opened(tmp_path / "t.db") as store:
        yield Fixture(store)


def lost() -> pytest.RaisesExc[AbortedError]:
    return pytest.raises(AbortedError, check=lambda error: error.reason is Reason.LEASE_LOST)


async def test_many_claimers_take_each_job_once(tmp_path: Path) -> None:
    taken: Counter[str] = Counter()
    async with opened(tmp_path / "t.db") as one, opened(tmp_path / "t.db") as two:
        first, second = Fixture(one), Fixture(two)
        for index in range(30):
            await first.add(f"j{index:02d}", f"p{index % 4}")

        async def work(fixture: Fixture, holder: Holder) -> None:
            while job := await fixture.queue.claim(holder):
                taken[job.id] += 1
                assert (job.attempt, job.lease.token, job.lease.worker) == (1, 1, holder.worker)
                await asyncio.sleep(0)

        await asyncio.gather(
            *(work(first, ME) for _ in range(4)), *(work(second, OTHER) for _ in range(4))
        )
    assert len(taken) == 30
    assert set(taken.values()) == {1}


async def test_oldest_first_within_a_project(f: Fixture) -> None:
    for job_id in ("c", "a", "b"):
        await f.add(job_id)
    assert [(await f.claim()).id for _ in range(3)] == ["c", "a", "b"]
    assert await f.queue.claim(ME) is None


async def test_projects_take_turns(f: Fixture) -> None:
    for index in range(4):
        await f.add(f"big{index}", "big")
    await f.add("small0", "small")
    first = await f.claim()
    assert first.id == "big0"
    # `small` has none running; then both have one, and `big` had its turn longer ago
    assert [(await f.claim()).id for _ in range(2)] == ["small0", "big1"]
    # with one worker: whoever was served longest ago
    await f.add("small1", "small")
    page = Page(size=100, after=None)
    running, _ = await f.repository.list_page("", [JobState.TRAINING], page, "")
    for job in running:
        await f.queue.advance(job, JobEvent.FAIL)
    assert (await f.claim()).id == "small1"
    assert (await f.claim()).id == "big2"


async def test_a_paused_holder_changes_nothing(f: Fixture) -> None:
    await f.add("j")
    old = await f.claim()
    (waiting,) = await f.expire()
    assert (waiting.state, waiting.attempt) == (JobState.WAITING, 1)
    # refused while nobody holds it, and after another took it
    with lost():
        await f.queue.heartbeat(old)
    new = await f.claim(OTHER)
    assert (new.attempt, new.lease.token > old.lease.token) == (2, True)
    for late in (
        f.queue.heartbeat(old),
        f.queue.write(old, {"warnings": ["late"]}),
        f.queue.advance(old, JobEvent.EVALUATE),
        f.queue.advance(old, JobEvent.FAIL),
        f.queue.commit(old),
        f.queue.give_back(old, consume_attempt=False),
    ):
        with lost():
            await late
    assert await f.repository.get("p", "j") == new


async def test_a_heartbeat_keeps_the_lease(f: Fixture) -> None:
    await f.add("j")
    job = await f.claim()
    for _ in range(5):
        f.clock.advance(25)
        after = await f.queue.heartbeat(job)
        assert await f.queue.requeue_expired() == []
        f.clock.advance(1)
        assert after.version == job.version
    assert after.etag == (await f.repository.get("p", "j")).etag


async def test_attempts_are_bounded(f: Fixture) -> None:
    await f.add("j")
    for attempt in (1, 2):
        assert (await f.claim()).attempt == attempt
        (job,) = await f.expire()
        assert job.state is JobState.WAITING
    await f.claim()
    (job,) = await f.expire()
    assert job.state is JobState.FAILED
    assert job.failure is not None
    assert job.failure.reason is FailureReason.WORKER_LOST
    assert job.end_time == f.clock.now()
    assert await f.queue.claim(ME) is None


async def test_giving_back_for_a_drain_costs_no_attempt(f: Fixture) -> None:
    await f.add("j")
    for _ in range(5):
        job = await f.claim()
        assert job.attempt == 1
        back = await f.queue.give_back(job, consume_attempt=False)
        assert (back.state, back.attempt, back.lease.worker) == (JobState.WAITING, 0, "")
    for attempt in (1, 2, 3):
        job = await f.claim()
        assert job.attempt == attempt
        back = await f.queue.give_back(job, consume_attempt=True)
    assert back.state is JobState.FAILED


async def test_orphans_of_an_earlier_start_come_back_at_once(f: Fixture) -> None:
    await f.add("mine")
    await f.add("theirs")
    await f.claim(ME)
    theirs = await f.claim(OTHER)
    assert await f.queue.requeue_orphans(ME) == []
    restarted = Holder(worker=ME.worker, boot="b9")
    assert [job.id for job in await f.queue.requeue_orphans(restarted)] == ["mine"]
    await f.queue.heartbeat(theirs)


async def test_cancelling_and_committing_exclude_each_other(f: Fixture) -> None:
    await f.add("a")
    a = await f.claim()
    assert await f.queue.commit(a) is not None
    assert await f.repository.request_cancel(a) is None
    await f.add("b")
    b = await f.claim()
    cancelled = await f.repository.request_cancel(b)
    assert cancelled is not None
    assert await f.repository.request_cancel(b) == cancelled
    assert await f.queue.commit(b) is None
    # a later attempt may be cancelled again
    await f.queue.give_back(a, consume_attempt=True)
    again = await f.claim()
    assert await f.repository.request_cancel(again) is not None


async def test_a_cancelled_waiting_job_is_not_claimed(f: Fixture) -> None:
    job = await f.add("j")
    await f.repository.request_cancel(job)
    assert await f.queue.claim(ME) is None
    (done,) = await f.queue.cancel_waiting()
    assert (done.state, done.end_time) == (JobState.CANCELLED, f.clock.now())
    assert await f.queue.cancel_waiting() == []
    assert await f.repository.request_cancel(done) is None


async def test_moves_follow_the_table(f: Fixture) -> None:
    await f.add("j")
    job = await f.claim()
    with pytest.raises(IllegalTransitionError):
        await f.queue.advance(job, JobEvent.FINISH)
    held = HeldJob(job, f.queue, lambda _: None)
    held.add_warning("w")
    held.add_warning("w")
    await held.advance(JobEvent.EVALUATE)
    await held.advance(JobEvent.REGISTER, evaluation=())
    await held.advance(JobEvent.FINISH, model_version="projects/p/modelVersions/v")
    stored = await f.repository.get("p", "j")
    assert stored == held.job
    assert (stored.state, stored.warnings, stored.lease.worker) == (JobState.DONE, ("w",), "")
    with pytest.raises(IllegalTransitionError):
        await held.advance(
            JobEvent.FAIL, failure=Failure(reason=FailureReason.INTERNAL, message="")
        )


_STEPS = {
    JobState.TRAINING: (),
    JobState.EVALUATING: (JobEvent.EVALUATE,),
    JobState.REGISTERING: (JobEvent.EVALUATE, JobEvent.REGISTER),
    JobState.DONE: (JobEvent.EVALUATE, JobEvent.REGISTER, JobEvent.FINISH),
    JobState.FAILED: (JobEvent.FAIL,),
    JobState.CANCELLED: (JobEvent.CANCEL,),
}


async def brought_to(f: Fixture, state: JobState) -> TrainingJob:
    """Return a job in a state, as the holder that brought it there knows it."""
    waiting = await f.add("j")
    if state is JobState.WAITING:
        return waiting
    job = await f.claim()
    for event in _STEPS[state]:
        job = await f.queue.advance(job, event)
    assert job.state is state
    return job


@pytest.mark.parametrize("event", [event for event in JobEvent if event is not JobEvent.CLAIM])
@pytest.mark.parametrize("state", JobState)
async def test_every_transition_that_the_table_has_and_no_other(
    f: Fixture, state: JobState, event: JobEvent
) -> None:
    job = await brought_to(f, state)
    if state not in sources(event):
        with pytest.raises(IllegalTransitionError):
            await f.queue.advance(job, event)
        assert await f.repository.get("p", "j") == job
        return
    after = await f.queue.advance(job, event)
    assert after.state is target(event)
    assert after.version == job.version + 1
    assert bool(after.end_time) == (after.state in TERMINAL_STATES)


@pytest.mark.parametrize("known", RUNNING_STATES)
@pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.WAITING])
async def test_a_decision_on_an_outdated_state_is_refused_by_the_write(
    f: Fixture, state: JobState, known: JobState
) -> None:
    job = await brought_to(f, state)
    outdated = replace(job, state=known)
    for event in JobEvent:
        if known not in sources(event) or known is state:
            continue
        with lost():
            await f.queue.advance(outdated, event)
    assert await f.repository.get("p", "j") == job


async def test_two_writers_leave_no_gap_in_a_log(f: Fixture) -> None:
    await f.add("j")
    old = HeldJob(await f.claim(), f.queue, lambda _: None)
    stale = LogWriter(f.log, f.clock, "j", old.heartbeat, lambda: None)
    stale.add("info", "one")
    await stale.flush()
    await f.expire()
    new = HeldJob(await f.claim(OTHER), f.queue, lambda _: None)
    fresh = LogWriter(f.log, f.clock, "j", new.heartbeat, lambda: None)
    for index in range(450):
        fresh.add("warning", f"line {index}")
        stale.add("shouting", f"late {index}")
    results = await asyncio.gather(fresh.flush(), stale.flush(), return_exceptions=True)
    assert results[0] is None
    lines = [line async for line in f.log.read("j", 0)]
    assert [line.sequence for line in lines] == list(range(1, len(lines) + 1))
    mine = [line.message for line in lines if line.level == "warning"]
    assert mine == [f"line {index}" for index in range(450)]
    behind = [line.sequence async for line in f.log.read("j", 400)]
    assert behind == list(range(401, len(lines) + 1))
    assert await f.log.last_sequence("j") == len(lines)
    await f.log.delete("j")
    assert await f.log.last_sequence("j") == 0
