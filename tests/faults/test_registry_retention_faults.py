"""Retention that dies, and others who use what it is about to delete, at every step of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio
from mongomock_motor import AsyncMongoMockClient

from services.common.blobs import BlobStore, digest_of, key_of
from services.common.clock import ManualClock, SystemClock
from services.common.errors import SpanloopError
from services.common.store.mongo import MongoStore
from services.common.store.port import DocumentStore, StoreUnavailableError
from services.common.store.sqlite import SqliteStore
from services.registry.deployment_log import LOG_COLLECTION
from services.registry.domain import VersionState
from services.registry.file_uses import USES_COLLECTION
from services.registry.policy import Policy, Retention
from services.registry.repository import COLLECTIONS
from spanloop.registry.v1.registry_policy_pb2 import RetentionPolicy
from spanloop.registry.v1.retention_pb2 import RETENTION_DECISION_KEEP
from tests.faults.test_registry_faults import started
from tests.support.hooked_store import Hook, HookedStore
from tests.support.registry import adapter_manifest, registry, trunk_manifest
from tests.support.registry_parts import GRACE, RegistryParts

WASTE = b"nobody refers to this"
USED, UNUSED = b"trunk in use", b"trunk of nobody"
NewStore = Callable[[str], DocumentStore]


class World:
    """A registry with one of each that a run removes, long unused, and one of each that it keeps.

    v1 gives way (adapter and trunk of its own), v2 is deployed, v3 is the newest.
    """

    def __init__(self, store: DocumentStore, blobs: BlobStore) -> None:
        self.store = store
        self.blobs = blobs
        self.clock = ManualClock(SystemClock().now())

    def parts(self, hook: Hook | None = None) -> RegistryParts:
        """Return the use cases of a process; `hook` is called around each step of its stores."""
        if hook is None:
            return RegistryParts(self.store, self.blobs, self.clock)
        counted = Counted(hook)
        return RegistryParts(
            HookedStore(self.store, counted.step),
            HookedStore(self.blobs, counted.step),  # type: ignore[arg-type]
            self.clock,
        )

    async def fill(self) -> None:
        parts = self.parts()
        await parts.version(await parts.adapter(b"one", UNUSED))
        await parts.version(await parts.adapter(b"two", USED))
        await parts.version(await parts.adapter(b"three", USED))
        await parts.adapter(b"lonely", UNUSED)
        await parts.upload(WASTE)
        await parts.deployments.deploy("p", "ner_p_v2", "", "")
        rules = Retention(keep_last=1, keep_revisions=1)
        await parts.policies.update(Policy(project="p", retention=rules), ["retention"])
        # Files have the times of the machine, which may be slow.
        self.clock.advance(GRACE + 3600)

    async def removed(self) -> tuple[bool, set[bytes]]:
        """Return whether v1 is given up, and what of the files that may go is gone."""
        parts = self.parts()
        left = {one.digest for one in await self.blobs.list()}
        version = await parts.versions.get("p", "ner_p_v1")
        gone = {data for data in (b"one", b"lonely", UNUSED, WASTE) if digest_of(data) not in left}
        return version.purge_time is not None, gone


class Counted:
    """One count of calls for several stores; behind one is before the next."""

    def __init__(self, hook: Hook) -> None:
        self._hook = hook
        self._steps = 0

    async def step(self, _: int) -> None:
        self._steps += 1
        if self._steps % 2:
            await self._hook(self._steps // 2)


@asynccontextmanager
async def fresh(new_store: NewStore, tmp_path: Path, number: int) -> AsyncIterator[World]:
    store = new_store(f"store{number}")
    await store.open([*COLLECTIONS, USES_COLLECTION, LOG_COLLECTION])
    try:
        world = World(store, BlobStore.from_url((tmp_path / f"blobs{number}").as_uri()))
        await world.fill()
        yield world
    finally:
        await store.close()


async def test_a_death_at_any_step_is_finished_by_the_next_run(tmp_path: Path) -> None:
    point, died, halves = 0, True, set()
    while died:
        died = False
        async with fresh(lambda name: SqliteStore(tmp_path / name), tmp_path, point) as world:

            async def die(at: int) -> None:
                if at == point:  # noqa: B023 - called in this turn of the loop only
                    raise StoreUnavailableError("died")

            try:
                await world.parts(die).run_retention()
            except StoreUnavailableError:
                died = True
            parts = world.parts()
            await parts.check_whole()
            halves.add((await world.removed())[0])
            await parts.run_retention()
            await parts.check_whole()
            assert await world.removed() == (True, {b"one", b"lonely", UNUSED, WASTE})
            version = await parts.versions.get("p", "ner_p_v1")
            assert version.state is VersionState.RETIRED
            assert not any(use.sweeping for use in await parts.uses.all())
            assert {one.value.digest for one in await parts.documents.all_adapters()} == {
                digest
                for n in (2, 3)
                for digest in (await parts.versions.get("p", f"ner_p_v{n}")).adapters.values()
            }
        point += 1
    assert point >= 25
    assert halves == {True, False}


async def use_again(parts: RegistryParts) -> str:
    """Train the same once more: the same adapter in a new version."""
    made = await parts.version(await parts.adapter(b"one", UNUSED))
    return made.id


async def name_lonely(parts: RegistryParts) -> str:
    """Make a version of an adapter that was registered long ago."""
    (lonely,) = [
        one.value.digest
        for one in await parts.documents.all_adapters()
        if digest_of(b"lonely") in one.value.files.values()
    ]
    return (await parts.version(lonely)).id


async def register_waste(parts: RegistryParts) -> str:
    """Upload and register what lay there unregistered."""
    return (await parts.version(await parts.adapter(WASTE, UNUSED))).id


async def register_only(parts: RegistryParts) -> str:
    """Register what was uploaded long ago, without uploading it again."""
    manifest = adapter_manifest("A", trunk=trunk_manifest(model=USED), weights=WASTE)
    made = await parts.models.register_adapter(manifest.to_bytes())
    return (await parts.version(made.digest)).id


async def upload_only(parts: RegistryParts) -> str:
    """Upload what is there, to register it some other time."""
    await parts.upload(WASTE)
    return ""


async def deploy(parts: RegistryParts) -> str:
    await parts.deployments.deploy("p", "ner_p_v1", "", "")
    return "ner_p_v1"


async def pin(parts: RegistryParts) -> str:
    await parts.deployments.pin("p", "A", "ner_p_v1", "", "")
    return "ner_p_v1"


async def name(parts: RegistryParts) -> str:
    await parts.aliases.set("p", "ner@gold", "ner_p_v1", "")
    return "ner_p_v1"


@pytest.mark.parametrize(
    "other",
    [use_again, name_lonely, register_waste, register_only, upload_only, deploy, pin, name],
)
async def test_what_others_use_meanwhile_stays(
    tmp_path: Path,
    other: Callable[[RegistryParts], Awaitable[str]],
) -> None:
    """Whoever got an answer keeps what it is about; whoever was refused may try again."""
    mock: Any = AsyncMongoMockClient()
    point, seen = 0, set()

    def new_store(name: str) -> DocumentStore:
        return MongoStore("mongodb://mock/", name, client=mock)

    while True:
        async with fresh(new_store, tmp_path, point) as world:
            answers: list[str | Exception] = []

            async def interrupt(at: int) -> None:
                if at == point:  # noqa: B023
                    try:
                        answers.append(await other(world.parts()))  # noqa: B023
                    except (SpanloopError, ValueError) as refusal:
                        answers.append(refusal)  # noqa: B023

            await world.parts(interrupt).run_retention()
            if not answers:
                break
            parts = world.parts()
            await parts.check_whole()
            if answers[0] == "":
                assert await world.blobs.get(digest_of(WASTE)) == WASTE
            elif isinstance(answers[0], str):
                kept = await parts.versions.get("p", answers[0])
                assert kept.purge_time is None
                adapters = await parts.documents.adapters(kept.adapters.values())
                for adapter in adapters.values():
                    for digest in adapter.files.values():
                        await world.blobs.get(digest)
            seen.add(isinstance(answers[0], str))
            if other in (use_again, register_waste):
                # A trainer that was refused uploads and registers again.
                made = await other(parts)
                assert (await parts.versions.get("p", made)).state is VersionState.READY
                await parts.check_whole()
        point += 1
    assert point >= 25
    assert True in seen


async def test_kill_9_in_the_middle_of_runs(tmp_path: Path) -> None:
    """Killed again and again while it deletes, in the end all is deleted that should be."""
    past = ManualClock(SystemClock().now() - 30 * 86_400_000_000)
    count = 60
    async with registry(tmp_path, past) as client:
        for number in range(count):
            digest = await client.adapter("A", b"weights %d" % number)
            await client.verify((await client.version("p", {"A": digest})).name)
        await client.deploy("projects/p/modelVersions/ner_p_v1")
        await client.set_policy("p", retention=RetentionPolicy(keep_last=1, keep_revisions=1))
    for path in (tmp_path / "registry" / "artifacts").rglob("*"):
        os.utime(path, (past.now() / 1e6,) * 2)
    kept = {digest_of(b"weights %d" % number) for number in (0, count - 1)}
    kills: list[grpc.StatusCode] = []
    for pause in (0.15, 0.3, 0.45, 0.6, None):
        async with started(tmp_path) as process, process.client() as client:
            run = asyncio.create_task(client.retention())
            if pause is None:
                items, _ = await run
                break
            await asyncio.wait([run], timeout=pause)
            await process.kill()
            (end,) = await asyncio.gather(run, return_exceptions=True)
            if isinstance(end, aio.AioRpcError):
                kills.append(end.code())
    assert set(kills) == {grpc.StatusCode.UNAVAILABLE}
    assert {n for n, i in items.items() if n.startswith("ner_p")} >= {"ner_p_v1", f"ner_p_v{count}"}
    async with started(tmp_path) as process, process.client() as client:
        items, summary = await client.retention()
        assert all(item.decision == RETENTION_DECISION_KEEP for item in items.values())
        assert summary.removed_files == 0
        for digest in kept:
            await client.download(digest)
        for number in range(1, count - 1):
            assert (
                await client.get_version(f"projects/p/modelVersions/ner_p_v{number + 1}")
            ).HasField("purge_time")
            path = tmp_path / "registry" / "artifacts" / key_of(digest_of(b"weights %d" % number))
            assert not path.exists()
        assert len(await client.revisions("p")) == 1
