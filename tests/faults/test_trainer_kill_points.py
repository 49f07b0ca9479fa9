"""The trainer dies before and after each of its durable writes; the next one ends the job once."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.common.store.port import StoreUnavailableError
from services.common.store.sqlite import SqliteStore
from services.trainer import job_work
from services.trainer.documents import COLLECTIONS
from services.trainer.domain import TrainingJob
from services.trainer.job_log import JobLog
from services.trainer.job_state import JobState
from services.trainer.reports.repository import ReportRepository
from services.trainer.repository import JobRepository
from tests.support.trainer_lives import InnerChild, Life, Registry, Trainer

JOB = TrainingJob(
    project="p",
    id="j",
    snapshot="projects/p/snapshots/s",
    trunk_source="embedded:tiny",
    create_time=1,
)


async def one_life(folder: Path, steps: int, *, after: bool) -> list[str] | None:
    """Die at a step, live again, and check what came of it; None when there were fewer steps."""
    store, registry = SqliteStore(folder / "t.db"), Registry()
    await store.open(COLLECTIONS)
    try:
        jobs = JobRepository(store)
        await jobs.create(JOB, None)
        first = Trainer(store, registry, folder, boot="1", life=Life(steps, after=after))
        try:
            await first.work()
        except StoreUnavailableError:
            assert first.life.dead
        done = await jobs.get("p", "j")
        if first.life.dead:
            second = Trainer(store, registry, folder, boot="2")
            await second.work()
            done = await jobs.get("p", "j")
            # Nothing is left over for anybody to do again.
            assert await Trainer(store, registry, folder, boot="3").work() is None
        assert done.state is JobState.DONE, (first.life.taken, done.failure)
        assert done.model_version == "projects/p/modelVersions/ner_p_v1"
        assert [version.state for version in registry.versions.values()] == ["READY"]
        assert done.lease.worker == ""
        assert done.evaluation
        assert await ReportRepository(store).find("j") is not None
        lines = [line.sequence async for line in JobLog(store, _Never()).read("j", 0)]
        assert lines == list(range(1, len(lines) + 1))
        return first.life.taken if first.life.dead else None
    finally:
        await store.close()


class _Never:
    """A clock that reading a log does not ask."""

    def now(self) -> int:
        raise AssertionError

    def monotonic(self) -> float:
        raise AssertionError


@pytest.mark.timeout(600)  # some forty lives, each with a database of its own
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_death_at_any_durable_step_loses_and_repeats_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    monkeypatch.setattr(job_work, "ChildProcess", InnerChild)
    died_at: set[str] = set()
    for steps in range(1000):
        folder = tmp_path / str(steps)
        folder.mkdir()
        taken = await one_life(folder, steps, after=after)
        if taken is None:
            break
        died_at.add(taken[-1])
    assert died_at >= {
        "store.claim_one",
        "store.update",
        "store.insert",
        "registry.upload",
        "registry.register_trunk",
        "registry.register_adapter",
        "registry.create_version",
        "registry.verify_version",
    }
