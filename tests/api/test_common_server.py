from __future__ import annotations

import asyncio
import json
import re
import socket
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from structlog.testing import capture_logs

from services.common import supervise
from services.common.errors import Code, DeadlineExceededError, Reason
from services.common.grpc_status import received_error
from services.common.interceptors.deadlines import Deadlines
from services.common.server import StartError
from services.common.wiring import BackgroundTask, GrpcService, Wiring
from tests.support import client_channel, running
from tests.support.echo import (
    NAME,
    SECRET,
    SHAPES,
    Echo,
    EchoClient,
    EchoSettings,
    echo_build,
    request,
)


def settings(tmp_path: Path, **values: Any) -> EchoSettings:
    return EchoSettings(**{"data_dir": tmp_path, "listen": "127.0.0.1:0", **values})


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
async def client(tmp_path: Path, echo: Echo) -> AsyncIterator[EchoClient]:
    async with running(settings(tmp_path), echo_build(echo)) as server, client_channel(server) as c:
        yield EchoClient(c)


async def refusal(awaitable: Any) -> Any:
    with pytest.raises(aio.AioRpcError) as caught:
        await awaitable
    return received_error(caught.value)


# errors


@pytest.mark.parametrize("shape", SHAPES)
async def test_every_shape_answers(client: EchoClient, shape: str) -> None:
    assert await client.call(shape, "", "añ😀") == "añ😀"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("code", list(Code))
async def test_refusals_keep_code_reason_and_details(
    client: EchoClient, shape: str, code: Code
) -> None:
    error = await refusal(client.call(shape, f"raise:{code.value}"))
    assert error.code is grpc.StatusCode[code.value]
    assert error.reason is Reason.FIELD_INVALID
    assert error.message == f"refused with {code.value}"
    assert error.metadata["which"] == code.value
    assert error.metadata["request_id"]
    assert [v.field for v in error.violations] == ["task.text"]
    assert error.retry_after == 1.5


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("command", ["bug", "timeout-bug"])
async def test_bugs_never_leak_text(client: EchoClient, shape: str, command: str) -> None:
    with capture_logs() as logs, pytest.raises(aio.AioRpcError) as caught:
        await client.call(shape, command)
    error = received_error(caught.value)
    assert (error.code, error.reason) == (grpc.StatusCode.INTERNAL, Reason.INTERNAL)
    assert "Polly" not in str(caught.value) + repr(caught.value.trailing_metadata())
    # The log has it, under the id that the caller was given.
    (entry,) = [e for e in logs if e["event"] == "rpc_failed"]
    assert entry["request_id"] == error.metadata["request_id"]
    assert str(entry["exc_info"]) == SECRET


async def test_store_errors_are_mapped(client: EchoClient) -> None:
    error = await refusal(client.call("unary_unary", "store-down"))
    assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, Reason.STORE_UNAVAILABLE)
    assert "Polly" not in error.message
    assert error.retry_after


async def test_answer_that_cannot_be_serialised(client: EchoClient) -> None:
    error = await refusal(client.call("unary_unary", "wrong-type"))
    assert error.reason is Reason.INTERNAL
    assert "no message" not in error.message


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "raw",
    [b"\xff\xff\xff\xff", b"\x1a\x05abc", b"\x1a\x02\xff\xfe"],
    ids=["random bytes", "truncated", "invalid UTF-8"],
)
async def test_malformed_requests(tmp_path: Path, shape: str, raw: bytes) -> None:
    method = dict(zip(SHAPES, ("Unary", "Expand", "Collect", "Chat"), strict=True))[shape]
    async with (
        running(settings(tmp_path), echo_build()) as server,
        client_channel(server) as channel,
    ):
        stub = getattr(channel, shape)(f"/{NAME}/{method}")
        call = stub(raw) if shape.startswith("unary") else stub(iter([raw]))

        async def finish() -> None:
            if shape.endswith("unary"):
                await call
            else:
                async for _ in call:
                    pass

        error = await refusal(finish())
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason is Reason.REQUEST_MALFORMED


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("path", [f"/{NAME}/Nope", "/no.such.Service/Method"])
async def test_unknown_methods(tmp_path: Path, shape: str, path: str) -> None:
    async with (
        running(settings(tmp_path), echo_build()) as server,
        client_channel(server, token="") as channel,
    ):
        stub = getattr(channel, shape)(path)
        call = stub(b"") if shape.startswith("unary") else stub(iter([b""]))

        async def finish() -> None:
            if shape.endswith("unary"):
                await call
            else:
                async for _ in call:
                    pass

        error = await refusal(finish())
    assert (error.code, error.reason) == (grpc.StatusCode.UNIMPLEMENTED, Reason.METHOD_UNKNOWN)


