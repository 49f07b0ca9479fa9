"""A disk that is full: under the cache, a database, the registry's artifacts."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from services.common.blobs import digest_of
from services.common.errors import Reason
from spanloop.inference.v1 import inference_service_pb2 as pb
from tests.support.inference import (
    InferenceClient,
    deploy,
    golden,
    inference,
    registry_at,
    spans_of,
    tiny_adapter,
    until,
)
from tests.support.outage import Outage
from tests.support.processes import service_process
from tests.support.registry import RegistryClient, refused

OLD, NEW = tiny_adapter("PARTY"), tiny_adapter("PARTY", seed=2)
LARGE = os.urandom(24 * 1024 * 1024)


def filling(write: Callable[[Path, bytes], int], folder: Path) -> Callable[[Path, bytes], int]:
    """Return a write that below a folder stops in the middle, as on a full disk."""

    def torn(path: Path, data: bytes) -> int:
        if folder not in path.parents:
            return write(path, data)
        write(path, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    return torn


async def is_served(client: InferenceClient, revision: int) -> None:
    await client.ready(revision)
    answer = await client.predict()
    assert answer.generation.deployment_revision == revision
    bank = {1: OLD, 2: NEW}[revision]
    assert spans_of(answer.predictions[0]) == spans_of(golden([bank]))


async def test_a_full_cache_directory_costs_the_copies_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "inference" / "cache"
    async with registry_at(tmp_path) as (registry, address):
        await deploy(registry, "p", [OLD])
        with monkeypatch.context() as full:
            full.setattr(Path, "write_bytes", filling(Path.write_bytes, cache))
            async with inference(tmp_path, address) as client:
                await is_served(client, 1)
                await deploy(registry, "p", [NEW])
                await is_served(client, 2)
        # Nothing torn is left behind, and with room again everything is kept.
        assert [path for path in cache.rglob("*") if path.is_file()] == []
        async with inference(tmp_path, address) as client:
            await is_served(client, 2)
    async with inference(tmp_path, address) as client:
        await is_served(client, 2)


async def test_a_full_database_of_inference_stops_jobs_and_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outage = Outage(monkeypatch, "inference")
    async with (
        registry_at(tmp_path) as (registry, address),
        inference(tmp_path, address) as client,
    ):
        await deploy(registry, "p", [OLD])
        await is_served(client, 1)
        outage.away = True
        with refused(grpc.StatusCode.UNAVAILABLE, Reason.STORE_UNAVAILABLE):
            await client.stub.CreatePreannotationJob(
                pb.CreatePreannotationJobRequest(parent="projects/p")
            )
        # A swap needs no database.
        await deploy(registry, "p", [NEW])
        await is_served(client, 2)
        refusals = outage.refused

        async def tried_again() -> bool:
            return outage.refused > refusals

        await until(tried_again)
        outage.away = False
        parent = pb.CreatePreannotationJobRequest(parent="projects/p")
        assert (await client.stub.CreatePreannotationJob(parent)).preannotation_job.name
    # What served last is remembered now, although the disk was full when it was loaded.
    async with inference(tmp_path, address) as client:
        await is_served(client, 2)


async def test_a_full_artifact_folder_refuses_uploads_and_keeps_what_is_there(
    tmp_path: Path,
) -> None:
    """No file of this registry may grow beyond 16 MiB: its database stays below, LARGE does not."""
    small = os.urandom(100_000)
    artifacts = tmp_path / "registry" / "artifacts"
    async with service_process("registry", tmp_path, file_bytes=16 * 1024 * 1024) as server:
        client = RegistryClient(server.channel)
        await client.upload(small)
        for _ in range(2):
            with refused(grpc.StatusCode.UNAVAILABLE, Reason.STORE_UNAVAILABLE):
                await client.upload(LARGE)
        with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
            await client.download(digest_of(LARGE))
        assert await client.download(digest_of(small)) == small
        # What was torn takes no room.
        left = [path for path in artifacts.rglob("*") if path.is_file()]
        assert [path.read_bytes() == small for path in left] == [True]
        await deploy(client, "p", [OLD])
    async with service_process("registry", tmp_path) as server:
        client = RegistryClient(server.channel)
        await client.upload(LARGE)
        assert await client.download(digest_of(LARGE)) == LARGE
        assert (await client.deployment("p")).revision == 1


async def test_a_full_database_of_the_registry_refuses_moves_and_keeps_the_deployment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outage = Outage(monkeypatch, "registry")
    async with (
        registry_at(tmp_path) as (registry, address),
        inference(tmp_path, address) as client,
    ):
        first = await deploy(registry, "p", [OLD])
        await is_served(client, 1)
        second = await deploy(registry, "p", [NEW])
        await is_served(client, 2)
        outage.away = True
        with refused(grpc.StatusCode.UNAVAILABLE, Reason.STORE_UNAVAILABLE):
            await registry.deploy(first)
        await is_served(client, 2)
        outage.away = False
        deployment = await registry.deployment("p")
        assert [model.model_version for model in deployment.models] == [second]
