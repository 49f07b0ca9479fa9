"""The inference service stopped or killed in the middle of a swap; and a log that is full."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from spanloop.inference.v1 import serving_state_pb2
from tests.support.inference import (
    TEXT,
    InferenceClient,
    golden,
    spans_of,
    tiny_adapter,
    until,
)
from tests.support.processes import ServiceProcess, service_process
from tests.support.scripted_registry import ScriptedRegistry, scripted_registry

LOADING = serving_state_pb2.GENERATION_STATE_LOADING
OLD, NEW = tiny_adapter("PARTY"), tiny_adapter("PARTY", seed=2)
STOPPED_AT_ONCE = 3


class Swap:
    """A server that serves OLD and is in the middle of loading NEW."""

    def __init__(self, registry: ScriptedRegistry, server: ServiceProcess) -> None:
        self.registry = registry
        self.child = server.child
        self.client = InferenceClient(server.channel)
        self.server = server

    async def is_loading(self) -> bool:
        return (await self.client.state()).generations[0].state == LOADING


async def stuck(_: str, data: bytes) -> bytes:
    await asyncio.Event().wait()
    return data


@asynccontextmanager
async def mid_swap(folder: Path, log: Path | None = None, **fields: object) -> AsyncIterator[Swap]:
    async with (
        scripted_registry() as (registry, address),
        service_process("inference", folder, log=log, registry_address=address, **fields) as server,
    ):
        swap = Swap(registry, server)
        registry.deploy(registry.version([OLD]))
        await swap.client.ready(1)
        registry.way = stuck
        registry.deploy(registry.version([NEW]))
        await until(swap.is_loading)
        yield swap


async def served(client: InferenceClient) -> int:
    """Return the revision that answers, after a look at what it says."""
    answer = await client.predict()
    assert spans_of(answer.predictions[0]) == spans_of(golden([OLD]))
    return answer.generation.deployment_revision


async def test_sigterm_in_the_middle_of_a_swap_drains(tmp_path: Path) -> None:
    async with mid_swap(tmp_path, batch_tokens=64) as swap:
        # Enough for the signal to come while it is under way.
        request = asyncio.create_task(swap.client.predict([TEXT] * 200))

        async def begun() -> bool:
            return request.done() or any(
                one.active_requests for one in (await swap.client.state()).generations
            )

        await until(begun)
        swap.child.send_signal(signal.SIGTERM)
        answer = await request
        assert answer.generation.deployment_revision == 1
        assert len(answer.predictions) == 200
        async with asyncio.timeout(20):
            assert await swap.child.wait() == 0


@pytest.mark.parametrize("log", [None, Path("/dev/full")], ids=["log", "full log"])
async def test_sigterm_twice_in_the_middle_of_a_swap_ends_at_once(
    tmp_path: Path, log: Path | None
) -> None:
    async with mid_swap(tmp_path, log=log, drain_seconds=60, drain_delay_seconds=60) as swap:
        health = health_pb2_grpc.HealthStub(swap.server.channel)

        async def draining() -> bool:
            found = await health.Check(health_pb2.HealthCheckRequest())
            return bool(found.status == health_pb2.HealthCheckResponse.NOT_SERVING)

        swap.child.send_signal(signal.SIGTERM)
        await until(draining)
        assert swap.child.returncode is None
        swap.child.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            assert await swap.child.wait() == STOPPED_AT_ONCE
    await serves_without_registry(tmp_path)


async def test_killed_in_the_middle_of_a_swap_it_serves_the_last_generation(tmp_path: Path) -> None:
    async with mid_swap(tmp_path) as swap:
        assert await served(swap.client) == 1
        await swap.server.kill()
        with pytest.raises(aio.AioRpcError):
            await swap.client.predict()
    await serves_without_registry(tmp_path)


async def serves_without_registry(folder: Path) -> None:
    """Start anew where nobody answers: what served last does, and the swap is not half done."""
    async with scripted_registry() as (_, address):
        pass
    async with service_process("inference", folder, registry_address=address) as server:
        client = InferenceClient(server.channel)
        await client.ready(1)
        assert await served(client) == 1
        state = await client.state()
        assert not state.registry_connected
        assert [one.deployment_revision for one in state.generations] == [1]
        # The registry is back: the swap is done after all.
        async with scripted_registry(address) as (registry, _):
            registry.version([OLD])
            registry.deploy(registry.version([OLD]))
            registry.deploy(registry.version([NEW]))
            await client.ready(2)


async def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    async with (
        scripted_registry() as (registry, address),
        service_process(
            "inference", tmp_path, log=Path("/dev/full"), registry_address=address
        ) as server,
    ):
        client = InferenceClient(server.channel)
        registry.deploy(registry.version([OLD]))
        await client.ready(1)
        assert await served(client) == 1
        registry.deploy(registry.version([NEW]))
        await client.ready(2)
        server.child.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            assert await server.child.wait() == 0