async def test_oversized_messages(tmp_path: Path) -> None:
    bounded = settings(tmp_path, max_message_bytes=64 * 1024)
    async with running(bounded, echo_build()) as server, client_channel(server) as channel:
        client = EchoClient(channel)
        for shape in SHAPES:
            error = await refusal(client.call(shape, "", "x" * 65 * 1024))
            assert error.code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert error.reason is Reason.REQUEST_TOO_LARGE
            assert error.metadata["limit_bytes"] == str(64 * 1024)
        # Far above the bound gRPC itself refuses, before the bytes are in memory.
        error = await refusal(client.call("unary_unary", "", "x" * 200 * 1024))
        assert error.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        # The other way.
        error = await refusal(client.call("unary_unary", f"huge:{65 * 1024}"))
        assert error.reason is Reason.REQUEST_TOO_LARGE
        assert await client.call("unary_unary", "", "x" * 63 * 1024)


# access


@pytest.mark.parametrize("shape", SHAPES)
async def test_token_is_required(tmp_path: Path, shape: str, echo: Echo) -> None:
    async with running(settings(tmp_path), echo_build(echo)) as server:
        async with client_channel(server, token="") as channel:
            error = await refusal(EchoClient(channel).call(shape, ""))
            assert error.code is grpc.StatusCode.UNAUTHENTICATED
            assert error.reason is Reason.CREDENTIALS_MISSING
        async with client_channel(server, token=server.token + "x") as channel:
            error = await refusal(EchoClient(channel).call(shape, ""))
            assert error.code is grpc.StatusCode.UNAUTHENTICATED
            assert error.reason is Reason.CREDENTIALS_INVALID
            assert server.token not in error.message
        assert not echo.started.is_set()


async def test_rules(tmp_path: Path) -> None:
    async with (
        running(settings(tmp_path), echo_build()) as server,
        client_channel(server, token="") as stranger,
        client_channel(server) as known,
    ):
        assert (await EchoClient(stranger).Open(request("", "x"))).text == "x"
        assert await health_pb2_grpc.HealthStub(stranger).Check(health_pb2.HealthCheckRequest())
        # Without a rule nobody gets in, not even with the token.
        error = await refusal(EchoClient(known).Unruled(request()))
        assert (error.code, error.reason) == (
            grpc.StatusCode.PERMISSION_DENIED,
            Reason.ACCESS_DENIED,
        )


async def test_no_start_without_rules_for_a_known_contract(tmp_path: Path) -> None:
    from contextlib import asynccontextmanager

    from spanloop.trainer.v1 import trainer_service_pb2

    name = trainer_service_pb2.DESCRIPTOR.services_by_name["TrainerService"].full_name

    @asynccontextmanager
    async def build(_: EchoSettings) -> AsyncIterator[Wiring]:
        yield Wiring(services=[GrpcService(full_name=name, register=lambda _: None)], access={})

    with pytest.raises(StartError, match="no access rule"):
        async with running(settings(tmp_path), build):
            pass


