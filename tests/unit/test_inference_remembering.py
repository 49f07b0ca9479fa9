"""What is remembered for a start without the registry: what serves, as soon as it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.common.clock import SystemClock
from services.common.errors import Reason, UnavailableError
from services.common.store.port import StoreUnavailableError
from services.common.store.sqlite import SqliteStore
from services.inference.deployment_memory import DEPLOYMENT_COLLECTION, DeploymentMemory
from services.inference.domain import AdapterRef, AdapterSet, DeploymentRevision
from services.inference.engine.model import Model
from services.inference.manager import GenerationManager
from services.inference.remembering import Remembering
from tests.support.inference import until


def deployment(revision: int) -> DeploymentRevision:
    ref = AdapterRef(digest=f"sha256:{revision}", trunk_digest="t", model_version="v")
    return DeploymentRevision(
        project="p", revision=revision, adapters=AdapterSet(labels={"PARTY": ref})
    )


class Loads:
    """A loader that cannot load what it is told not to."""

    def __init__(self) -> None:
        self.broken: set[str] = set()

    async def load(self, adapters: AdapterSet) -> Model:
        if adapters.labels["PARTY"].digest in self.broken:
            raise UnavailableError(Reason.PEER_UNAVAILABLE, "away")
        return Model(parts=(), adapters=adapters)


class Memory(DeploymentMemory):
    """A memory that notes what it is told; its database can be away."""

    def __init__(self, store: SqliteStore) -> None:
        super().__init__(store)
        self.away = False
        self.told: list[int] = []

    async def save(self, deployment: DeploymentRevision) -> None:
        if self.away:
            raise StoreUnavailableError
        self.told.append(deployment.revision)
        await super().save(deployment)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "inference.db")
    await store.open([DEPLOYMENT_COLLECTION])
    yield store
    await store.close()


async def test_what_cannot_be_loaded_takes_nobodys_place(store: SqliteStore) -> None:
    loads, memory = Loads(), Memory(store)
    manager = GenerationManager(loads, clock=SystemClock())
    remembering = Remembering(manager, memory)
    task = asyncio.create_task(remembering.run())
    try:
        manager.aspire(deployment(1))

        async def first() -> bool:
            return await memory.load() == [deployment(1)]

        await until(first)
        loads.broken.add("sha256:2")
        manager.aspire(deployment(2))
        await manager.changed(1)
        await remembering.flush()
        assert await memory.load() == [deployment(1)]
        manager.aspire(deployment(3))

        async def third() -> bool:
            return await memory.load() == [deployment(3)]

        await until(third)
        assert memory.told == [1, 3]
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await manager.close()


async def test_a_database_that_was_away_is_told_when_it_is_back(store: SqliteStore) -> None:
    memory = Memory(store)
    memory.away = True
    manager = GenerationManager(Loads(), clock=SystemClock())
    remembering = Remembering(manager, memory)
    manager.aspire(deployment(1))
    await manager.changed(1)
    assert not await remembering.sweep()
    assert await memory.load() == []
    memory.away = False
    assert await remembering.sweep()
    assert await memory.load() == [deployment(1)]
    assert not await remembering.sweep()
    await manager.close()
