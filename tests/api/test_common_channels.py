from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool
from grpc import aio
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from pydantic import SecretStr

from services.common import server as server_module
from services.common.artifacts import CHUNK_BYTES, digest_of, download, download_to, upload
from services.common.call import CallInfo, calling, detached_call
from services.common.channels import PeerSettings, may_be_repeated, open_peer, peer_errors
from services.common.errors import (
    DataLossError,
    DeadlineExceededError,
    FailedPreconditionError,
    InternalError,
    Reason,
    SpanloopError,
    UnavailableError,
)
from services.common.server import StartError
from spanloop.annotation.v1 import annotation_service_pb2_grpc
from spanloop.annotation.v1.annotation_service_pb2 import GetProjectRequest, GetProjectResponse
from spanloop.registry.v1 import registry_service_pb2 as registry_pb
from tests.support import client_channel, running
from tests.support.echo import NAME, SHAPES, Echo, EchoClient, EchoSettings, echo_build, request


def settings(tmp_path: Path, **values: Any) -> EchoSettings:
    return EchoSettings(**{"data_dir": tmp_path, "listen": "127.0.0.1:0", **values})


def call(**values: Any) -> CallInfo:
    defaults: dict[str, Any] = {
        "method": "/a/B",
        "request_id": "outer-id",
        "caller": "token",
        "deadline": None,
    }
    return CallInfo(**{**defaults, **values})


# what calls carry


async def test_token_of_the_calling_service_is_shown(tmp_path: Path) -> None:
    """Two services of one data directory understand each other without any setting."""
    calling_service = settings(tmp_path)
    async with (
        running(settings(tmp_path), echo_build()) as server,
        open_peer(calling_service, server.address) as channel,
    ):
        assert await EchoClient(channel).call("unary_unary", "") == "ab"


async def test_request_id_and_deadline_of_the_outer_call_go_on(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with running(settings(tmp_path), echo_build()) as server, client_channel(server) as c:
        client = EchoClient(c)
        for shape in SHAPES:
            with calling(call(deadline=loop.time() + 5)):
                said = (await client.call(shape, "who", timeout=60)).split()
                if shape == "unary_unary":
                    assert said[1] == "outer-id"
                    assert 3 < float(said[3]) < 6
        with calling(call(deadline=loop.time() + 0.2)):
            for shape in SHAPES:
                with pytest.raises(DeadlineExceededError), peer_errors("echo"):
                    await client.call(shape, "block")
        with calling(call(deadline=loop.time() + 5)), detached_call():
            said = (await client.call("unary_unary", "who")).split()
            assert said[1] != "outer-id"
            assert 55 < float(said[3]) < 61


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.DEADLINE_EXCEEDED])
def test_whatever_grpc_says_behind_the_deadline_is_that(code: grpc.StatusCode) -> None:
    def fail() -> None:
        with peer_errors("echo"):
            raise aio.AioRpcError(code, aio.Metadata(), aio.Metadata())

    with calling(call(deadline=time.monotonic() - 1)), pytest.raises(DeadlineExceededError):
        fail()
    with calling(call(deadline=time.monotonic() + 60)), pytest.raises(SpanloopError) as caught:
        fail()
    assert not isinstance(caught.value, DeadlineExceededError)


async def test_trace_is_continued_on_both_sides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")

    @asynccontextmanager
    async def traced(*_: Any) -> AsyncIterator[Any]:
        yield tracer

    monkeypatch.setattr(server_module, "tracing", traced)
    async with running(settings(tmp_path), echo_build()) as server, client_channel(server) as c:
        client = EchoClient(c)
        with tracer.start_as_current_span("outer") as outer:
            await client.call("unary_unary", "")
            for shape in SHAPES[1:]:
                with pytest.raises(aio.AioRpcError):
                    await client.call(shape, "bug")
    spans = [span for span in exporter.get_finished_spans() if span.kind is SpanKind.SERVER]
    assert [span.name for span in spans] == [
        f"{NAME}/{method}" for method in ("Unary", "Expand", "Collect", "Chat")
    ]
    for span in spans:
        assert span.parent is not None
        assert span.parent.span_id == outer.get_span_context().span_id
        assert span.context is not None
        assert span.context.trace_id == outer.get_span_context().trace_id
        assert not span.events  # exceptions' texts stay here
    assert spans[0].status.status_code is StatusCode.UNSET
    assert spans[1].status.status_code is StatusCode.ERROR