async def test_reflection_is_off_by_default(tmp_path: Path) -> None:
    ask = reflection_pb2.ServerReflectionRequest(list_services="")

    async def names(channel: aio.Channel) -> list[str]:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        return [
            service.name
            async for answer in stub.ServerReflectionInfo(iter([ask]))
            for service in answer.list_services_response.service
        ]

    async with running(settings(tmp_path), echo_build()) as server, client_channel(server) as c:
        assert (await refusal(names(c))).reason is Reason.METHOD_UNKNOWN
    async with running(settings(tmp_path, reflection=True), echo_build()) as server:
        async with client_channel(server) as c:
            assert NAME in await names(c)
        async with client_channel(server, token="") as c:
            assert (await refusal(names(c))).reason is Reason.CREDENTIALS_MISSING


# deadlines and cancellation


@pytest.mark.parametrize("shape", SHAPES)
async def test_deadline_ends_the_handler(client: EchoClient, echo: Echo, shape: str) -> None:
    with capture_logs() as logs:
        error = await refusal(client.call(shape, "block", timeout=0.2))
        assert error.code is grpc.StatusCode.DEADLINE_EXCEEDED
        await until(lambda: echo.cancelled == ["block"])
        await until(lambda: lines(logs))
    assert lines(logs)[0]["code"] == "DEADLINE_EXCEEDED"


async def test_expired_deadline_has_its_code(client: EchoClient) -> None:
    error = await refusal(client.call("unary_unary", "", timeout=1e-9))
    assert error.code is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize("left", [0.0, -0.5])
async def test_expired_deadline_never_reaches_a_handler(left: float) -> None:
    call = SimpleNamespace(
        context=SimpleNamespace(time_remaining=lambda: left),
        shape="unary_unary",
        method="/m",
        request_id="r",
        caller="token",
        user="",
    )
    reached = False
    with pytest.raises(DeadlineExceededError):
        async with Deadlines(60.0).around(call):  # type: ignore[arg-type]
            reached = True
    assert not reached


async def test_default_deadline_has_a_reason_and_spares_watches(tmp_path: Path) -> None:
    quick = settings(tmp_path, default_deadline_seconds=0.1)
    echo = Echo()
    async with (
        running(quick, echo_build(echo)) as server,
        aio.insecure_channel(server.address) as c,
    ):
        client = EchoClient(c)
        token = {"metadata": (("authorization", f"Bearer {server.token}"),)}
        error = await refusal(client.call("unary_unary", "block", **token))
        assert error.code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert error.reason is Reason.DEADLINE_EXCEEDED
        watch = client.WatchForever(request(), **token)
        assert (await watch.read()).text == "now"
        await asyncio.sleep(0.3)
        assert not watch.done()
        watch.cancel()


async def test_current_call(client: EchoClient) -> None:
    said = await client.Unary(
        request("who"), timeout=30, metadata=(("x-request-id", "caller-chose-this"),)
    )
    method, request_id, caller, remaining = said.text.split()
    assert method == f"/{NAME}/Unary"
    assert request_id == "caller-chose-this"
    assert caller == "token"
    assert 25 < float(remaining) < 31


async def test_unusable_request_ids_are_replaced(client: EchoClient) -> None:
    said = await client.Unary(request("who"), metadata=(("x-request-id", "x" * 101),))
    assert re.fullmatch(r"[0-9a-z]{26}", said.text.split()[1])


@pytest.mark.parametrize("shape", SHAPES)
async def test_caller_that_leaves_cancels_the_handler(
    client: EchoClient, echo: Echo, shape: str
) -> None:
    with capture_logs() as logs:
        task = asyncio.create_task(client.call(shape, "block"))
        await echo.started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: echo.cancelled == ["block"])
        await until(lambda: lines(logs))
    (line,) = lines(logs)
    assert line["code"] == "CANCELLED"
    assert line["log_level"] == "info"
    assert not [entry for entry in logs if entry["log_level"] == "error"]


# bounds


