"""The registry when it is killed, and when its files are damaged."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from grpc import aio

from services.common.blobs import digest_of, key_of
from services.common.channels import PeerSettings, open_peer
from services.common.errors import Reason
from services.common.store.open import store_from_url
from services.registry.deployment_log import LOG_COLLECTION, DeploymentLog
from spanloop.registry.v1 import model_version_pb2 as mv
from spanloop.registry.v1 import registry_service_pb2 as pb
from tests.support.registry import (
    MODEL,
    RegistryClient,
    refused,
    registry,
    registry_settings,
)

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Process:
    """A registry in a process of its own."""

    folder: Path
    child: asyncio.subprocess.Process
    address: str

    async def kill(self) -> None:
        self.child.send_signal(signal.SIGKILL)
        assert await self.child.wait() == -signal.SIGKILL

    @asynccontextmanager
    async def client(self) -> AsyncIterator[RegistryClient]:
        token = (self.folder / "token").read_text().strip()
        async with open_peer(PeerSettings(address=self.address, token=token)) as channel:
            yield RegistryClient(channel)


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[Process]:
    port_file = folder / "port"
    port_file.unlink(missing_ok=True)
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.registry",
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "sdk"),
            "SPANLOOP_DATA_DIR": str(folder),
            "SPANLOOP_REGISTRY_LISTEN": "127.0.0.1:0",
            "SPANLOOP_REGISTRY_PORT_FILE": str(port_file),
            "SPANLOOP_LOG_LEVEL": "error",
        },
    )
    try:
        async with asyncio.timeout(60):
            while not port_file.exists():
                assert child.returncode is None
                await asyncio.sleep(0.02)
        yield Process(folder, child, port_file.read_text().strip())
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


@dataclass
class Acknowledged:
    """What the server said is done."""

    artifacts: list[bytes] = field(default_factory=list)
    versions: dict[tuple[str, str], str] = field(default_factory=dict)
    ready: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    deployed: dict[tuple[str, str, str], int] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Creations that were sent, acknowledged or not."""

    @property
    def count(self) -> int:
        return len(self.artifacts) + len(self.versions) + len(self.ready) + len(self.deployed)


async def work(
    client: RegistryClient, project: str, names: itertools.count[int], done: Acknowledged
) -> None:
    """Upload, create, verify, deploy, retire, on and on until the server is gone."""
    adapters = {"A": await client.adapter("A")}
    previous = ""
    while True:
        request_id = f"job{next(names)}"
        data = request_id.encode() * 5000
        await client.upload(data)
        done.artifacts.append(data)
        done.asked.append((project, request_id))
        name = (await client.version(project, adapters, request_id)).name
        done.versions[project, request_id] = name
        await client.verify(name)
        done.ready.append(name)
        moved = await client.deploy(name, request_id=request_id)
        done.deployed[project, name, request_id] = moved.revision
        if previous:
            try:
                await client.retire(previous)
            except aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:  # deployed again
                    raise
            else:
                done.retired.append(previous)
        previous = name


async def check(client: RegistryClient, done: Acknowledged) -> None:
    for data in done.artifacts:
        assert await client.download(digest_of(data)) == data
    for (project, request_id), name in done.versions.items():
        again = await client.version(project, {"A": await client.adapter("A")}, request_id)
        assert again.name == name
    for name in done.ready:
        assert (await client.get_version(name)).state in (
            mv.MODEL_VERSION_STATE_READY,
            mv.MODEL_VERSION_STATE_RETIRED,
        )
    for name in done.retired:
        assert (await client.get_version(name)).state == mv.MODEL_VERSION_STATE_RETIRED
    for (project, name, request_id), revision in done.deployed.items():
        kept = (await client.revisions(project))[revision - 1]
        assert (kept.revision, [m.model_version for m in kept.models]) == (revision, [name])
        assert await client.deploy(name, request_id=request_id) == kept


