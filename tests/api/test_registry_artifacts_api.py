from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from services.common.blobs import digest_of, key_of
from services.common.errors import Reason
from services.common.modeling.manifest import AdapterManifest, Head, TrunkManifest
from spanloop.registry.v1 import registry_service_pb2 as pb
from spanloop.registry.v1.trunk_pb2 import Trunk
from tests.support.registry import (
    MODEL,
    TOKENIZER,
    RegistryClient,
    adapter_manifest,
    refused,
    registry,
    trunk_manifest,
)

INVALID = grpc.StatusCode.INVALID_ARGUMENT
MIB = 1024 * 1024


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[RegistryClient]:
    async with registry(tmp_path, max_artifact_bytes=4 * MIB) as found:
        yield found


def stored(folder: Path) -> list[Path]:
    return [path for path in (folder / "registry" / "artifacts").rglob("*") if path.is_file()]


async def send(client: RegistryClient, *messages: pb.UploadArtifactRequest) -> None:
    await client.stub.UploadArtifact(iter(messages))


@pytest.mark.parametrize("size", [0, 1, MIB, 3 * MIB + 17])
async def test_bytes_come_back(client: RegistryClient, size: int) -> None:
    data = bytes(i * 7 % 251 for i in range(1009)) * (size // 1009 + 1)
    digest = await client.upload(data[:size])
    assert await client.download(digest) == data[:size]


async def test_repeat_changes_nothing_and_repairs(client: RegistryClient, tmp_path: Path) -> None:
    digest = await client.upload(b"bytes")
    path = tmp_path / "registry" / "artifacts" / key_of(digest)
    assert await client.upload(b"bytes") == digest
    path.write_bytes(b"bytez")
    await client.upload(b"bytes")
    assert await client.download(digest) == b"bytes"
    assert stored(tmp_path) == [path]


async def test_answer_names_digest_and_size(client: RegistryClient) -> None:
    digest = digest_of(b"12345")
    messages = [
        pb.UploadArtifactRequest(digest=digest),
        pb.UploadArtifactRequest(chunk=b"12"),
        pb.UploadArtifactRequest(chunk=b""),
        pb.UploadArtifactRequest(chunk=b"345"),
    ]
    answer = await client.stub.UploadArtifact(iter(messages))
    assert (answer.digest, answer.size_bytes) == (digest, 5)


async def test_other_bytes_are_refused_and_not_kept(client: RegistryClient, tmp_path: Path) -> None:
    digest = digest_of(b"announced")
    with refused(grpc.StatusCode.DATA_LOSS, Reason.ARTIFACT_CORRUPT, expected=digest):
        await send(
            client,
            pb.UploadArtifactRequest(digest=digest),
            pb.UploadArtifactRequest(chunk=b"announce"),
        )
    assert stored(tmp_path) == []
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await client.download(digest)


async def test_malformed_uploads(client: RegistryClient, tmp_path: Path) -> None:
    digest = pb.UploadArtifactRequest(digest=digest_of(b"x"))
    chunk = pb.UploadArtifactRequest(chunk=b"x")
    for messages in ([], [chunk], [pb.UploadArtifactRequest()]):
        with refused(INVALID, Reason.FIELD_INVALID, field="digest"):
            await send(client, *messages)
    for text in (
        "",
        "sha256:",
        "sha256:" + "A" * 64,
        "sha256:../../" + "a" * 58,
        "md5:" + "a" * 64,
    ):
        with refused(INVALID, Reason.FIELD_INVALID, field="digest"):
            await send(client, pb.UploadArtifactRequest(digest=text), chunk)
        with refused(INVALID, Reason.FIELD_INVALID, field="digest"):
            await client.download(text)
    with refused(INVALID, Reason.FIELD_INVALID, field="chunk"):
        await send(client, digest, digest)
    with refused(INVALID, Reason.REQUEST_TOO_LARGE, field="chunk"):
        await send(client, digest, pb.UploadArtifactRequest(chunk=b"x" * (MIB + 1)))
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.REQUEST_TOO_LARGE):
        await client.upload(b"x" * (4 * MIB + 1))
    assert stored(tmp_path) == []