async def test_trace_goes_on_without_an_exporter(tmp_path: Path) -> None:
    seen: list[str] = []

    class Spy(Echo):
        async def _act(self, command: str) -> str:
            carried: dict[str, str] = {}
            server_module_propagator().inject(carried)
            seen.append(carried.get("traceparent", ""))
            return ""

    def server_module_propagator() -> Any:
        from services.common.telemetry import PROPAGATOR

        return PROPAGATOR

    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with (
        running(settings(tmp_path), echo_build(Spy())) as server,
        client_channel(server) as c,
    ):
        await EchoClient(c).Unary(request(), metadata=(("traceparent", parent),))
    assert seen == [parent]


# errors of peers


async def test_refusals_of_a_peer_keep_their_reason(tmp_path: Path) -> None:
    async with running(settings(tmp_path), echo_build()) as server, client_channel(server) as c:
        for shape in SHAPES:
            with pytest.raises(FailedPreconditionError) as caught, peer_errors("echo"):
                await EchoClient(c).call(shape, "raise:FAILED_PRECONDITION")
            error = caught.value
            assert error.reason is Reason.FIELD_INVALID
            assert error.message == "refused with FAILED_PRECONDITION"
            assert error.metadata == {"which": "FAILED_PRECONDITION"}
            assert [v.field for v in error.violations] == ["task.text"]


@pytest.mark.parametrize(
    ("command", "kind", "reason"),
    [
        ("raise:UNAVAILABLE", UnavailableError, Reason.PEER_UNAVAILABLE),
        ("store-down", UnavailableError, Reason.PEER_UNAVAILABLE),
        ("bug", InternalError, Reason.INTERNAL),
        ("raise:UNAUTHENTICATED", InternalError, Reason.INTERNAL),
        ("raise:PERMISSION_DENIED", InternalError, Reason.INTERNAL),
        ("raise:UNIMPLEMENTED", InternalError, Reason.INTERNAL),
    ],
)
async def test_failures_of_a_peer_are_not_the_callers(
    tmp_path: Path, command: str, kind: type[SpanloopError], reason: Reason
) -> None:
    async with running(settings(tmp_path), echo_build()) as server, client_channel(server) as c:
        with pytest.raises(kind) as caught, peer_errors("echo"):
            await EchoClient(c).call("unary_unary", command)
    assert caught.value.reason is reason
    assert "refused with" not in caught.value.message


async def test_peer_that_is_away_or_hangs(tmp_path: Path) -> None:
    nowhere = PeerSettings(address="127.0.0.1:1", token="t")
    async with open_peer(nowhere) as channel:
        with pytest.raises(UnavailableError) as caught, peer_errors("echo"):
            await EchoClient(channel).call("unary_unary", "")
        assert caught.value.reason is Reason.PEER_UNAVAILABLE
    async with running(settings(tmp_path), echo_build()) as server:
        hasty = PeerSettings(address=server.address, token=server.token, default_timeout=0.1)
        async with open_peer(hasty) as channel:
            with pytest.raises(UnavailableError), peer_errors("echo"):
                await EchoClient(channel).call("unary_unary", "block")


# retries


class Flaky:
    """Counts the calls of two methods and refuses the first two with UNAVAILABLE."""

    def __init__(self) -> None:
        self.calls = 0

    async def answer(self, message: Any, context: Any) -> Any:
        self.calls += 1
        if self.calls <= 2:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        return GetProjectResponse()


