"""Inference servers that report to a registry, over a real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from services.common.clock import ManualClock
from services.common.errors import Reason
from services.common.store.sqlite import SqliteStore
from services.registry.handlers import servers
from services.registry.precision import Device, InferenceServer
from services.registry.server_documents import SERVER_COLLECTION, ServerDocuments
from spanloop.registry.v1 import server_pb2
from spanloop.registry.v1 import server_service_pb2 as pb
from tests.support.hooked_store import HookedStore
from tests.support.registry import RegistryClient, refused, registry

INVALID = grpc.StatusCode.INVALID_ARGUMENT
CPU, CUDA = server_pb2.DEVICE_CPU, server_pb2.DEVICE_CUDA
DEVICE = "server.device"


async def report(
    client: RegistryClient, name: str, device: Any = CPU, seconds: float | None = 30
) -> server_pb2.InferenceServer:
    request = pb.ReportServerRequest(
        server=server_pb2.InferenceServer(name=f"servers/{name}", device=device)
    )
    if seconds is not None:
        request.time_to_live.CopyFrom(
            Duration(seconds=int(seconds), nanos=round(seconds % 1 * 1e9))
        )
    return (await client.server_stub.ReportServer(request)).server


async def listed(client: RegistryClient, **fields: Any) -> list[str]:
    answer = await client.server_stub.ListServers(pb.ListServersRequest(**fields))
    return [server.name.removeprefix("servers/") for server in answer.servers]


async def chosen(client: RegistryClient) -> pb.ChooseTrunkPrecisionResponse:
    return await client.server_stub.ChooseTrunkPrecision(pb.ChooseTrunkPrecisionRequest())


async def test_servers_come_and_go_and_the_choice_follows(tmp_path: Path) -> None:
    clock = ManualClock()
    async with registry(tmp_path, clock=clock, cpu_precision="int8") as client:
        assert (await chosen(client)).precision == "fp32"
        first = await report(client, "a", CPU)
        assert first.report_time.ToMicroseconds() == clock.now()
        assert first.expire_time.ToMicroseconds() == clock.now() + 30_000_000
        choice = await chosen(client)
        assert (choice.precision, choice.cpu_servers, choice.cuda_servers) == ("int8", 1, 0)
        clock.advance(20)
        await report(client, "b", CUDA, 60)
        choice = await chosen(client)
        assert (choice.precision, choice.cpu_servers, choice.cuda_servers) == ("fp32", 1, 1)
        assert await listed(client) == ["a", "b"]
        # One that stops without a word is gone when its time has passed.
        clock.advance(10)
        assert await listed(client) == ["b"]
        assert (await chosen(client)).precision == "fp16"
        # A restart on another device; one that reports again stays.
        await report(client, "b", CPU, 60)
        assert (await chosen(client)).precision == "int8"
        clock.advance(59)
        await report(client, "b", CPU, 60)
        clock.advance(59)
        assert await listed(client) == ["b"]
        for _ in range(2):
            await client.server_stub.RemoveServer(pb.RemoveServerRequest(name="servers/b"))
        assert await listed(client) == []
        assert (await chosen(client)).precision == "fp32"


async def test_pages_of_servers(tmp_path: Path) -> None:
    async with registry(tmp_path) as client:
        for name in ("c", "a", "b"):
            await report(client, name)
        first = await client.server_stub.ListServers(pb.ListServersRequest(page_size=2))
        assert [server.name for server in first.servers] == ["servers/a", "servers/b"]
        assert await listed(client, page_size=2, page_token=first.next_page_token) == ["c"]
        with refused(INVALID, Reason.PAGE_TOKEN_INVALID):
            await listed(client, page_token="x")


async def test_what_a_server_says_is_checked(tmp_path: Path) -> None:
    async with registry(tmp_path) as client:
        for wrong, field in (
            ({"name": "a", "device": server_pb2.DEVICE_UNSPECIFIED}, DEVICE),
            ({"name": "a", "device": 9}, DEVICE),
            ({"name": "a", "seconds": None}, "time_to_live"),
            ({"name": "a", "seconds": 0.5}, "time_to_live"),
            ({"name": "a", "seconds": 3601}, "time_to_live"),
            ({"name": ""}, "server.name"),
            ({"name": "A"}, "server.name"),
        ):
            with refused(INVALID, Reason.FIELD_INVALID, field=field):
                await report(client, **wrong)  # type: ignore[arg-type]
        with refused(INVALID, Reason.FIELD_INVALID, field="name"):
            await client.server_stub.RemoveServer(pb.RemoveServerRequest(name="a"))
        assert await listed(client) == []


async def test_only_so_many_servers_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "MAX_SERVERS", 2)
    clock = ManualClock()
    async with registry(tmp_path, clock=clock) as client:
        await report(client, "a")
        await report(client, "b")
        await report(client, "b")
        with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.REQUEST_TOO_LARGE, max_servers="2"):
            await report(client, "c")
        clock.advance(31)
        await report(client, "c")
        assert await listed(client) == ["c"]


async def test_a_report_that_comes_while_the_server_is_swept_counts(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "db")
    await store.open([SERVER_COLLECTION])
    direct = ServerDocuments(store)

    def server(until: int) -> InferenceServer:
        return InferenceServer(id="a", device=Device.CPU, report_time=0, expire_time=until)

    async def report_again(point: int) -> None:
        if point == 1:  # behind the sweep's look
            await direct.put(server(100))

    await direct.put(server(10))
    await ServerDocuments(HookedStore(store, report_again)).sweep(50)  # type: ignore[arg-type]
    assert await direct.count(50) == 1
    await direct.sweep(100)
    assert await direct.count(0) == 0

    async def sweep(point: int) -> None:
        if point == 2:  # behind the look for what the report replaces
            await direct.put(server(200))

    # Two first reports of one server at once: one document.
    await ServerDocuments(HookedStore(store, sweep)).put(server(300))  # type: ignore[arg-type]
    assert await direct.count(250) == 1
    await store.close()
