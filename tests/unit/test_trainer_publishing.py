"""A job makes one version, whatever is repeated."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.common.clock import ManualClock
from services.common.errors import InvalidArgumentError, Reason
from services.common.store.sqlite import SqliteStore
from services.trainer.documents import COLLECTIONS
from services.trainer.domain import (
    Baseline,
    FailureReason,
    JobFailedError,
    SpanMetrics,
    SplitEvaluation,
    TrainingJob,
)
from services.trainer.held_job import HeldJob
from services.trainer.job_files import JobResult, Parity
from services.trainer.job_queue import Holder, JobQueue
from services.trainer.ports import NewVersion, RegisteredVersion
from services.trainer.publishing import CancelledBeforeCommitError, Publisher
from services.trainer.repository import JobRepository
from services.trainer.retrying import PeerCalls

GOOD = Parity(texts=3, max_abs_diff=1e-6, span_mismatches=0, passed=True)
BAD = Parity(texts=3, max_abs_diff=1.0, span_mismatches=2, passed=False, reason="they differ")


class Registry:
    """Versions as the registry keeps them: one per request id, and only for the same request."""

    def __init__(self) -> None:
        self.made: dict[str, tuple[NewVersion, RegisteredVersion]] = {}
        self.verified: list[str] = []

    async def create_version(self, version: NewVersion) -> RegisteredVersion:
        first = self.made.get(version.request_id)
        if first is None:
            name = f"projects/p/modelVersions/ner_p_v{len(self.made) + 1}"
            made = RegisteredVersion(
                name=name, state="REGISTERED", adapters=version.adapters, trunk_digest="t"
            )
            self.made[version.request_id] = (version, made)
            return made
        if first[0] != version:
            raise InvalidArgumentError(Reason.REQUEST_ID_REUSED, "another request")
        return first[1]

    async def find_version_of(self, project: str, training_job: str) -> RegisteredVersion | None:
        for version, made in self.made.values():
            if version.training_job == training_job:
                return made
        return None

    async def verify_version(self, name: str, parity: Parity) -> RegisteredVersion:
        self.verified.append(name)
        state = "READY" if parity.passed else "FAILED"
        return RegisteredVersion(name=name, state=state, adapters={}, trunk_digest="t")

    async def get_version(self, name: str) -> RegisteredVersion:
        return RegisteredVersion(
            name=name, state="READY", adapters={"OLD": "sha256:0", "X": "sha256:1"}, trunk_digest=""
        )


class Trunks:
    def __init__(self) -> None:
        self.folders: list[Path] = []

    async def register(self, folder: Path, peer: PeerCalls) -> str:
        self.folders.append(folder)
        return "t"


class Fixture:
    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.registry = Registry()
        self.queue = JobQueue(store, ManualClock(), lease_seconds=30, max_attempts=3)
        self.repository = JobRepository(store)
        self.peer = PeerCalls(ManualClock(), retry_seconds=0, note=lambda *_: None)
        self.trunks = Trunks()
        self.publisher = Publisher(self.registry, self.trunks, code_version="1")  # type: ignore[arg-type]

    async def held(self, **fields: object) -> HeldJob:
        job = TrainingJob(
            project="p", id="j", snapshot="projects/p/snapshots/s", trunk_source="t", **fields
        )
        await self.repository.create(job, None)
        return await self.claim()

    async def claim(self) -> HeldJob:
        job = await self.queue.claim(Holder(worker="w", boot="b"))
        assert job is not None
        return HeldJob(job, self.queue, lambda _: None)

    async def publish(self, held: HeldJob, parity: Parity = GOOD, content_hash: str = "h") -> str:
        result = JobResult(trunk_folder="t", adapters=(), evaluation=(), parity=parity)
        return await self.publisher.publish(held, result, content_hash, self.peer)


@pytest.fixture
async def f(tmp_path: Path) -> AsyncIterator[Fixture]:
    store = SqliteStore(tmp_path / "t.db")
    await store.open(COLLECTIONS)
    try:
        yield Fixture(store)
    finally:
        await store.close()


async def test_publishing_again_gives_the_same_version(f: Fixture) -> None:
    held = await f.held()
    first = await f.publish(held)
    # a crash before the last write; then other files, and so another request under the same id
    await held.give_back(consume_attempt=True)
    again = await f.claim()
    assert await f.publish(again) == first
    assert await f.publish(again, content_hash="other") == first
    assert len(f.registry.made) == 1


async def test_a_trunk_that_was_exported_for_a_comparison_is_kept(f: Fixture) -> None:
    result = JobResult(
        trunk_folder="t", adapters=(), evaluation=(), parity=GOOD, fp32_trunk_folder="whole"
    )
    await f.publisher.publish(await f.held(), result, "h", f.peer)
    assert f.trunks.folders == [Path("t"), Path("whole")]


async def test_a_cancelled_job_makes_no_version(f: Fixture) -> None:
    held = await f.held()
    await f.repository.request_cancel(held.job)
    with pytest.raises(CancelledBeforeCommitError):
        await f.publish(held)
    assert f.registry.made == {}


async def test_a_failed_parity_check_fails_the_job(f: Fixture) -> None:
    with pytest.raises(JobFailedError, match="they differ") as caught:
        await f.publish(await f.held(), BAD)
    assert caught.value.failure.reason is FailureReason.PARITY_FAILED


async def test_labels_of_the_base_version_are_kept(f: Fixture) -> None:
    await f.publish(await f.held(base_model_version="projects/p/modelVersions/ner_p_v1"))
    ((version, _),) = f.registry.made.values()
    assert version.adapters == {"OLD": "sha256:0", "X": "sha256:1"}


async def test_the_version_says_what_it_was_made_from_and_compared_with(f: Fixture) -> None:
    base, served = (f"projects/p/modelVersions/ner_p_v{number}" for number in (1, 2))
    metrics = SpanMetrics(precision=1, recall=1, f1=1, support=1, predicted=1, correct=1)
    measured = SplitEvaluation(split="dev", labels={}, micro=metrics, macro=metrics, texts=1)
    baseline = Baseline(model_version=served, evaluation=measured)
    await f.publish(await f.held(base_model_version=base, baseline=baseline))
    ((version, _),) = f.registry.made.values()
    assert version.base_model_versions == (base,)
    assert version.baseline == baseline