async def test_a_call_that_grpc_cancels_past_its_deadline_was_late() -> None:
    with (
        calling(call(deadline=asyncio.get_running_loop().time() - 1)),
        pytest.raises(DeadlineExceededError),
        peer_errors("echo"),
    ):
        raise asyncio.CancelledError  # as gRPC does it: nobody cancelled this task
    with calling(call(deadline=asyncio.get_running_loop().time() - 1)):

        async def waits() -> None:
            with peer_errors("echo"):
                await asyncio.Event().wait()

        task = asyncio.create_task(waits())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_only_repeatable_calls_are_retried() -> None:
    flaky = Flaky()
    server = aio.server()
    service = "spanloop.annotation.v1.AnnotationService"
    kinds = {
        name: grpc.unary_unary_rpc_method_handler(
            flaky.answer, response_serializer=GetProjectResponse.SerializeToString
        )
        for name in ("GetProject", "SubmitCompletion")
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, kinds),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with open_peer(PeerSettings(address=f"127.0.0.1:{port}", token="t")) as channel:
            stub = annotation_service_pb2_grpc.AnnotationServiceStub(channel)
            assert await stub.GetProject(GetProjectRequest()) == GetProjectResponse()
            assert flaky.calls == 3
            flaky.calls = 0
            with pytest.raises(aio.AioRpcError):
                await channel.unary_unary(f"/{service}/SubmitCompletion")(b"")
            assert flaky.calls == 1
    finally:
        await server.stop(0)


def test_what_may_be_repeated() -> None:
    from services.common import channels

    channels.service_config()
    pool = descriptor_pool.Default()
    service = "spanloop.registry.v1.RegistryService"
    repeated = {
        method.name: may_be_repeated(method) for method in pool.FindServiceByName(service).methods
    }
    assert repeated == {
        "UploadArtifact": False,
        "DownloadArtifact": False,
        "RegisterTrunk": True,
        "GetTrunk": True,
        "ListTrunks": True,
        "RegisterAdapter": True,
        "GetAdapter": True,
        "CreateModelVersion": True,
        "VerifyModelVersion": True,
        "RetireModelVersion": False,
        "GetModelVersion": True,
        "ListModelVersions": True,
        "Deploy": True,
        "Rollback": True,
        "PinLabel": True,
        "UnpinLabel": True,
        "SetModelAlias": False,
        "DeleteModelAlias": False,
        "ListModelAliases": True,
        "GetDeployment": True,
        "ListDeploymentRevisions": True,
        "WatchDeployment": False,
    }


# artifacts


class FakeRegistry:
    def __init__(self) -> None:
        self.received: list[registry_pb.UploadArtifactRequest] = []
        self.serve = b""

    async def upload(self, messages: AsyncIterator[Any]) -> registry_pb.UploadArtifactResponse:
        self.received = [message async for message in messages]
        size = sum(len(message.chunk) for message in self.received)
        return registry_pb.UploadArtifactResponse(digest=self.received[0].digest, size_bytes=size)

    async def download(self, message: Any) -> AsyncIterator[registry_pb.DownloadArtifactResponse]:
        for start in range(0, len(self.serve), 1000):
            yield registry_pb.DownloadArtifactResponse(chunk=self.serve[start : start + 1000])


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1])
@pytest.mark.parametrize("from_file", [False, True])
async def test_upload_sends_digest_then_chunks(tmp_path: Path, size: int, from_file: bool) -> None:
    data = bytes(index % 251 for index in range(size))
    file = tmp_path / "file"
    file.write_bytes(data)
    registry = FakeRegistry()
    assert await upload(registry.upload, digest_of(data), file if from_file else data) == size
    first, *rest = registry.received
    assert first.digest == digest_of(data)
    assert b"".join(message.chunk for message in rest) == data
    assert all(0 < len(message.chunk) <= CHUNK_BYTES for message in rest)