async def test_a_caller_that_leaves_leaves_nothing(client: RegistryClient, tmp_path: Path) -> None:
    call = client.stub.UploadArtifact()
    await call.write(pb.UploadArtifactRequest(digest=digest_of(b"xy")))
    await call.write(pb.UploadArtifactRequest(chunk=b"x"))
    call.cancel()
    await client.upload(b"other")  # the server goes on
    assert [path.name for path in stored(tmp_path)] == [key_of(digest_of(b"other"))[10:]]


async def test_trunk_is_read_from_its_manifest(client: RegistryClient) -> None:
    manifest = trunk_manifest()
    trunk = await client.trunk()
    assert trunk.name == f"trunks/{manifest.digest.removeprefix('sha256:')}"
    assert (trunk.digest, trunk.manifest) == (manifest.digest, manifest.to_bytes())
    assert (trunk.source, trunk.precision) == ("embedded:tiny", "fp32")
    assert (trunk.hidden_size, trunk.taps) == (8, 3)
    assert trunk.files == {"model.onnx": digest_of(MODEL), "tokenizer.json": digest_of(TOKENIZER)}
    assert trunk.create_time.seconds > 0
    assert await client.trunk() == trunk  # same digest, same time
    got = await client.stub.GetTrunk(pb.GetTrunkRequest(name=trunk.name))
    assert got.trunk == trunk


async def test_trunk_files_must_be_there(client: RegistryClient, tmp_path: Path) -> None:
    request = pb.RegisterTrunkRequest(trunk=Trunk(manifest=trunk_manifest().to_bytes()))
    missing = grpc.StatusCode.FAILED_PRECONDITION, Reason.STATE_CONFLICT
    with refused(*missing, file="model.onnx", digest=digest_of(MODEL)):
        await client.stub.RegisterTrunk(request)
    await client.upload(MODEL)
    with refused(*missing, file="tokenizer.json", digest=digest_of(TOKENIZER)):
        await client.stub.RegisterTrunk(request)
    await client.upload(TOKENIZER)
    torn = tmp_path / "registry" / "artifacts" / key_of(digest_of(MODEL))
    torn.write_bytes(MODEL[:3])
    with refused(*missing, file="model.onnx", digest=digest_of(MODEL)):
        await client.stub.RegisterTrunk(request)
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        name = f"trunks/{trunk_manifest().digest.removeprefix('sha256:')}"
        await client.stub.GetTrunk(pb.GetTrunkRequest(name=name))


GOOD_TRUNK = trunk_manifest().to_bytes()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[1]",
        b"\xff",
        b"[" * 100_000,
        GOOD_TRUNK + b" ",
        GOOD_TRUNK.replace(b'"taps":3', b'"taps":0'),
        GOOD_TRUNK.replace(b'"taps":3', b'"taps":3000000000'),
        GOOD_TRUNK.replace(b'"embedded:tiny"', b'"a\\u0000b"'),
        GOOD_TRUNK.replace(b'"embedded:tiny"', b'"\\ud800"'),
        GOOD_TRUNK.replace(b'"format_version":1', b'"format_version":2'),
        GOOD_TRUNK.replace(b'"kind":"trunk"', b'"kind":"adapter"'),
        GOOD_TRUNK.replace(b"model.onnx", b"other.onnx"),
        GOOD_TRUNK.replace(b'{"architecture"', b'{"_":0,"architecture"'),
    ],
)
async def test_bad_trunk_manifests(client: RegistryClient, data: bytes) -> None:
    with refused(INVALID, Reason.FIELD_INVALID):
        await client.stub.RegisterTrunk(pb.RegisterTrunkRequest(trunk=Trunk(manifest=data)))


async def test_huge_manifest(client: RegistryClient) -> None:
    data = b" " * (MIB + 1)
    with refused(INVALID, Reason.REQUEST_TOO_LARGE, field="trunk.manifest"):
        await client.stub.RegisterTrunk(pb.RegisterTrunkRequest(trunk=Trunk(manifest=data)))


async def test_list_trunks(client: RegistryClient) -> None:
    made = []
    for number in range(5):
        model = b"model %d" % number
        source = "hub/a" if number % 2 else "local"
        made.append(await client.trunk(trunk_manifest(source=source, model=model), model))
    newest_first = [trunk.digest for trunk in reversed(made)]

    async def listed(**request: object) -> tuple[list[str], str]:
        answer = await client.stub.ListTrunks(pb.ListTrunksRequest(**request))
        return [trunk.digest for trunk in answer.trunks], answer.next_page_token

    assert await listed() == (newest_first, "")
    first, token = await listed(page_size=2)
    second, more = await listed(page_size=3, page_token=token)
    assert (first + second, more) == (newest_first, "")
    assert await listed(source="hub/a") == (newest_first[1::2], "")
    assert await listed(source="none") == ([], "")
    for wrong in ({"page_token": token, "source": "local"}, {"page_token": "x"}):
        with refused(INVALID, Reason.PAGE_TOKEN_INVALID):
            await listed(**wrong)
    with refused(INVALID, Reason.FIELD_INVALID, field="page_size"):
        await listed(page_size=-1)


