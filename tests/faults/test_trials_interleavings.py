"""Another process acts, or this one dies, before and after every store call of a trial."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from services.common.clock import ManualClock
from services.common.errors import Code, SpanloopError
from services.common.store.port import DocumentStore, StoreUnavailableError
from services.common.store.sqlite import SqliteStore
from services.common.trial_counts import Counts
from services.registry.artifact_repository import ArtifactDocuments
from services.registry.deployment_log import LOG_COLLECTION, DeploymentLog
from services.registry.domain import Adapter, ModelType, ParityReport, VersionDraft, VersionState
from services.registry.feed import DeploymentFeed
from services.registry.grace import Grace
from services.registry.handlers.aliases import Aliases
from services.registry.handlers.deployments import Deployments
from services.registry.handlers.trials import Trials, TrialWish
from services.registry.handlers.versions import Versions
from services.registry.pointers import Deployment
from services.registry.repository import COLLECTIONS, VersionDocuments
from services.registry.trial import Limits, Trial, TrialMode, TrialState
from services.registry.trial_counts import Candidate, Report
from services.registry.trial_history import TrialHistory
from services.registry.trial_reports import REPORT_COLLECTION, TrialReports
from tests.support.hooked_store import HookedStore

ADAPTER = "sha256:" + "a" * 64
DRAFT = VersionDraft(project="p", model_type=ModelType.NER, adapters={"A": ADAPTER})
WISH = TrialWish(
    project="p",
    version="ner_p_v1",
    mode=TrialMode.SHADOW,
    share=1.0,
    limits=Limits(min_requests=1, max_error_rate=0.0),
)
BAD = Report(
    reporter="a",
    sequence=1,
    time=1,
    candidate=Candidate.READY,
    error_message="",
    counts=Counts(requests=1, errors=1),
)


class Registry:
    """The use cases of one process over a store."""

    def __init__(self, store: Any) -> None:
        log, clock = DeploymentLog(store), ManualClock()
        grace = Grace(seconds=3600, clock=clock)
        self.versions = Versions(VersionDocuments(store), ArtifactDocuments(store), log, grace)
        self.feed = DeploymentFeed(log, poll_seconds=1)
        aliases = Aliases(log, self.versions, clock)
        self.deployments = Deployments(log, aliases, self.feed, clock)
        self.trials = Trials(
            log=log,
            history=TrialHistory(store),
            reports=TrialReports(store),
            deployments=self.deployments,
            feed=self.feed,
            clock=clock,
        )

    async def start(self) -> Trial:
        return await self.trials.start(WISH, "start-1")

    async def start_other(self) -> Trial:
        return await self.trials.start(WISH, "start-2")

    async def retire(self) -> Any:
        return await self.versions.retire("p", "ner_p_v1", "")

    async def report(self) -> Any:
        return await self.trials.report("p", 1, BAD)

    async def end(self) -> Trial:
        return await self.trials.end("p", 1, "", "end-1")

    async def promote(self) -> Deployment:
        return await self.trials.promote("p", 1, "", "promote-1", force=False)

    async def deploy_third(self) -> Deployment:
        return await self.deployments.deploy("p", "ner_p_v3", "", "deploy-1")

    async def state(self) -> TrialState:
        trial, _ = await self.trials.get("p", 1)
        return trial.state


@asynccontextmanager
async def fresh(folder: Path, number: int, *, running: bool) -> AsyncIterator[DocumentStore]:
    """Yield a store with READY versions v1, v2, v3, of which v2 is deployed; perhaps v1 tried."""
    store = SqliteStore(folder / f"{number}.db")
    await store.open([*COLLECTIONS, LOG_COLLECTION, REPORT_COLLECTION])
    try:
        await ArtifactDocuments(store).add_adapter(
            Adapter(
                digest=ADAPTER,
                manifest=b"{}",
                label="A",
                model_type=ModelType.NER,
                trunk_digest="sha256:" + "b" * 64,
                files={},
                create_time=1,
            )
        )
        seed = Registry(store)
        passed = ParityReport(max_abs_diff=0.0, texts=1, span_mismatches=0)
        for _ in range(3):
            made = await seed.versions.create(DRAFT, "")
            await seed.versions.verify("p", made.id, passed)
        await seed.deployments.deploy("p", "ner_p_v2", "", "")
        if running:
            await seed.start()
        yield store
    finally:
        await store.close()


async def outcome(call: Awaitable[Any]) -> Any:
    """Return what a call returned, or its refusal."""
    try:
        return await call
    except SpanloopError as refusal:
        return refusal


async def each_point(
    folder: Path,
    first: Callable[[Registry], Awaitable[Any]],
    second: Callable[[Registry], Awaitable[Any]],
    *,
    running: bool,
) -> AsyncIterator[tuple[Registry, Any, Any]]:
    """Yield what two calls gave when the second came at each point of the first in turn."""
    point = 0
    while True:
        async with fresh(folder, point, running=running) as store:
            other: list[Any] = []

            async def interrupt(at: int) -> None:
                if at == point:  # noqa: B023 - called in this turn of the loop only
                    other.append(await outcome(second(Registry(store))))  # noqa: B023

            mine = await outcome(first(Registry(HookedStore(store, interrupt))))
            if not other:
                assert point >= 6
                return
            yield Registry(store), mine, other[0]
        point += 1


@pytest.mark.parametrize("swapped", [False, True])
async def test_nothing_retired_is_ever_tried(tmp_path: Path, swapped: bool) -> None:
    first, second = (
        (Registry.retire, Registry.start)
        if swapped
        else (
            Registry.start,
            Registry.retire,
        )
    )
    seen = set()
    async for registry, mine, other in each_point(tmp_path, first, second, running=False):
        (refusal,) = [one for one in (mine, other) if isinstance(one, SpanloopError)]
        assert refusal.code is Code.FAILED_PRECONDITION
        version = await registry.versions.get("p", "ner_p_v1")
        tried = bool((await registry.trials.page("p", 0, ""))[0])
        assert tried == (version.state is VersionState.READY)
        seen.add(tried)
    assert seen == {True, False}


async def test_one_trial_runs_at_a_time(tmp_path: Path) -> None:
    async for registry, mine, other in each_point(
        tmp_path, Registry.start, Registry.start_other, running=False
    ):
        assert len([one for one in (mine, other) if isinstance(one, SpanloopError)]) == 1
        trials, _ = await registry.trials.page("p", 0, "")
        assert [trial.number for trial, _ in trials] == [1]


@pytest.mark.parametrize("first", [Registry.report, Registry.end, Registry.promote])
@pytest.mark.parametrize(
    "second", [Registry.report, Registry.end, Registry.promote, Registry.deploy_third]
)
async def test_a_trial_ends_once(
    tmp_path: Path,
    first: Callable[[Registry], Awaitable[Any]],
    second: Callable[[Registry], Awaitable[Any]],
) -> None:
    async for registry, _, _ in each_point(tmp_path, first, second, running=True):
        trial, _ = await registry.trials.get("p", 1)
        current = await registry.deployments.current("p")
        assert not trial.running
        assert (trial.state is TrialState.PROMOTED) == (trial.promoted_revision > 0)
        served = {one.version for one in current.models}
        if Registry.deploy_third in (first, second):
            assert served == {"ner_p_v3"} or trial.state is TrialState.PROMOTED
        else:
            assert served == {"ner_p_v1" if trial.state is TrialState.PROMOTED else "ner_p_v2"}
        # Nothing that follows moves it, and watchers are told the same.
        await outcome(registry.promote())
        assert (await registry.state()) is trial.state


@pytest.mark.parametrize("name", ["start", "report", "end", "promote"])
async def test_a_death_at_any_point_leaves_all_or_nothing(tmp_path: Path, name: str) -> None:
    """The caller repeats what was cut off: it happens once, and as if nothing had been."""
    step = getattr(Registry, name)
    point, died = 0, True
    while died:
        died = False
        async with fresh(tmp_path, point, running=name != "start") as store:

            async def die(at: int) -> None:
                if at == point:  # noqa: B023
                    raise StoreUnavailableError("died")

            try:
                await step(Registry(HookedStore(store, die)))
            except StoreUnavailableError:
                died = True
            registry = Registry(store)
            again = await step(registry)
            trial, findings = await registry.trials.get("p", 1)
            expected = {
                "start": TrialState.RUNNING,
                "report": TrialState.ROLLED_BACK,
                "end": TrialState.ENDED,
                "promote": TrialState.PROMOTED,
            }
            assert trial.state is expected[name]
            current = await registry.deployments.current("p")
            assert current.revision == (2 if name == "promote" else 1)
            if name == "report":
                assert again == (trial, findings)
                assert findings.counts == BAD.counts
            else:
                assert again == (current if name == "promote" else trial)
        point += 1
    assert point >= 6


async def test_a_verdict_without_its_end_is_carried_out_by_who_looks(tmp_path: Path) -> None:
    """The process died between the report's write and the entry of the log."""
    async with fresh(tmp_path, 0, running=True) as store:
        trial = await TrialHistory(store).get("p", 1)
        assert trial is not None
        assert (await TrialReports(store).add(trial, BAD)).verdict
        with pytest.raises(SpanloopError) as caught:
            await Registry(store).promote()
        assert caught.value.metadata["state"] == "ROLLED_BACK"
        assert (await Registry(store).trials.start(WISH, "")).number == 2
