from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from services.common.errors import Reason
from services.registry.bootstrap import build
from spanloop.registry.v1 import registry_service_pb2 as pb
from tests.support import client_channel, running
from tests.support.registry import RegistryClient, refused, registry, registry_settings

HEARTBEAT = "heartbeat"


@asynccontextmanager
async def watching(client: RegistryClient, project: str) -> AsyncIterator[AsyncIterator[str]]:
    """Yield what a watch says: ``p@3`` for revision 3 of project p, or HEARTBEAT."""
    call = client.stub.WatchDeployment(
        pb.WatchDeploymentRequest(name=f"projects/{project}/deployment")
    )

    async def said() -> AsyncIterator[str]:
        async for message in call:
            if message.WhichOneof("payload") == "heartbeat":
                yield HEARTBEAT
            else:
                deployment = message.deployment
                yield f"{deployment.name.split('/')[1]}@{deployment.revision}"

    try:
        yield said()
    finally:
        call.cancel()


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[RegistryClient]:
    # polling so slow that what these tests see came from the signal
    async with registry(tmp_path, deployment_poll_seconds=60) as found:
        yield found


async def test_one_project(client: RegistryClient) -> None:
    (name,) = await client.ready("p")
    (foreign,) = await client.ready("q")
    await client.deploy(name)
    await client.deploy(name)
    await client.deploy(foreign)
    async with watching(client, "p") as said:
        assert await anext(said) == "p@2"
        assert await anext(said) == HEARTBEAT
        await client.deploy(foreign)
        await client.deploy(name)
        assert await anext(said) == "p@3"
        await client.rollback("p", 1)
        assert await anext(said) == "p@4"


async def test_a_project_without_deployment(client: RegistryClient) -> None:
    (name,) = await client.ready("p")
    async with watching(client, "p") as said:
        assert await anext(said) == HEARTBEAT
        await client.deploy(name)
        assert await anext(said) == "p@1"


async def test_all_projects(client: RegistryClient) -> None:
    names = {project: (await client.ready(project))[0] for project in ("p", "q", "r")}
    await client.deploy(names["p"])
    await client.deploy(names["q"])
    await client.deploy(names["q"])
    async with watching(client, "-") as said:
        assert {await anext(said), await anext(said)} == {"p@1", "q@2"}
        assert await anext(said) == HEARTBEAT
        await client.deploy(names["r"])
        assert await anext(said) == "r@1"
        await client.deploy(names["p"])
        assert await anext(said) == "p@2"


async def test_the_stream_brings_what_get_returns(client: RegistryClient) -> None:
    (name,) = await client.ready("p")
    await client.deploy(name)
    call = client.stub.WatchDeployment(pb.WatchDeploymentRequest(name="projects/p/deployment"))
    assert (await call.read()).deployment == await client.deployment("p")
    call.cancel()


async def test_moves_arrive_at_once(client: RegistryClient) -> None:
    (name,) = await client.ready("p")
    delays = []
    async with watching(client, "-") as said:
        assert await anext(said) == HEARTBEAT
        for revision in range(1, 12):
            waiting = asyncio.ensure_future(anext(said))
            await client.deploy(name)
            returned = time.monotonic()
            assert await waiting == f"p@{revision}"
            delays.append(time.monotonic() - returned)
    # measured from the answer of Deploy; the median, as two busy cores delay single ones
    assert sorted(delays)[len(delays) // 2] < 0.02


async def test_moves_of_another_process_are_found(tmp_path: Path) -> None:
    async with (
        registry(tmp_path, deployment_poll_seconds=0.05) as one,
        registry(tmp_path, deployment_poll_seconds=60) as other,
    ):
        (name,) = await one.ready("p")
        async with watching(one, "p") as said, watching(one, "-") as everything:
            assert await anext(said) == HEARTBEAT
            assert await anext(everything) == HEARTBEAT
            await other.deploy(name)
            assert await anext(said) == "p@1"
            assert await anext(everything) == "p@1"
            await other.deploy(name)
            assert await anext(said) == "p@2"
        # a new watch looks for itself, however slow the polling is
        await one.deploy(name)
        async with watching(other, "p") as said:
            assert await anext(said) == "p@3"


async def test_revisions_never_go_back_under_load(tmp_path: Path) -> None:
    async with (
        registry(tmp_path, deployment_poll_seconds=0.01) as one,
        registry(tmp_path, deployment_poll_seconds=0.01) as other,
    ):
        (name,) = await one.ready("p")
        async with watching(one, "p") as said, watching(other, "-") as everything:
            moves = [client.deploy(name) for _ in range(15) for client in (one, other)]
            made = asyncio.gather(*moves)
            for stream in (said, everything):
                seen = [0]
                while seen[-1] < 30:
                    message = await anext(stream)
                    if message != HEARTBEAT:
                        seen.append(int(message.removeprefix("p@")))
                assert seen == sorted(set(seen))
            await made


async def test_heartbeats_when_all_is_quiet(tmp_path: Path) -> None:
    async with (
        registry(tmp_path, watch_heartbeat_seconds=0.05) as client,
        watching(client, "p") as said,
    ):
        for _ in range(4):
            assert await anext(said) == HEARTBEAT


async def test_the_state_survives_a_restart(tmp_path: Path) -> None:
    async with registry(tmp_path) as client:
        (name,) = await client.ready("p")
        before = [await client.deploy(name), await client.deploy(name)]
    async with registry(tmp_path) as client, watching(client, "-") as said:
        assert await anext(said) == "p@2"
        assert await anext(said) == HEARTBEAT
        assert await client.revisions("p") == before


async def test_draining_ends_the_stream(tmp_path: Path) -> None:
    async with (
        running(registry_settings(tmp_path), build) as server,
        client_channel(server) as channel,
    ):
        client = RegistryClient(channel)
        async with watching(client, "p") as said:
            assert await anext(said) == HEARTBEAT
            drained = asyncio.ensure_future(server.drain())
            with refused(grpc.StatusCode.UNAVAILABLE, Reason.DRAINING):
                await anext(said)
            await drained


async def test_names(client: RegistryClient) -> None:
    for name in ("", "projects/-", "projects/P/deployment", "projects/p/deployments"):
        call = client.stub.WatchDeployment(pb.WatchDeploymentRequest(name=name))
        with refused(grpc.StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, field="name"):
            await call.read()