async def test_adapter_is_read_from_its_manifest(client: RegistryClient) -> None:
    await client.trunk()
    manifest = adapter_manifest("creative-work")
    with refused(
        grpc.StatusCode.FAILED_PRECONDITION, Reason.STATE_CONFLICT, file="adapter.safetensors"
    ):
        await client.register_adapter(manifest)
    await client.upload(b"weights")
    adapter = await client.register_adapter(manifest)
    assert adapter.name == f"adapters/{manifest.digest.removeprefix('sha256:')}"
    assert (adapter.digest, adapter.manifest) == (manifest.digest, manifest.to_bytes())
    assert (adapter.label, adapter.trunk_digest) == ("creative-work", trunk_manifest().digest)
    assert adapter.files == {"adapter.safetensors": digest_of(b"weights")}
    assert await client.register_adapter(manifest) == adapter
    got = await client.stub.GetAdapter(pb.GetAdapterRequest(name=adapter.name))
    assert got.adapter == adapter


async def test_adapter_needs_its_trunk(client: RegistryClient) -> None:
    await client.upload(b"weights")
    resource = f"trunks/{trunk_manifest().digest.removeprefix('sha256:')}"
    with refused(grpc.StatusCode.FAILED_PRECONDITION, Reason.STATE_CONFLICT, resource=resource):
        await client.register_adapter(adapter_manifest("A"))


@pytest.mark.parametrize(
    ("manifest", "field"),
    [
        (adapter_manifest("A", taps=(1, 3)), "architecture.taps"),
        (adapter_manifest("A", hidden_size=9), "architecture.hidden_size"),
        (adapter_manifest("A", max_length=64), "max_length"),
        (adapter_manifest("A", head=Head.ASSERTION, classes=("x", "y")), "label"),
        (adapter_manifest("A", head=Head.CHOICES, classes=("x", " y")), "classes[1]"),
        (adapter_manifest(" A"), "label"),
        (adapter_manifest("A" * 101), "label"),
    ],
)
async def test_adapter_must_fit(
    client: RegistryClient, manifest: AdapterManifest, field: str
) -> None:
    await client.trunk()
    await client.upload(b"weights")
    with refused(INVALID, Reason.FIELD_INVALID, field=f"adapter.manifest.{field}"):
        await client.register_adapter(manifest)


async def test_adapter_of_another_tokenizer(client: RegistryClient) -> None:
    trunk: TrunkManifest = trunk_manifest()
    await client.trunk(trunk)
    await client.upload(b"weights")
    data = adapter_manifest("A").to_bytes()
    wrong = data.replace(trunk.tokenizer_digest.encode(), b"sha256:" + b"0" * 64)
    assert wrong != data
    with refused(INVALID, Reason.FIELD_INVALID, field="adapter.manifest.tokenizer_digest"):
        await client.register_adapter(AdapterManifest.from_bytes(wrong))


async def test_names(client: RegistryClient) -> None:
    unknown = "0" * 64
    with refused(
        grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND, resource=f"trunks/{unknown}"
    ):
        await client.stub.GetTrunk(pb.GetTrunkRequest(name=f"trunks/{unknown}"))
    with refused(
        grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND, resource=f"adapters/{unknown}"
    ):
        await client.stub.GetAdapter(pb.GetAdapterRequest(name=f"adapters/{unknown}"))
    for name in ("", "trunks/", "trunks/abc", f"trunk/{unknown}", f"trunks/sha256:{unknown}"):
        with refused(INVALID, Reason.FIELD_INVALID, field="name"):
            await client.stub.GetTrunk(pb.GetTrunkRequest(name=name))
    with refused(INVALID, Reason.FIELD_INVALID, field="name"):
        await client.stub.GetAdapter(pb.GetAdapterRequest(name=f"trunks/{unknown}"))
