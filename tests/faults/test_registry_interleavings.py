"""Another process acts, or this one dies, before and after every store call of a use case."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mongomock_motor import AsyncMongoMockClient

from services.common.clock import ManualClock
from services.common.errors import Code, SpanloopError
from services.common.store.mongo import MongoStore
from services.common.store.port import DocumentStore, StoreUnavailableError
from services.common.store.sqlite import SqliteStore
from services.registry.artifact_repository import ArtifactDocuments
from services.registry.deployment_log import LOG_COLLECTION, DeploymentLog
from services.registry.domain import (
    Adapter,
    ModelType,
    ModelVersion,
    ParityReport,
    VersionDraft,
    VersionFilter,
    VersionState,
)
from services.registry.feed import DeploymentFeed
from services.registry.grace import Grace
from services.registry.handlers.aliases import Aliases
from services.registry.handlers.deployments import Deployments
from services.registry.handlers.versions import Versions
from services.registry.pointers import Deployment, ModelAlias
from services.registry.repository import COLLECTIONS, VersionDocuments
from tests.support.hooked_store import HookedStore

ADAPTER = "sha256:" + "a" * 64
DRAFT = VersionDraft(project="p", model_type=ModelType.NER, adapters={"A": ADAPTER})
PASSED = ParityReport(max_abs_diff=0.0, texts=1, span_mismatches=0)


class Registry:
    """The use cases of one process over a store."""

    def __init__(self, store: Any) -> None:
        log = DeploymentLog(store)
        clock = ManualClock()
        self.versions = Versions(
            VersionDocuments(store),
            ArtifactDocuments(store),
            log,
            Grace(seconds=3600, clock=clock),
        )
        self.aliases = Aliases(log, self.versions, clock)
        self.deployments = Deployments(
            log, self.aliases, DeploymentFeed(log, poll_seconds=1), clock
        )

    async def ready(self) -> ModelVersion:
        made = await self.versions.create(DRAFT, "")
        return await self.versions.verify("p", made.id, PASSED)

    async def deploy(self, version: str) -> Deployment:
        return await self.deployments.deploy("p", version, "", "deploy-1")

    async def rollback(self, revision: int) -> Deployment:
        return await self.deployments.rollback("p", revision, "", "rollback-1")

    async def retire(self, version: str) -> ModelVersion:
        return await self.versions.retire("p", version, "")

    async def pin(self) -> Deployment:
        return await self.deployments.pin("p", "A", "ner_p_v1", "", "pin-1")

    async def alias(self) -> ModelAlias:
        return await self.aliases.set("p", "ner@gold", "ner_p_v1", "")

    async def replace(self) -> ModelVersion:
        made = await self.versions.create(DRAFT, "replace-1", replace_newest=True)
        return await self.versions.verify("p", made.id, PASSED)

    async def create(self, request_id: str = "job") -> ModelVersion:
        return await self.versions.create(DRAFT, request_id)


NewStore = Callable[[str], DocumentStore]


@pytest.fixture(params=["sqlite", "mongomock"])
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> NewStore:
    """Return a function that makes the empty store of a name."""
    if request.param == "sqlite":
        return lambda name: SqliteStore(tmp_path / f"{name}.db")
    mock: Any = AsyncMongoMockClient()
    return lambda name: MongoStore("mongodb://mock/", name, client=mock)


@asynccontextmanager
async def fresh(new_store: NewStore, number: int) -> AsyncIterator[DocumentStore]:
    """Yield a store with READY versions v1 and v2, of which v1, then v2 was deployed."""
    store = new_store(f"store{number}")
    await store.open([*COLLECTIONS, LOG_COLLECTION])
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
        for _ in range(2):
            version = await seed.ready()
            await seed.deployments.deploy("p", version.id, "", "")
        yield store
    finally:
        await store.close()


async def outcome(call: Awaitable[Any]) -> Any:
    """Return what a call returned, or its refusal."""
    try:
        return await call
    except SpanloopError as refusal:
        return refusal


Step = Callable[[Registry], Awaitable[Any]]
STEPS: dict[str, Step] = {
    "deploy v1": lambda registry: registry.deploy("ner_p_v1"),
    "rollback to v1": lambda registry: registry.rollback(1),
    "retire v1": lambda registry: registry.retire("ner_p_v1"),
    "pin v1": lambda registry: registry.pin(),
    "alias v1": lambda registry: registry.alias(),
    "create": lambda registry: registry.create(),
    "replace": lambda registry: registry.replace(),
}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("deploy v1", "retire v1"),
        ("retire v1", "deploy v1"),
        ("rollback to v1", "retire v1"),
        ("retire v1", "rollback to v1"),
        ("pin v1", "retire v1"),
        ("retire v1", "pin v1"),
        ("alias v1", "retire v1"),
        ("retire v1", "alias v1"),
    ],
)
async def test_nothing_retired_is_ever_served(new_store: NewStore, first: str, second: str) -> None:
    point, seen = 0, set()
    while True:
        async with fresh(new_store, point) as store:
            other: list[Any] = []

            async def interrupt(at: int) -> None:
                if at == point:  # noqa: B023 - called in this turn of the loop only
                    other.append(await outcome(STEPS[second](Registry(store))))  # noqa: B023

            hooked = HookedStore(store, interrupt)
            mine = await outcome(STEPS[first](Registry(hooked)))
            if not other:
                break  # the interruption would come after the last call
            served = await Registry(store).deployments.current("p")
            version = await Registry(store).versions.get("p", "ner_p_v1")
            refusals = [r for r in (mine, other[0]) if isinstance(r, SpanloopError)]
            assert len(refusals) == 1
            assert refusals[0].code is Code.FAILED_PRECONDITION
            named = (await DeploymentLog(store).aliases("p")).versions
            deployed = "ner_p_v1" in served.versions | named
            assert deployed == (version.state is VersionState.READY)
            seen.add(deployed)
        point += 1
    assert point >= 8
    assert seen == {True, False}  # either may win, depending on the moment


async def test_moves_interrupted_by_moves_lose_no_revision(new_store: NewStore) -> None:
    point = 0
    while True:
        async with fresh(new_store, point) as store:
            other: list[Any] = []

            async def interrupt(at: int) -> None:
                if at == point:  # noqa: B023
                    other.append(await Registry(store).rollback(1))  # noqa: B023

            mine = await Registry(HookedStore(store, interrupt)).deploy("ner_p_v2")
            if not other:
                break
            assert {mine.revision, other[0].revision} == {3, 4}
            kept = [await DeploymentLog(store).revision("p", n) for n in (3, 4)]
            assert kept == sorted([mine, other[0]], key=lambda d: d.revision)
            assert kept[0].create_time < kept[1].create_time
        point += 1
    assert point >= 8


async def test_creations_interrupted_by_creations_leave_no_gap(new_store: NewStore) -> None:
    for same in (True, False):
        point = 0
        while True:
            async with fresh(new_store, point + 100 * same) as store:
                other: list[ModelVersion] = []

                async def interrupt(at: int) -> None:
                    if at == point:  # noqa: B023
                        request = "job" if same else "job2"  # noqa: B023
                        other.append(await Registry(store).create(request))  # noqa: B023

                mine = await Registry(HookedStore(store, interrupt)).create()
                if not other:
                    break
                assert {mine.number, other[0].number} == ({3} if same else {3, 4})
            point += 1
        assert point >= 6


@pytest.mark.parametrize("name", sorted(STEPS))
async def test_a_death_at_any_point_leaves_all_or_nothing(new_store: NewStore, name: str) -> None:
    """The caller repeats what was cut off: it happens once, and as if nothing had been."""
    point, died = 0, True
    while died:
        died = False
        async with fresh(new_store, point) as store:

            async def die(at: int) -> None:
                if at == point:  # noqa: B023
                    raise StoreUnavailableError("died")

            try:
                await STEPS[name](Registry(HookedStore(store, die)))
            except StoreUnavailableError:
                died = True
            registry = Registry(store)
            again = await outcome(STEPS[name](registry))
            current = await registry.deployments.current("p")
            versions, _ = await registry.versions.page("p", VersionFilter(), 0, "")
            if name == "retire v1":
                # the answer of the last write may have been lost: then it was done
                assert isinstance(again, ModelVersion) or again.metadata["state"] == "RETIRED"
                assert versions[-1].state is VersionState.RETIRED
                assert current.revision == 2
            elif name == "replace":
                assert [version.id for version in versions] == ["ner_p_v2_r1", "ner_p_v1"]
                replaced = await registry.versions.get("p", "ner_p_v2")
                assert replaced.replaced_by == again.id == "ner_p_v2_r1"
            elif name == "pin v1":
                assert again == current
                assert (current.revision, current.pins[0].version) == (3, "ner_p_v1")
            elif name == "alias v1":
                assert (await DeploymentLog(store).aliases("p")).aliases == {"ner@gold": again}
                assert current.revision == 2
            elif name == "create":
                assert again.number == 3
                assert [version.number for version in versions] == [3, 2, 1]
            else:
                assert again == current
                assert (current.revision, current.models[0].version) == (3, "ner_p_v1")
        point += 1
    assert point >= 6