async def test_concurrency_is_bounded(tmp_path: Path, echo: Echo) -> None:
    bounded = settings(tmp_path, max_concurrent_rpcs=3)
    async with running(bounded, echo_build(echo)) as server, client_channel(server) as channel:
        client = EchoClient(channel)
        held = [asyncio.create_task(client.call(shape, "block")) for shape in SHAPES[:3]]
        await until(lambda: echo.active == 3)
        error = await refusal(client.call("unary_unary", ""))
        assert error.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert error.reason is Reason.OVERLOADED
        assert error.retry_after
        # Neither health nor watches are shut out.
        assert await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        watch = client.WatchForever(request())
        assert (await watch.read()).text == "now"
        echo.release.set()
        assert await asyncio.gather(*held) == ["ab", "ab", "ab"]
        assert await client.call("unary_unary", "") == "ab"


async def test_two_servers_never_share_a_port(tmp_path: Path) -> None:
    async with running(settings(tmp_path), echo_build()) as server:
        with pytest.raises(StartError, match="ECHO_LISTEN"):
            async with running(settings(tmp_path, listen=server.address), echo_build()):
                pass


# draining


async def test_drain_finishes_calls_and_ends_watches(tmp_path: Path, echo: Echo) -> None:
    order: list[str] = []

    async def hook() -> None:
        order.append("hook")

    async def broken_hook() -> None:
        raise RuntimeError(SECRET)

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            order.append("background ended")

    build = echo_build(
        echo,
        background=[BackgroundTask(name="forever", run=forever)],
        on_drain=[broken_hook, hook],
    )
    async with running(settings(tmp_path), build) as server, client_channel(server) as channel:
        client = EchoClient(channel)
        health = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert (await health.read()).status == health_pb2.HealthCheckResponse.SERVING
        watch = client.WatchForever(request())
        await watch.read()
        calls = [
            asyncio.create_task(client.call(shape, "hold")) for shape in SHAPES for _ in range(5)
        ]
        await until(lambda: echo.active == 21)
        drained = asyncio.create_task(server.drain())
        assert (await health.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        error = await refusal(watch.read())
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, Reason.DRAINING)
        assert not drained.done()
        echo.finish.set()
        assert await asyncio.gather(*calls) == ["ab"] * 20
        await drained
        assert order == ["hook", "background ended"]


@pytest.mark.parametrize("turns", range(6))
async def test_drain_during_the_first_write_of_a_watch(
    tmp_path: Path, echo: Echo, turns: int
) -> None:
    """Whichever step of sending the first message it meets, the caller is told."""
    async with (
        running(settings(tmp_path), echo_build(echo)) as server,
        client_channel(server) as channel,
    ):
        watch = EchoClient(channel).WatchForever(request())

        async def drain() -> None:
            await echo.watched.wait()
            for _ in range(turns):
                await asyncio.sleep(0)
            server._calls.end_watches()

        async def read_all() -> None:
            async for _ in watch:
                pass

        ending = asyncio.create_task(drain())
        async with asyncio.timeout(5):
            error = await refusal(read_all())
        await ending
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, Reason.DRAINING)


async def test_drain_ends_what_does_not_end(tmp_path: Path, echo: Echo) -> None:
    impatient = settings(tmp_path, drain_seconds=0.2)
    async with running(impatient, echo_build(echo)) as server, client_channel(server) as channel:
        client = EchoClient(channel)
        calls = [asyncio.create_task(client.call(shape, "block")) for shape in SHAPES]
        await until(lambda: echo.active == 4)
        await server.drain()
        for call in calls:
            error = await refusal(call)
            assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, Reason.DRAINING)
        assert echo.cancelled == ["block"] * 4


async def test_stream_to_a_reader_that_does_not_read_is_ended(tmp_path: Path) -> None:
    """The server waits in a write; a drain must end that too."""
    impatient = settings(tmp_path, drain_seconds=0.2)
    async with running(impatient, echo_build()) as server, client_channel(server) as channel:
        call = EchoClient(channel).Expand(request("", "x" * 1_000_000))
        await call.read()
        async with asyncio.timeout(10):
            await server.drain()
        call.cancel()


