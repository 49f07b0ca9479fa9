"""Slots, admission, reservations, the directory of workers, shortages."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.clock import ManualClock
from services.common.errors import FailedPreconditionError, InvalidArgumentError, Reason
from services.common.modeling.onnx.providers import cuda_usable
from services.common.store.sqlite import SqliteStore
from services.trainer.child_memory import own_bytes, watch_memory
from services.trainer.documents import COLLECTIONS, JOBS, WORKERS
from services.trainer.domain import FailureReason, Resources, TrainingJob
from services.trainer.job_queue import Holder, JobQueue
from services.trainer.job_state import JobEvent, JobState
from services.trainer.repository import JobRepository
from services.trainer.resources.admission import Admission
from services.trainer.resources.directory import WorkerDirectory, WorkerEntry
from services.trainer.resources.machine import Accelerators, ProbeProcess, cores, memory_bytes
from services.trainer.resources.probe import usable_gpus
from services.trainer.resources.reservations import Reservations
from services.trainer.resources.shortage import Shortage
from services.trainer.resources.slots import LEAST, Grant, Slots, fits, minus, needed
from services.trainer.waiting_jobs import WaitingJobs

GIB = 1024**3
ME = Holder(worker="w1", boot="b1")
BIG = Resources(cpu=4, memory_bytes=8 * GIB)


class Fixture:
    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.clock = ManualClock()
        self.jobs = JobRepository(store)
        self.queue = JobQueue(store, self.clock, lease_seconds=30, max_attempts=3)
        self.directory = WorkerDirectory(store, self.clock, beat_seconds=5)
        self.waiting = WaitingJobs(store, self.clock)
        self.workers: list[WorkerEntry] = []
        self.reservations = Reservations("w1", self.clock, lambda: self.workers, after_seconds=60)

    async def add(self, id: str, project: str = "p", **resources: int) -> TrainingJob:
        self.clock.advance(1)
        return await self.jobs.create(
            TrainingJob(
                project=project,
                id=id,
                snapshot="s",
                trunk_source="t",
                resources=needed(Resources(**resources)),
                create_time=self.clock.now(),
            ),
            None,
        )

    async def claim(self, free: Resources, capacity: Resources = BIG) -> str:
        job = await self.queue.claim(ME, self.reservations.room(free, capacity))
        return "" if job is None else job.id

    async def job(self, id: str) -> TrainingJob:
        return await self.jobs.get("p", id)


@pytest.fixture
async def f(tmp_path: Path) -> AsyncIterator[Fixture]:
    store = SqliteStore(tmp_path / "t.db")
    await store.open(COLLECTIONS)
    yield Fixture(store)
    await store.close()


def entry(id: str, capacity: Resources = BIG) -> WorkerEntry:
    return WorkerEntry(id=id, boot="b", capacity=capacity, max_jobs=2)


amounts = st.builds(
    Resources, cpu=st.integers(1, 6), gpu=st.integers(0, 3), memory_bytes=st.integers(0, 10)
)


@given(st.lists(st.tuples(amounts, st.booleans()), max_size=30))
def test_slots_are_never_given_twice(steps: list[tuple[Resources, bool]]) -> None:
    capacity = Resources(cpu=6, gpu=3, memory_bytes=10)
    slots = Slots(capacity, max_jobs=9, threads=0, cores=6)
    held: dict[str, Grant] = {}
    for index, (asked, ends) in enumerate(steps):
        if fits(asked, slots.free):
            held[str(index)] = slots.take(str(index), asked)
        if ends and held:
            job = next(iter(held))
            slots.give_back(job)
            del held[job]
        gpus = [gpu for grant in held.values() for gpu in grant.gpus]
        assert len(gpus) == len(set(gpus)) == sum(g.resources.gpu for g in held.values())
        assert set(gpus) <= {0, 1, 2}
        assert slots.free.cpu == 6 - sum(g.resources.cpu for g in held.values())
        assert slots.free.memory_bytes == 10 - sum(g.resources.memory_bytes for g in held.values())
        assert all(grant.threads == grant.resources.cpu for grant in held.values())
    for job in held:
        slots.give_back(job)
    assert slots.free == capacity


@pytest.mark.parametrize(
    ("max_jobs", "setting", "cpu", "threads"),
    [
        (2, 0, 8, 2),  # as many as its slots
        (1, 0, 8, 0),  # alone on the whole machine: the libraries' own choice
        (1, 0, 4, 4),  # alone on a part of it
        (2, 5, 8, 5),  # as the operator says
    ],
)
def test_threads_follow_the_slots(max_jobs: int, setting: int, cpu: int, threads: int) -> None:
    slots = Slots(Resources(cpu=cpu), max_jobs=max_jobs, threads=setting, cores=8)
    assert slots.take("j", Resources(cpu=2)).threads == threads


def test_a_child_sees_only_its_gpus() -> None:
    slots = Slots(Resources(cpu=4), max_jobs=4, threads=0, cores=4)
    assert slots.take("none", Resources(cpu=1)).environment({}) == {"CUDA_VISIBLE_DEVICES": ""}
    slots.declare_gpus(3)
    one, two = (slots.take(name, Resources(cpu=1, gpu=1)) for name in "ab")
    assert (one.gpus, two.gpus) == ((0,), (1,))
    assert two.environment({}) == {"CUDA_VISIBLE_DEVICES": "1"}
    # what the operator left visible is counted anew
    assert two.environment({"CUDA_VISIBLE_DEVICES": "4, 7,9"}) == {"CUDA_VISIBLE_DEVICES": "7"}
    slots.give_back("a")
    assert slots.take("c", Resources(cpu=1, gpu=1)).gpus == (0,)


def test_rooms_add_up() -> None:
    assert needed(Resources(), Resources(cpu=2, memory_bytes=5)) == Resources(cpu=2, memory_bytes=5)
    assert needed(Resources(cpu=3, gpu=1)) == Resources(cpu=3, gpu=1)
    assert minus(Resources(cpu=1), Resources(cpu=2, gpu=1)) == Resources()
    assert not fits(Resources(gpu=1), BIG)


def test_a_container_has_its_limits(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "memory.max").write_text("1048576\n")
    assert cores(tmp_path) == 1
    assert memory_bytes(tmp_path) == 1_048_576
    for name in ("cpu.max", "memory.max"):
        (tmp_path / name).write_text("max 100000\n" if name == "cpu.max" else "max\n")
    assert cores(tmp_path) == cores(tmp_path / "none") == len(os.sched_getaffinity(0))
    assert memory_bytes(tmp_path) == memory_bytes(tmp_path / "none") > 1_048_576


async def test_more_memory_than_asked_for_is_told_once(tmp_path: Path) -> None:
    said: list[tuple[str, str]] = []
    code = "import sys; held = bytes(range(256)) * 2**18; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(  # noqa: ASYNC220 - it is waited for by its one line
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert own_bytes(child.pid) > 64 * 2**20
        await watch_memory(child.pid, 64 * 2**20, lambda *line: said.append(line))
        child.kill()
    ((level, text),) = said
    assert (level, "more than the 0.1 GiB" in text) == ("warning", True)
    await watch_memory(child.pid, 0, lambda *line: said.append(line))
    assert own_bytes(child.pid, tmp_path) == 0
    assert len(said) == 1


async def test_what_is_found_is_told() -> None:
    code = 'print(\'{"gpus": ["H200"], "providers": ["CUDAExecutionProvider"]}\')'
    found = await ProbeProcess((sys.executable, "-c", code))()
    assert found == Accelerators(gpus=("H200",), providers=("CUDAExecutionProvider",))
    for broken in ("print('nothing')", "raise SystemExit(1)", "print('{}')"):
        assert await ProbeProcess((sys.executable, "-c", broken))() == Accelerators()
    assert await ProbeProcess(("/does/not/exist",))() == Accelerators()


def test_gpus_count_when_a_runtime_can_use_them() -> None:
    assert usable_gpus([], by_runtime=False) == []
    assert usable_gpus(["A", "B"], by_runtime=True) == ["A", "B"]
    assert usable_gpus([], by_runtime=True) == ["CUDA device"]


async def test_the_real_probe_finds_this_machines_gpus() -> None:
    found = await ProbeProcess()()
    assert found.providers[-1] == "CPUExecutionProvider"
    if not cuda_usable():
        assert found.gpus == ()
        pytest.skip("no usable CUDA device: that there is none was told rightly")
    assert found.gpus
    assert found.providers[0] == "CUDAExecutionProvider"


async def test_jobs_take_what_they_ask_for_or_the_default(f: Fixture) -> None:
    default = Resources(cpu=2, memory_bytes=4 * GIB)
    admission = Admission(f.directory, lambda engine: default if engine == "full" else LEAST)
    # nobody is known yet: whatever is asked for waits
    assert await admission.admit(Resources(gpu=9), "ladder") == Resources(cpu=1, gpu=9)
    await f.directory.save(entry("w1", Resources(cpu=1, memory_bytes=2 * GIB)))
    await f.directory.save(entry("w2", Resources(cpu=1, gpu=1)))
    # what nobody asked for is cut to what there is
    assert await admission.admit(Resources(), "full") == Resources(cpu=1, memory_bytes=2 * GIB)
    assert await admission.admit(Resources(gpu=1), "ladder") == Resources(cpu=1, gpu=1)
    for asked in (
        Resources(cpu=2),
        Resources(gpu=2),
        # each has a part of it, and none has both
        Resources(gpu=1, memory_bytes=GIB),
    ):
        with pytest.raises(FailedPreconditionError, match="No worker is large enough") as refusal:
            await admission.admit(asked, "ladder")
        assert refusal.value.reason is Reason.RESOURCES_INSUFFICIENT
    with pytest.raises(InvalidArgumentError, match=r"resources\.gpu"):
        await admission.admit(Resources(gpu=-1), "ladder")


async def test_only_what_fits_is_taken(f: Fixture) -> None:
    await f.add("gpu", cpu=1, gpu=1)
    await f.add("wide", cpu=4)
    await f.add("heavy", cpu=1, memory_bytes=6 * GIB)
    await f.add("small", cpu=1)
    assert await f.claim(Resources(cpu=3, memory_bytes=5 * GIB)) == "small"
    assert await f.claim(Resources(cpu=3, memory_bytes=5 * GIB)) == ""
    assert await f.claim(Resources(cpu=3, memory_bytes=6 * GIB)) == "heavy"
    assert await f.claim(Resources(cpu=4)) == "wide"
    assert await f.claim(Resources(cpu=1, gpu=1)) == "gpu"


async def test_a_large_job_is_passed_for_a_bounded_time(f: Fixture) -> None:
    await f.add("large", cpu=4)
    for index in range(4):
        await f.add(f"small{index}")
    await f.add("other", "q")
    free = Resources(cpu=2, memory_bytes=GIB)
    assert await f.claim(free) == "small0"
    f.clock.advance(30)
    assert await f.claim(free) == "other"
    f.clock.advance(29)
    assert await f.claim(free) == "small1"
    f.clock.advance(1)
    # now it is waited for
    assert await f.claim(free) == ""
    assert await f.claim(BIG) == "large"
    assert await f.claim(free) == "small2"


async def test_projects_before_its_own_go_on_while_a_large_job_is_waited_for(f: Fixture) -> None:
    await f.add("large", "p", cpu=4)
    await f.add("p1", "p")
    free = Resources(cpu=2)
    assert await f.claim(free) == "p1"
    f.clock.advance(61)
    # p has a job running, q has none: q's turn comes first
    await f.add("q1", "q")
    await f.add("q2", "q")
    assert await f.claim(free) == "q1"
    # both have one, and p was served longest ago
    assert await f.claim(free) == ""


@pytest.mark.parametrize(
    ("workers", "holds_back"),
    [
        ([], True),
        ([entry("w1"), entry("w2")], True),
        ([entry("w0"), entry("w1")], False),  # the other one waits for it
        ([entry("w0", LEAST), entry("w1")], True),  # the other one is too small
    ],
)
async def test_one_worker_is_kept_free(
    f: Fixture, workers: list[WorkerEntry], holds_back: bool
) -> None:
    f.workers = workers
    await f.add("large", cpu=4)
    await f.add("small0")
    await f.add("small1")
    assert await f.claim(Resources(cpu=2)) == "small0"
    f.clock.advance(61)
    assert await f.claim(Resources(cpu=2)) == ("" if holds_back else "small1")


async def test_nothing_is_held_back_for_what_would_never_fit(f: Fixture) -> None:
    await f.add("huge", cpu=64)
    for index in range(2):
        await f.add(f"small{index}")
    assert await f.claim(Resources(cpu=2)) == "small0"
    f.clock.advance(1000)
    assert await f.claim(Resources(cpu=2)) == "small1"


async def test_workers_are_alive_while_they_write(f: Fixture) -> None:
    await f.directory.save(entry("b"))
    f.clock.advance(10)
    await f.directory.save(entry("a"))
    assert [worker.id for worker in await f.directory.live()] == ["a", "b"]
    f.clock.advance(6)
    (alive,) = await f.directory.live()
    assert alive == replace(entry("a"), seen=alive.seen)
    # a clock set back makes it look like the future's: not alive until it writes again
    f.clock.advance(-3600)
    assert await f.directory.live() == []
    await f.directory.save(entry("a"))
    assert [worker.id for worker in await f.directory.live()] == ["a"]
    await f.directory.remove("a")
    assert await f.directory.live() == []
    # what is gone for long is forgotten
    f.clock.advance(3 * 24 * 3600)
    await f.directory.live()
    assert await f.store.count(WORKERS) == 0


async def test_a_job_that_fits_nobody_says_so_and_ends_in_time(f: Fixture) -> None:
    told: list[str] = []
    shortage = Shortage(
        f.waiting, f.directory, f.clock, told.append, grace_seconds=15, fail_seconds=3600
    )

    async def later(seconds: float) -> None:
        while seconds > 0:
            step = min(seconds, 10)
            f.clock.advance(step)
            seconds -= step
            if f.workers:
                for worker in f.workers:
                    await f.directory.save(worker)
            await shortage.look()

    await f.add("large", cpu=4)
    await f.add("small", cpu=1)
    f.workers = [entry("w1"), entry("w2", LEAST)]
    await later(60)
    assert (told, (await f.job("large")).waiting_reason) == ([], "")
    # its worker vanishes: nothing is said of a short absence
    f.workers = [entry("w2", LEAST)]
    await later(20)
    assert told == []
    await later(40)
    assert (await f.job("large")).waiting_reason == (
        "The job takes 4 CPU, 0 GPU and 0.0 GiB of memory; the most that any worker has is "
        "1 CPU, 0 GPU and 0.0 GiB of memory."
    )
    assert (await f.job("small")).waiting_reason == ""
    # it comes back
    f.workers = [entry("w1")]
    await later(40)
    assert (await f.job("large")).waiting_reason == ""
    assert told == ["large", "large"]
    # all vanish, for longer than the setting says
    f.workers = []
    await later(60)
    assert "no worker is alive" in (await f.job("small")).waiting_reason.lower()
    await later(3600)
    for job_id in ("large", "small"):
        job = await f.job(job_id)
        assert job.state is JobState.FAILED
        assert job.failure is not None
        assert job.failure.reason is FailureReason.RESOURCES_INSUFFICIENT
        assert job.end_time


async def test_a_jump_of_the_wall_clock_ends_no_waiting_job(f: Fixture) -> None:
    class Jumping(ManualClock):
        ahead = 0.0

        def now(self) -> int:
            return super().now() + round(self.ahead * 1e6)

    clock = Jumping()
    directory = WorkerDirectory(f.store, clock, beat_seconds=5)
    waiting = WaitingJobs(f.store, clock)
    shortage = Shortage(
        waiting, directory, clock, lambda _: None, grace_seconds=15, fail_seconds=3600
    )
    await f.add("j")
    await directory.save(entry("w1"))
    await shortage.look()
    for jump in (1e6, -2e6):
        clock.ahead += jump
        clock.advance(16)
        # the worker has not written yet under the new time
        await shortage.look()
        await directory.save(entry("w1"))
        clock.advance(16)
        await directory.save(entry("w1"))
        await shortage.look()
        assert (await f.job("j")).state is JobState.WAITING
        assert (await f.job("j")).waiting_reason == ""


async def test_a_job_taken_meanwhile_is_neither_explained_nor_ended(f: Fixture) -> None:
    waits = await f.add("j")
    assert await f.claim(BIG) == "j"
    assert not await f.waiting.explain(waits, "why")
    held = await f.job("j")
    await f.queue.give_back(held, consume_attempt=True)
    # it waits again, but it is not the wait that was seen
    assert not await f.waiting.explain(waits, "why")
    assert await f.waiting.explain(await f.job("j"), "why")
    # the reason goes with the wait
    assert await f.claim(BIG) == "j"
    assert (await f.job("j")).waiting_reason == ""


async def test_jobs_of_the_first_release_can_be_taken(f: Fixture) -> None:
    job = await f.add("old")
    stored = await f.store.get(JOBS, "old")
    assert stored is not None
    body = {key: value for key, value in stored.body.items() if key != "resources"}
    await f.store.replace(JOBS, "old", body, expected_revision=stored.revision)
    assert await f.claim(BIG) == ""
    await f.waiting.complete_earlier()
    assert await f.claim(BIG) == "old"
    assert (await f.job("old")).resources == LEAST
    assert job.resources == LEAST


async def test_many_workers_with_slots_take_each_job_once(tmp_path: Path) -> None:
    """N workers × M jobs: every job runs once, and no worker ever has more than its slots."""
    store = SqliteStore(tmp_path / "t.db")
    other = SqliteStore(tmp_path / "t.db")
    await store.open(COLLECTIONS)
    await other.open(COLLECTIONS)
    first = Fixture(store)
    sizes = [1, 3, 2, 1, 4, 1, 2, 1, 1, 3, 2, 4, 1, 1, 2, 1, 3, 1, 1, 2]
    for index, size in enumerate(sizes):
        await first.add(f"j{index:02d}", f"p{index % 3}", cpu=size)
    ran: list[str] = []
    # Two workers with two tasks each, as in the pool: the claim and its slots in one lock.
    for_each = [
        (Fixture(db), Slots(BIG, max_jobs=3, threads=0, cores=4), asyncio.Lock(), f"w{number}")
        for number, db in enumerate((store, other))
    ]

    async def work(fixture: Fixture, slots: Slots, claiming: asyncio.Lock, name: str) -> None:
        fixture.reservations = Reservations(name, fixture.clock, list, after_seconds=0)
        idle = 0
        while idle < 20:
            async with claiming:
                room = fixture.reservations.room(slots.free, slots.capacity)
                holder = Holder(worker=name, boot="b")
                job = await fixture.queue.claim(holder, room)
                if job is not None:
                    slots.take(job.id, job.resources)
            if job is None:
                idle += 1
                await asyncio.sleep(0.005)
                continue
            idle = 0
            ran.append(job.id)
            running = await fixture.jobs.running()
            mine = sum(one.resources.cpu for one in running if one.lease.worker == name)
            assert mine <= 4
            await asyncio.sleep(0)
            await fixture.queue.advance(job, JobEvent.FAIL)
            slots.give_back(job.id)

    await asyncio.gather(*(work(*parts) for parts in for_each for _ in range(3)))
    assert sorted(ran) == [f"j{index:02d}" for index in range(len(sizes))]
    await store.close()
    await other.close()