async def test_download_is_verified(tmp_path: Path) -> None:
    registry = FakeRegistry()
    registry.serve = good = bytes(range(256)) * 20
    target = tmp_path / "deep" / "file"
    assert await download(registry.download, digest_of(good)) == good
    await download_to(registry.download, digest_of(good), target)
    assert target.read_bytes() == good
    for bad in (good[:-1], good[:-1] + b"x", b"", good + b"x"):
        registry.serve = bad
        with pytest.raises(DataLossError):
            await download(registry.download, digest_of(good))
        with pytest.raises(DataLossError):
            await download_to(registry.download, digest_of(good), target)
        assert target.read_bytes() == good
    assert [path.name for path in target.parent.iterdir()] == ["file"]


# TLS


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make certificates with")
    base = tmp_path_factory.mktemp("pki")

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=base, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for ca in ("ca", "other-ca"):
        run(
            *("req", "-x509", *curve, "-keyout", f"{ca}.key", "-out", f"{ca}.pem"),
            *("-days", "2", "-subj", f"/CN={ca}"),
        )
    for name, ca in (("server", "ca"), ("alice", "ca"), ("mallory", "other-ca")):
        run(
            *("req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr"),
            "-subj",
            f"/CN={name}",
        )
        (base / "ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        run(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key"),
            *("-CAcreateserial", "-out", f"{name}.pem", "-days", "2", "-extfile", "ext"),
        )
    return base


async def test_tls(tmp_path: Path, pki: Path) -> None:
    secure = settings(tmp_path, tls_cert=pki / "server.pem", tls_key=pki / "server.key")
    async with running(secure, echo_build()) as server:
        good = settings(tmp_path, peer_tls_ca=pki / "ca.pem")
        async with open_peer(good, server.address) as channel:
            assert await EchoClient(channel).call("unary_unary", "") == "ab"
        for bad in (settings(tmp_path), settings(tmp_path, peer_tls_ca=pki / "other-ca.pem")):
            async with open_peer(bad, server.address) as channel:
                with pytest.raises(aio.AioRpcError) as caught:
                    await EchoClient(channel).call("unary_unary", "", timeout=5)
                assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_mtls_names_the_caller_and_still_wants_the_token(tmp_path: Path, pki: Path) -> None:
    secure = settings(
        tmp_path,
        tls_cert=pki / "server.pem",
        tls_key=pki / "server.key",
        tls_client_ca=pki / "ca.pem",
    )

    def peer(name: str, **values: Any) -> EchoSettings:
        return settings(
            tmp_path,
            peer_tls_ca=pki / "ca.pem",
            peer_tls_cert=pki / f"{name}.pem",
            peer_tls_key=pki / f"{name}.key",
            **values,
        )

    async with running(secure, echo_build()) as server:
        async with open_peer(peer("alice"), server.address) as channel:
            assert (await EchoClient(channel).call("unary_unary", "who")).split()[2] == "alice"
        async with open_peer(peer("alice", token=SecretStr("no")), server.address) as channel:
            with pytest.raises(aio.AioRpcError) as caught:
                await EchoClient(channel).call("unary_unary", "")
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        for bad in (peer("mallory"), settings(tmp_path, peer_tls_ca=pki / "ca.pem")):
            async with open_peer(bad, server.address) as channel:
                with pytest.raises(aio.AioRpcError) as caught:
                    await EchoClient(channel).call("unary_unary", "", timeout=5)
                assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_unreadable_certificate_is_a_clear_refusal(tmp_path: Path) -> None:
    missing = settings(tmp_path, tls_cert=tmp_path / "no.pem", tls_key=tmp_path / "no.key")
    with pytest.raises(StartError, match=re.escape("no.key")):
        async with running(missing, echo_build()):
            pass
    (tmp_path / "no.pem").write_text("rubbish")
    (tmp_path / "no.key").write_text("rubbish")
    with pytest.raises(StartError):
        async with running(missing, echo_build()):
            pass
