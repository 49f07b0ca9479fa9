"""The queue when the wall clock jumps: leases, turns and claims do not depend on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.common.clock import ManualClock
from services.common.errors import AbortedError
from services.common.store.sqlite import SqliteStore
from services.trainer.documents import COLLECTIONS
from services.trainer.domain import TrainingJob
from services.trainer.job_queue import Holder, JobQueue
from services.trainer.job_state import JobEvent, JobState
from services.trainer.repository import JobRepository

ME, OTHER = Holder(worker="w1", boot="b1"), Holder(worker="w2", boot="b2")
YEAR = 365 * 24 * 3600.0
LEASE = 30


class JumpingClock(ManualClock):
    """A wall clock that can be set, beside a steady one."""

    def __init__(self) -> None:
        super().__init__()
        self._offset = 0

    def now(self) -> int:
        return super().now() + self._offset

    def jump(self, seconds: float) -> None:
        """Set the wall clock."""
        self._offset += round(seconds * 1e6)


class Fixture:
    def __init__(self, store: SqliteStore) -> None:
        self.clock = JumpingClock()
        self.jobs = JobRepository(store)
        self.queue = JobQueue(store, self.clock, lease_seconds=LEASE, max_attempts=3)
        # Another trainer, whose wall clock need not agree.
        self.other_clock = JumpingClock()
        self.other = JobQueue(store, self.other_clock, lease_seconds=LEASE, max_attempts=3)

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.other_clock.advance(seconds)

    async def add(self, id: str, project: str = "p") -> None:
        self.pass_time(0.001)
        await self.jobs.create(
            TrainingJob(
                project=project,
                id=id,
                snapshot="s",
                trunk_source="t",
                create_time=self.clock.now(),
            ),
            None,
        )


@pytest.fixture
async def f(tmp_path: Path) -> AsyncIterator[Fixture]:
    store = SqliteStore(tmp_path / "t.db")
    await store.open(COLLECTIONS)
    yield Fixture(store)
    await store.close()


@pytest.mark.parametrize("jump", [YEAR, -YEAR, 0.0])
@pytest.mark.parametrize("watcher", ["the same process", "another"])
async def test_a_live_job_is_never_taken_away(f: Fixture, jump: float, watcher: str) -> None:
    await f.add("j")
    job = await f.queue.claim(ME)
    assert job is not None
    queue = f.queue if watcher == "the same process" else f.other
    for step in range(20):
        f.pass_time(LEASE / 3)
        if step == 5:
            f.clock.jump(jump)
        if step == 10:
            f.other_clock.jump(-jump)
        # the watcher looks before the holder has renewed under the new time
        assert await queue.requeue_expired() == []
        if step % 2:
            job = await f.queue.heartbeat(job)
    assert job.attempt == 1


@pytest.mark.parametrize("jump", [YEAR, -YEAR, 0.0])
async def test_a_dead_job_is_taken_away_in_time(f: Fixture, jump: float) -> None:
    await f.add("j")
    job = await f.queue.claim(ME)
    assert job is not None
    assert await f.other.requeue_expired() == []
    f.clock.jump(jump)
    f.other_clock.jump(jump)
    looks = 0
    while not (taken := await f.other.requeue_expired()):
        looks += 1
        assert looks <= 7, "the lease has run out long ago"
        f.pass_time(5)
    assert looks > LEASE / 5
    assert [one.state for one in taken] == [JobState.WAITING]
    with pytest.raises(AbortedError):
        await f.queue.heartbeat(job)


async def test_a_watcher_that_stood_still_takes_nothing_at_once(f: Fixture) -> None:
    await f.add("j")
    job = await f.queue.claim(ME)
    assert job is not None
    await f.queue.requeue_expired()
    # The process was stopped, holder and watcher alike; the watcher happens to go on first.
    f.pass_time(1000)
    assert await f.queue.requeue_expired() == []
    await f.queue.heartbeat(job)
    f.pass_time(LEASE - 1)
    assert await f.queue.requeue_expired() == []


async def test_a_renewal_between_look_and_write_wins(f: Fixture) -> None:
    await f.add("j")
    job = await f.queue.claim(ME)
    assert job is not None
    for _ in range(2):
        assert await f.other.requeue_expired() == []
        f.pass_time(16)
    running = f.other._running

    async def renewed_meanwhile() -> list[TrainingJob]:
        found = await running()
        await f.queue.heartbeat(job)
        return found

    f.other._running = renewed_meanwhile  # type: ignore[method-assign,assignment]
    assert await f.other.requeue_expired() == []
    assert (await f.jobs.get("p", "j")).state is JobState.TRAINING


async def test_projects_take_turns_though_the_clock_is_set_back(f: Fixture) -> None:
    for index in range(3):
        await f.add(f"a{index}", "a")
        await f.add(f"b{index}", "b")
    order = []
    for step in range(6):
        if step == 2:
            f.clock.jump(-YEAR)
        f.pass_time(1)
        job = await f.queue.claim(ME)
        assert job is not None
        order.append(job.id)
        await f.queue.advance(job, JobEvent.FAIL)
    assert order == ["a0", "b0", "a1", "b1", "a2", "b2"]
