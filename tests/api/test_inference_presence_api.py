"""A real inference server is known to a real registry while it runs."""

from __future__ import annotations

from pathlib import Path

from spanloop import AsyncClient, Endpoints, types
from spanloop.registry.v1 import server_pb2
from spanloop.registry.v1 import server_service_pb2 as pb
from tests.support.inference import inference, registry_at, until
from tests.support.registry import RegistryClient


async def servers(registry: RegistryClient) -> list[server_pb2.InferenceServer]:
    return list((await registry.server_stub.ListServers(pb.ListServersRequest())).servers)


async def test_a_server_is_known_while_it_runs(tmp_path: Path) -> None:
    async with registry_at(tmp_path) as (registry, address):
        async with inference(tmp_path, address, server_report_seconds=0.5):

            async def known() -> bool:
                return bool(await servers(registry))

            await until(known)
            (server,) = await servers(registry)
            assert server.device == server_pb2.DEVICE_CPU
            first = server.report_time.ToMicroseconds()
            assert server.expire_time.ToMicroseconds() - first == 1_500_000

            async def reported_again() -> bool:
                return (await servers(registry))[0].report_time.ToMicroseconds() > first

            await until(reported_again)
            token = (tmp_path / "token").read_text().strip()
            endpoints = Endpoints(registry=address)
            async with AsyncClient(endpoints=endpoints, token=token) as client:
                (told,) = [found async for found in client.list_servers()]
                assert (told.name, told.device) == (server.name, types.Device.CPU)
                choice = await client.choose_trunk_precision()
            assert (choice.precision, choice.cpu_servers, choice.cuda_servers) == ("fp32", 1, 0)
        assert await servers(registry) == []
