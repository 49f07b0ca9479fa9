from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc import aio

from services.common.channels import PeerSettings, open_peer
from services.common.errors import Reason
from services.common.grpc_status import received_error
from tests.support.echo import EchoClient, request

ROOT = Path(__file__).parents[2]


def environment(data: Path, **values: str) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("SPANLOOP_")}
    return {
        **inherited,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'sdk'}",
        "SPANLOOP_DATA_DIR": str(data),
        "SPANLOOP_ECHO_LISTEN": "127.0.0.1:0",
        "SPANLOOP_ECHO_PORT_FILE": str(data / "port"),
        **values,
    }


@asynccontextmanager
async def process(
    *arguments: str, env: dict[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.support.echo", *arguments),
        cwd=ROOT,
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def address_in(path: Path) -> str:
    return await asyncio.to_thread(wait_for_address, path)


def wait_for_address(path: Path) -> str:
    give_up = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < give_up
        time.sleep(0.02)
    return path.read_text().strip()


def connect(data: Path, address: str) -> aio.Channel:
    return open_peer(PeerSettings(address=address, token=(data / "token").read_text().strip()))


async def test_sigterm_drains_and_exits_cleanly(tmp_path: Path) -> None:
    async with process(env=environment(tmp_path)) as server:
        address = await address_in(tmp_path / "port")
        async with connect(tmp_path, address) as channel:
            client = EchoClient(channel)
            call = asyncio.ensure_future(client.Unary(request("sleep:0.5")))
            watch = client.WatchForever(request())
            assert (await watch.read()).text == "now"
            server.send_signal(signal.SIGTERM)
            assert (await call).text == "ab"
            with pytest.raises(aio.AioRpcError) as ended:
                await watch.read()
            assert received_error(ended.value).reason is Reason.DRAINING
        output, log = await server.communicate()
    assert server.returncode == 0
    assert output == b""
    entries = [json.loads(line) for line in log.splitlines()]
    (listening,) = [entry for entry in entries if entry["event"] == "listening"]
    assert listening["address"] == address
    assert listening["service"] == "echo"
    assert listening["version"]
    assert [e["event"] for e in entries if e["event"] != "rpc"][-3:] == [
        "signal",
        "draining",
        "stopped",
    ]
    assert len([e for e in entries if e["event"] == "rpc"]) == 2
    token = (tmp_path / "token").read_text().strip()
    assert token not in log.decode()


async def test_second_signal_stops_at_once(tmp_path: Path) -> None:
    env = environment(tmp_path, SPANLOOP_DRAIN_SECONDS="60")
    async with process(env=env) as server:
        address = await address_in(tmp_path / "port")
        async with connect(tmp_path, address) as channel:
            call = asyncio.ensure_future(EchoClient(channel).Unary(request("block")))
            watch = EchoClient(channel).WatchForever(request())
            await watch.read()
            server.send_signal(signal.SIGTERM)
            with pytest.raises(aio.AioRpcError):  # draining has begun
                await watch.read()
            assert server.returncode is None
            server.send_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                await server.communicate()
            with pytest.raises(aio.AioRpcError) as lost:
                await call
            assert lost.value.code() is grpc.StatusCode.UNAVAILABLE
    assert server.returncode == 3


async def test_config_prints_settings_with_secrets_masked(tmp_path: Path) -> None:
    env = environment(
        tmp_path,
        SPANLOOP_ECHO_TOKEN="very-secret",
        SPANLOOP_DATABASE_URL="mongodb://me:very-secret@host/db",
    )
    async with process("config", env=env) as shown:
        output, _ = await shown.communicate()
    assert shown.returncode == 0
    assert b"very-secret" not in output
    by_name = {entry["name"]: entry for entry in json.loads(output)}
    assert by_name["token"]["value"] == "********"
    assert by_name["database_url"]["value"] == "mongodb://me:********@host/db"
    assert by_name["listen"]["env"] == ["SPANLOOP_ECHO_LISTEN", "SPANLOOP_LISTEN"]
    assert all(entry["description"] for entry in by_name.values())


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("SPANLOOP_ECHO_LISTEN", "nonsense", "host:port"),
        ("SPANLOOP_TLS_CERT", "only-a-certificate.pem", "tls_key"),
        ("SPANLOOP_ECHO_DRAIN_SECONDS", "soon", "SPANLOOP_ECHO_DRAIN_SECONDS"),
    ],
)
async def test_wrong_settings_are_explained(
    tmp_path: Path, variable: str, value: str, said: str
) -> None:
    async with process(env=environment(tmp_path, **{variable: value})) as failed:
        _, log = await failed.communicate()
    assert failed.returncode == 2
    assert said in log.decode()
    assert "Traceback" not in log.decode()


async def test_token_file_open_to_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("known-to-all")
    (tmp_path / "token").chmod(0o644)
    async with process(env=environment(tmp_path)) as failed:
        _, log = await failed.communicate()
    assert failed.returncode == 2
    assert "chmod 600" in log.decode()
    assert "known-to-all" not in log.decode()
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o644


async def test_four_services_that_start_at_once_share_one_token(tmp_path: Path) -> None:
    """Each is asked with the token that the file holds in the end."""
    ports = [tmp_path / f"port{number}" for number in range(4)]
    async with asyncio.TaskGroup() as group:

        async def one(port: Path) -> None:
            env = environment(tmp_path, SPANLOOP_ECHO_PORT_FILE=str(port))
            async with process(env=env):
                address = await address_in(port)
                await asyncio.gather(*(address_in(other) for other in ports))
                async with connect(tmp_path, address) as channel:
                    assert (await EchoClient(channel).Unary(request())).text == "ab"

        for port in ports:
            group.create_task(one(port))
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