async def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path: Path) -> None:
    done = Acknowledged()
    names = itertools.count()
    for target in (25, 70, 110):
        async with started(tmp_path) as process, process.client() as client:
            await check(client, done)
            workers = [
                asyncio.create_task(work(client, project, names, done))
                for project in ("p", "p", "q")
            ]
            async with asyncio.timeout(60):
                while done.count < target:  # noqa: ASYNC110 - any moment will do
                    await asyncio.sleep(0.002)
            await process.kill()
            ends = await asyncio.gather(*workers, return_exceptions=True)
            assert {type(end) for end in ends} == {aio.AioRpcError}
    async with started(tmp_path) as process, process.client() as client:
        await check(client, done)
        # a trainer that never got its answer asks again: one version each, numbers without gaps
        adapters = {"A": await client.adapter("A")}
        made = {
            (project, job): await client.version(project, adapters, job)
            for project, job in done.asked
        }
        for project in ("p", "q"):
            numbers = sorted(v.number for (owner, _), v in made.items() if owner == project)
            assert numbers == list(range(1, len(numbers) + 1))
            kept = await client.revisions(project)
            assert [d.revision for d in kept] == list(range(1, len(kept) + 1))
            current = await client.deployment(project)
            assert current == kept[-1]
            for model in current.models:  # whatever was cut off, nothing retired is served
                version = await client.get_version(model.model_version)
                assert version.state == mv.MODEL_VERSION_STATE_READY


async def test_a_retirement_cut_off_in_the_middle_counts(tmp_path: Path) -> None:
    """The log says retired, the version does not yet: as after a crash between the two writes."""
    async with registry(tmp_path) as client:
        (name,) = await client.ready("p")
        store = store_from_url(registry_settings(tmp_path).database)
        await store.open([LOG_COLLECTION])
        try:
            log = DeploymentLog(store)
            end = await log.end()
            assert await log.append_retirement(end, "p", name.rpartition("/")[2], 1, "")
            assert not await log.append_retirement(end, "p", "other", 1, "")
        finally:
            await store.close()
        with refused(
            grpc.StatusCode.FAILED_PRECONDITION, Reason.MODEL_VERSION_NOT_READY, state="RETIRED"
        ):
            await client.deploy(name)
        assert (await client.retire(name)).state == mv.MODEL_VERSION_STATE_RETIRED
        # the positions that retirements take are no revisions
        (other,) = await client.ready("p")
        assert (await client.deploy(other)).revision == 1


@pytest.mark.parametrize("damage", ["flip", "cut", "grow", "empty"])
async def test_damaged_artifacts_are_never_served_as_good(tmp_path: Path, damage: str) -> None:
    data = bytes(range(256)) * 4_500  # more than one chunk
    async with registry(tmp_path) as client:
        digest = await client.upload(data)
        path = tmp_path / "registry" / "artifacts" / key_of(digest)
        assert path.read_bytes() == data
        path.write_bytes(
            {
                "flip": data[:500_000] + bytes([data[500_000] ^ 1]) + data[500_001:],
                "cut": data[:-1000],
                "grow": data + b"x",
                "empty": b"",
            }[damage]
        )
        received = b""
        with refused(grpc.StatusCode.DATA_LOSS, Reason.ARTIFACT_CORRUPT, digest=digest):
            async for message in client.stub.DownloadArtifact(
                pb.DownloadArtifactRequest(digest=digest)
            ):
                received += message.chunk
        assert received != data
        await client.upload(data)
        assert await client.download(digest) == data


async def test_torn_upload_of_a_killed_server_is_not_there(tmp_path: Path) -> None:
    data = b"x" * 3_000_000
    async with started(tmp_path) as process, process.client() as client:
        call = client.stub.UploadArtifact()
        await call.write(pb.UploadArtifactRequest(digest=digest_of(data)))
        await call.write(pb.UploadArtifactRequest(chunk=data[:1_000_000]))
        await client.upload(MODEL)
        await process.kill()
        with pytest.raises(aio.AioRpcError):
            await call
    async with started(tmp_path) as process, process.client() as client:
        with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
            await client.download(digest_of(data))
        assert await client.download(digest_of(MODEL)) == MODEL
