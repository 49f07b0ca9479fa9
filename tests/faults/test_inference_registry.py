"""Inference while its registry sends rubbish, is slow, silent, away, or in an older state."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from services.common.blobs import key_of
from services.common.errors import Reason
from services.common.modeling.manifest import ADAPTER_FILE
from spanloop.inference.v1 import serving_state_pb2
from spanloop.inference.v1.serving_state_pb2 import LoadedGeneration
from tests.support.inference import (
    InferenceClient,
    TinyAdapter,
    deploy,
    golden,
    inference,
    registry_at,
    spans_of,
    tiny_adapter,
    until,
)
from tests.support.outage import Outage
from tests.support.registry import refused
from tests.support.scripted_registry import ScriptedRegistry, scripted_registry, straight

LOADING = serving_state_pb2.GENERATION_STATE_LOADING
READY = serving_state_pb2.GENERATION_STATE_READY
ERROR = serving_state_pb2.GENERATION_STATE_ERROR
OLD, NEW = tiny_adapter("PARTY"), tiny_adapter("PARTY", seed=2)


async def serves(client: InferenceClient, *bank: TinyAdapter) -> bool:
    answer = await client.predict()
    return spans_of(answer.predictions[0]) == spans_of(golden(bank))


async def newest(client: InferenceClient, state: int) -> LoadedGeneration:
    """Return the newest generation when it has reached a state."""

    async def reached() -> bool:
        generations = (await client.state()).generations
        return bool(generations) and generations[0].state == state

    await until(reached)
    return (await client.state()).generations[0]


@asynccontextmanager
async def swapping(
    folder: Path, **fields: object
) -> AsyncIterator[tuple[ScriptedRegistry, InferenceClient]]:
    """Run a server that serves OLD as revision 1."""
    async with (
        scripted_registry() as (registry, address),
        inference(folder, address, **fields) as client,
    ):
        registry.deploy(registry.version([OLD]))
        await client.ready(1)
        yield registry, client


@pytest.mark.parametrize("artifact", ["manifest", "weights"])
@pytest.mark.parametrize(
    "damage",
    [lambda data: data[:-7], lambda data: data[:-1] + bytes([data[-1] ^ 1]), lambda _: b""],
    ids=["torn", "flipped", "empty"],
)
async def test_what_is_damaged_on_the_way_is_never_served(
    tmp_path: Path, artifact: str, damage: Callable[[bytes], bytes]
) -> None:
    digest = NEW.manifest.digest
    if artifact == "weights":
        digest = NEW.manifest.files[ADAPTER_FILE].digest

    async def damaging(wanted: str, data: bytes) -> bytes:
        return damage(data) if wanted == digest else data

    async with swapping(tmp_path) as (registry, client):
        registry.way = damaging
        registry.deploy(registry.version([NEW]))
        failed = await newest(client, ERROR)
        assert "digest" in failed.error_message
        assert await serves(client, OLD)
        registry.way = straight
        await client.ready(2)
        assert await serves(client, NEW)


async def test_a_slow_registry_delays_a_swap_and_no_answer(tmp_path: Path) -> None:
    """What takes long but goes on is waited for; the time scale is that of the test."""
    release = asyncio.Event()

    async def slow(_: str, data: bytes) -> bytes:
        await release.wait()
        return data

    async with swapping(tmp_path) as (registry, client):
        registry.way = slow
        registry.deploy(registry.version([NEW]))
        assert (await newest(client, LOADING)).error_message == ""
        for _ in range(20):
            assert await serves(client, OLD)
        release.set()
        await client.ready(2)
        assert await serves(client, NEW)


async def test_a_silent_download_is_given_up_and_tried_again(tmp_path: Path) -> None:
    asked = 0

    async def silent(digest: str, data: bytes) -> bytes:
        nonlocal asked
        if digest != NEW.manifest.files[ADAPTER_FILE].digest:
            return data
        asked += 1
        await asyncio.Event().wait()
        return b""

    async with swapping(tmp_path, registry_silence_seconds=0.3) as (registry, client):
        registry.way = silent
        registry.deploy(registry.version([NEW]))
        failed = await newest(client, ERROR)
        assert "Nothing came from the registry" in failed.error_message
        assert await serves(client, OLD)

        async def again() -> bool:
            return asked > 1

        await until(again)
        registry.way = straight
        await client.ready(2)


async def test_a_registry_that_goes_away_during_a_load(tmp_path: Path) -> None:
    waiting = asyncio.Event()

    async def stuck(_: str, data: bytes) -> bytes:
        waiting.set()
        await asyncio.Event().wait()
        return data

    async with scripted_registry() as (first, address), inference(tmp_path, address) as client:
        first.deploy(first.version([OLD]))
        await client.ready(1)
        first.way = stuck
        first.deploy(first.version([NEW]))
        await waiting.wait()
        await first.stop()
        failed = await newest(client, ERROR)
        assert "cannot be reached" in failed.error_message
        # For long: every try fails, every answer comes.
        for _ in range(20):
            assert await serves(client, OLD)
        async with scripted_registry(address) as (second, _):
            second.version([OLD])
            second.deploy(second.version([OLD]))
            second.deploy(second.version([NEW]))
            await client.ready(2)
            assert await serves(client, NEW)


async def test_a_registry_whose_database_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outage = Outage(monkeypatch, "registry", away=True)
    async with (
        registry_at(tmp_path) as (registry, address),
        inference(tmp_path, address) as client,
    ):
        # At start: it comes up, says so, and works when the database does.
        with refused(grpc.StatusCode.UNAVAILABLE, Reason.STORE_UNAVAILABLE):
            await registry.deployment("p")
        assert not (await client.state()).generations
        outage.away = False
        await deploy(registry, "p", [OLD])
        await client.ready(1)
        # Later: what serves goes on; what is deployed after it is followed.
        outage.away = True
        with refused(grpc.StatusCode.UNAVAILABLE, Reason.STORE_UNAVAILABLE):
            await registry.deployment("p")
        refusals = outage.refused

        async def asked_for_more() -> bool:
            return outage.refused > refusals + 3

        await until(asked_for_more)
        assert await serves(client, OLD)
        outage.away = False
        await deploy(registry, "p", [NEW])
        await client.ready(2)


async def test_a_restored_registry_counts_again_and_its_content_is_served(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    async with registry_at(tmp_path) as (registry, address):
        await deploy(registry, "p", [OLD])
    await asyncio.to_thread(shutil.copytree, tmp_path / "registry", kept)
    async with inference(tmp_path, address) as client:
        async with registry_at(tmp_path, address) as (registry, _):
            await deploy(registry, "p", [NEW])
            await client.ready(2)
            assert await serves(client, NEW)
        await asyncio.to_thread(shutil.rmtree, tmp_path / "registry")
        await asyncio.to_thread(kept.rename, tmp_path / "registry")
        async with registry_at(tmp_path, address) as (registry, _):
            await client.ready(1)
            assert await serves(client, OLD)
            other = tiny_adapter("PARTY", seed=3)
            await deploy(registry, "p", [other])

            async def followed() -> bool:
                return await serves(client, other)

            await until(followed)
            assert [item.deployment_revision for item in (await client.state()).generations] == [2]
    # The content is remembered too.
    async with inference(tmp_path, address) as client:
        await client.ready(2)
        assert await serves(client, other)


async def test_a_damaged_copy_is_not_served_at_a_restart_without_the_registry(
    tmp_path: Path,
) -> None:
    async with registry_at(tmp_path) as (registry, address):
        await deploy(registry, "p", [OLD])
        async with inference(tmp_path, address) as client:
            await client.ready(1)
    digest = OLD.manifest.files[ADAPTER_FILE].digest
    copy = tmp_path / "inference" / "cache" / key_of(digest)
    data = copy.read_bytes()
    copy.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    async with inference(tmp_path, address) as client:
        failed = await newest(client, ERROR)
        assert "cannot be reached" in failed.error_message
        with refused(grpc.StatusCode.FAILED_PRECONDITION, Reason.NOTHING_DEPLOYED):
            await client.predict()
        async with registry_at(tmp_path, address):
            await client.ready(1)
            assert await serves(client, OLD)
            assert copy.read_bytes() == data
