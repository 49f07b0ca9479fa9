"""This process dies before or after every store call of groups, runs and deploying."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from services.common.clock import ManualClock
from services.common.errors import AbortedError, OutOfRangeError, Reason, UnavailableError
from services.common.ids import SortableIds
from services.common.paging import Page
from services.common.store.port import DocumentStore, StoreUnavailableError
from services.common.store.sqlite import SqliteStore
from services.common.watch import Signal
from services.trainer.automation.deploying import Deployer
from services.trainer.automation.group_repository import GroupRepository
from services.trainer.automation.groups import GroupHandlers
from services.trainer.automation.policy_runner import (
    OvertakenError,
    PolicyParts,
    ProjectFollower,
)
from services.trainer.automation.policy_state import LearningState, LearningStates
from services.trainer.automation.settings import Policy, Settings
from services.trainer.automation.settings_repository import SettingsRepository
from services.trainer.automation.wiring import AUTOMATION_COLLECTIONS
from services.trainer.documents import COLLECTIONS, JOBS, evaluation_value
from services.trainer.domain import (
    DeploymentOutcome,
    Resources,
    SpanMetrics,
    SplitEvaluation,
    TrainingData,
    TrainingJob,
)
from services.trainer.engines.catalog import installed_engines
from services.trainer.planning import Planner
from services.trainer.ports import (
    Change,
    ChoiceControl,
    DeployedVersion,
    RegisteredVersion,
    Served,
    Snapshot,
)
from services.trainer.repository import JobRepository
from services.trainer.scripts.repository import ScriptRepository
from tests.support.hooked_store import Hook, HookedStore

SNAPSHOT = Snapshot(
    name="projects/p/snapshots/s",
    content_hash="h",
    labels=("A",),
    span_counts={"A": 50},
    choice_counts={("topic", "x"): 50},
    assertion_counts={"Absent": 50},
)
TEMPLATE = TrainingJob(project="", id="", snapshot="", trunk_source="", data=TrainingData())


class Annotation:
    """Takes one snapshot per request; its stream ends as told."""

    def __init__(self) -> None:
        self.taken: dict[str, Snapshot] = {}
        self.away = False

    async def create_snapshot(self, project: str, data: TrainingData, request_id: str) -> Snapshot:
        if self.away:
            raise UnavailableError(Reason.PEER_UNAVAILABLE, "away")
        return self.taken.setdefault(request_id, SNAPSHOT)

    async def choice_controls(self, project: str) -> tuple[ChoiceControl, ...]:
        return (ChoiceControl(name="topic", train=True),)


class Registry:
    """A deployment that moves by compare-and-swap and knows repeated requests."""

    def __init__(self) -> None:
        self.revision = 0
        self.moves: dict[str, int] = {}
        self.model: DeployedVersion | None = None
        self.rivals = 0

    async def served(self, project: str) -> Served:
        models = () if self.model is None else (self.model,)
        return Served(revision=self.revision, etag=str(self.revision), models=models)

    async def get_version(self, name: str) -> RegisteredVersion:
        return RegisteredVersion(name=name, state="READY", adapters={}, trunk_digest="t")

    async def deploy(self, version: str, etag: str, request_id: str) -> int:
        if request_id in self.moves:
            return self.moves[request_id]
        if self.rivals:
            # Somebody deploys another type between reading and writing.
            self.rivals -= 1
            self.revision += 1
        if etag != str(self.revision):
            raise AbortedError(Reason.ETAG_MISMATCH, "moved")
        self.revision += 1
        self.moves[request_id] = self.revision
        self.model = DeployedVersion(
            name=version, model_type="ner", control="", trunk_digest="t", adapters={}
        )
        return self.revision


class Admitting:
    """Every job fits."""

    async def admit(self, resources: Resources, engine: str) -> Resources:
        return resources


class Trainer:
    """The use cases of one process over a store."""

    def __init__(self, store: Any, annotation: Annotation, registry: Registry) -> None:
        clock, signal = ManualClock(), Signal()
        self.jobs = JobRepository(store)
        self.settings = SettingsRepository(store)
        self.states = LearningStates(store)
        planner = Planner(
            annotation,  # type: ignore[arg-type]
            registry,  # type: ignore[arg-type]
            Admitting(),  # type: ignore[arg-type]
            installed_engines(),
            ScriptRepository(store),
            default_trunk_source="t",
        )
        self.groups = GroupHandlers(
            GroupRepository(store, self.jobs),
            self.jobs,
            planner,
            self.settings,
            signal,
            clock,
            SortableIds(),
        )
        self.deployer = Deployer(
            self.jobs,
            self.settings,
            registry,  # type: ignore[arg-type]
            signal,
            interval_seconds=1,
        )
        self.follower = ProjectFollower(
            "p",
            PolicyParts(
                settings=self.settings,
                states=self.states,
                jobs=self.jobs,
                groups=self.groups,
                annotation=annotation,  # type: ignore[arg-type]
                signal=signal,
                clock=clock,
                poll_seconds=0.01,
            ),
        )

    async def group(self) -> list[TrainingJob]:
        _, jobs = await self.groups.create("projects/p", TEMPLATE, (), (), "r", b"")
        return jobs

    async def listed(self) -> list[TrainingJob]:
        found, _ = await self.jobs.list_page("p", [], Page(size=100, after=None), "")
        return found


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path)
    await store.open((*COLLECTIONS, *AUTOMATION_COLLECTIONS))
    try:
        yield store
    finally:
        await store.close()


def dying(point: int) -> Hook:
    async def die(at: int) -> None:
        if at == point:
            raise StoreUnavailableError("died")

    return die


async def test_a_group_is_created_whole_or_not_at_all(tmp_path: Path) -> None:
    point, died = 0, True
    while died:
        died = False
        async with opened(tmp_path / f"{point}.db") as store:
            annotation = Annotation()
            try:
                await Trainer(HookedStore(store, dying(point)), annotation, Registry()).group()
            except StoreUnavailableError:
                died = True
            trainer = Trainer(store, annotation, Registry())
            # another process: it finishes what was begun, and begins nothing
            await trainer.groups.finish_all()
            assert len(await trainer.listed()) in (0, 3)
            jobs = await trainer.group()
            assert [job.model_type.value for job in jobs] == ["ner", "classification", "assertion"]
            assert len(await trainer.listed()) == 3
            assert len(annotation.taken) == 1
        point += 1
    assert point > 8


async def enable(trainer: Trainer) -> None:
    settings = await trainer.settings.get("p")
    policy = Policy(enabled=True, min_new_completions=3)
    await trainer.settings.replace(settings, Settings(project="p", policy=policy))


def submitted(*times: int) -> list[Change]:
    return [Change(token=f"t{time}", submitted=True, time=time) for time in times]


async def follow(trainer: Trainer, events: list[Change]) -> None:
    """Read the stream from the stored place on, as a process does that has just begun."""
    token = (await trainer.follower.load()).token
    rest = events[[e.token for e in events].index(token) + 1 :] if token else events
    await trainer.follower.tick(rest)


async def test_a_run_begins_once_whatever_dies(tmp_path: Path) -> None:
    events = submitted(1, 2, 3, 4)
    point, died = 0, True
    while died:
        died = False
        async with opened(tmp_path / f"{point}.db") as store:
            annotation = Annotation()
            trainer = Trainer(store, annotation, Registry())
            await enable(trainer)
            try:
                hooked = HookedStore(store, dying(point))
                await follow(Trainer(hooked, annotation, Registry()), events)
            except StoreUnavailableError:
                died = True
            for _ in range(2):
                await follow(trainer, events)
            state, _ = await trainer.states.get("p")
            assert (state.run, state.new_completions, state.token) == (1, 0, "t4")
            assert not state.starting
            assert len(state.training_jobs) == 3
            assert {job.name for job in await trainer.listed()} == set(state.training_jobs)
            assert len(annotation.taken) == 1
        point += 1
    assert point > 12


async def test_a_run_waits_for_the_annotation_service(tmp_path: Path) -> None:
    async with opened(tmp_path / "t.db") as store:
        annotation = Annotation()
        trainer = Trainer(store, annotation, Registry())
        await enable(trainer)
        annotation.away = True
        with pytest.raises(UnavailableError):
            await follow(trainer, submitted(1, 2, 3))
        state, _ = await trainer.states.get("p")
        assert (state.run, state.starting) == (1, True)
        annotation.away = False
        await follow(trainer, submitted(1, 2, 3))
        state, _ = await trainer.states.get("p")
        assert (state.run, state.starting, len(state.training_jobs)) == (1, False, 3)


async def test_a_process_that_was_overtaken_begins_anew(tmp_path: Path) -> None:
    async with opened(tmp_path / "t.db") as store:
        annotation = Annotation()
        one = Trainer(store, annotation, Registry())
        other = Trainer(store, annotation, Registry())
        await enable(one)
        for trainer in (one, other):
            await trainer.follower.load()
        await one.follower.tick(submitted(1, 2))
        with pytest.raises(OvertakenError):
            await other.follower.tick(submitted(1, 2))
        state, _ = await one.states.get("p")
        assert state.new_completions == 2


async def test_an_expired_place_in_the_stream_is_counted_anew(tmp_path: Path) -> None:
    class Expiring(Annotation):
        """Has kept the events from 5 on, and refuses older places."""

        def __init__(self) -> None:
            super().__init__()
            self.asked: list[str] = []

        async def watch_changes(self, project: str, token: str) -> AsyncIterator[Change]:
            self.asked.append(token)
            if token == "t1":
                raise OutOfRangeError(Reason.RESUME_TOKEN_EXPIRED, "gone")
            for change in submitted(5, 6, 7):
                yield change
            raise UnavailableError(Reason.PEER_UNAVAILABLE, "away")

    async with opened(tmp_path / "t.db") as store:
        annotation = Expiring()
        trainer = Trainer(store, annotation, Registry())
        await enable(trainer)
        # the last run began at 5: what was submitted until then is trained already
        state = LearningState(project="p", token="t1", new_completions=1, last_run_time=5, run=4)
        await trainer.states.put(state, 0)
        task = asyncio.create_task(trainer.follower.run())
        try:
            async with asyncio.timeout(10):
                while (await trainer.states.get("p"))[0].token != "t7":  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        after, _ = await trainer.states.get("p")
        assert after.new_completions == 2
        assert "counted anew" in after.message
        assert annotation.asked[:2] == ["t1", ""]


DONE = TrainingJob(
    project="p",
    id="j",
    snapshot="s",
    trunk_source="t",
    deploy=True,
    model_version="projects/p/modelVersions/ner_p_v1",
)
EVALUATION = SplitEvaluation(
    split="dev", labels={}, micro=SpanMetrics(f1=0.5), macro=SpanMetrics(), texts=1
)


async def add_done(store: DocumentStore) -> None:
    await JobRepository(store).create(DONE, None)
    changes = {"state": "done", "evaluation": evaluation_value([EVALUATION])}
    await store.update(JOBS, DONE.id, set=changes)


async def test_deploying_happens_once_whatever_dies(tmp_path: Path) -> None:
    point, died = 0, True
    while died:
        died = False
        async with opened(tmp_path / f"{point}.db") as store:
            await add_done(store)
            registry = Registry()
            try:
                hooked = HookedStore(store, dying(point))
                await Trainer(hooked, Annotation(), registry).deployer.deploy_all()
            except StoreUnavailableError:
                died = True
            trainer = Trainer(store, Annotation(), registry)
            await trainer.deployer.deploy_all()
            job = await trainer.jobs.get("p", "j")
            assert job.deployment is not None
            assert job.deployment.deployed
            assert job.deployment.deployment_revision == registry.revision == 1
            settled = DeploymentOutcome(deployed=False, message="again")
            assert await trainer.jobs.settle_deployment(job, settled) is None
        point += 1
    assert point > 4


async def test_a_deployment_that_moves_is_read_again(tmp_path: Path) -> None:
    async with opened(tmp_path / "t.db") as store:
        await add_done(store)
        registry = Registry()
        registry.rivals = 2
        trainer = Trainer(store, Annotation(), registry)
        await trainer.deployer.deploy_all()
        job = await trainer.jobs.get("p", "j")
        assert job.deployment is not None
        assert job.deployment.deployment_revision == 3


async def test_a_deployment_that_never_stands_still_is_left_for_later(tmp_path: Path) -> None:
    async with opened(tmp_path / "t.db") as store:
        await add_done(store)
        registry = Registry()
        registry.rivals = 1000
        trainer = Trainer(store, Annotation(), registry)
        await trainer.deployer.deploy_all()
        assert (await trainer.jobs.get("p", "j")).deployment is None
        registry.rivals = 0
        await trainer.deployer.deploy_all()
        assert (await trainer.jobs.get("p", "j")).deployment is not None