# health, background, metrics, logs


async def test_health_follows_the_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.common.server.CHECK_INTERVAL", 0.02)
    up = False

    async def check() -> None:
        if not up:
            raise ConnectionError(SECRET)

    async with (
        running(settings(tmp_path), echo_build(checks=[check])) as server,
        client_channel(server, token="") as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(service=NAME))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        up = True
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        up = False
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        overall = await stub.Check(health_pb2.HealthCheckRequest())
        assert overall.status == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()


async def test_background_task_is_restarted_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "_FIRST_PAUSE", 0.01)
    runs = 0

    async def flaky() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise RuntimeError(SECRET)

    build = echo_build(background=[BackgroundTask(name="flaky", run=flaky)])
    async with running(settings(tmp_path, metrics_listen="127.0.0.1:0"), build) as server:
        await until(lambda: runs == 3)
        page = await fetch(server.metrics_address)
        assert 'spanloop_background_crashes_total{task="flaky"} 2.0' in page


async def test_metrics_of_several_servers_in_one_process(tmp_path: Path) -> None:
    measured = settings(tmp_path, metrics_listen="127.0.0.1:0")
    async with (
        running(measured, echo_build()) as one,
        running(measured, echo_build()) as two,
        client_channel(one) as channel,
    ):
        client = EchoClient(channel)
        await client.call("unary_unary", "")
        await refusal(client.call("unary_unary", "raise:NOT_FOUND"))
        await refusal(channel.unary_unary("/made.up/Name")(b""))
        page = await fetch(one.metrics_address)
        counts = dict(re.findall(r"rpc_server_call_duration_seconds_count\{(.*)\} (.*)", page))
        assert counts == {
            f'rpc_method="{NAME}/Unary",rpc_response_status_code="OK"': "1.0",
            f'rpc_method="{NAME}/Unary",rpc_response_status_code="NOT_FOUND"': "1.0",
            'rpc_method="unknown",rpc_response_status_code="UNIMPLEMENTED"': "1.0",
        }
        assert f'rpc_server_active_calls{{rpc_method="{NAME}/Unary"}} 0.0' in page
        assert "call_duration_seconds_count{" not in await fetch(two.metrics_address)


async def test_metrics_address_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(StartError, match="metrics_listen"):
            async with running(settings(tmp_path, metrics_listen=address), echo_build()):
                pass


async def test_one_log_line_per_call_without_its_content(client: EchoClient) -> None:
    with capture_logs() as logs:
        await client.call("unary_unary", "", SECRET)
        await refusal(client.call("unary_stream", "raise:ABORTED", SECRET))
    first, second = lines(logs)
    assert first["method"] == f"/{NAME}/Unary"
    assert first["code"] == "OK"
    assert first["duration_ms"] >= 0
    assert first["peer"].startswith("ipv4:127.0.0.1:")
    assert (second["code"], second["reason"]) == ("ABORTED", "FIELD_INVALID")
    assert "Polly" not in json.dumps(logs, default=str)
    assert "Bearer" not in json.dumps(logs, default=str)


async def test_plain_binding_beyond_loopback_is_warned_about(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with running(settings(tmp_path, listen="0.0.0.0:0"), echo_build()):
            pass
    assert [e for e in logs if e["event"] == "serving_without_tls" and e["log_level"] == "warning"]
    with capture_logs() as logs:
        async with running(settings(tmp_path), echo_build()):
            pass
    assert not [e for e in logs if e["event"] == "serving_without_tls"]


# helpers


def lines(logs: list[Any]) -> list[Any]:
    return [entry for entry in logs if entry["event"] == "rpc"]


async def until(true: Any) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110  # polls what has no event
            await asyncio.sleep(0.005)


async def fetch(address: str) -> str:
    def read() -> str:
        with urllib.request.urlopen(f"http://{address}/metrics") as answer:
            return str(answer.read().decode())

    return await asyncio.to_thread(read)
