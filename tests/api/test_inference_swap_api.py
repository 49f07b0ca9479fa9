"""Hot swap over real servers: no failed request, no mixed answer, no corrupt artifact served."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.common.blobs import key_of
from services.common.errors import Reason
from services.common.modeling.manifest import ADAPTER_FILE
from services.inference.bootstrap import build
from spanloop.inference.v1 import inference_service_pb2 as pb
from spanloop.inference.v1 import serving_state_pb2
from tests.support import client_channel, running
from tests.support.inference import (
    TEXT,
    InferenceClient,
    TinyAdapter,
    deploy,
    golden,
    inference,
    inference_settings,
    publish,
    registry_at,
    spans_of,
    tiny_adapter,
    until,
)
from tests.support.registry import refused

READY = serving_state_pb2.GENERATION_STATE_READY
ERROR = serving_state_pb2.GENERATION_STATE_ERROR
PARTY, DATE = tiny_adapter("PARTY"), tiny_adapter("DATE")


async def hammer(
    client: InferenceClient, texts: list[str], stop: asyncio.Event
) -> list[pb.PredictResponse]:
    """Send requests one after the other until told to stop; any failure is raised."""
    answers = []
    while not stop.is_set():
        answers.append(await client.predict(texts))
    return answers


async def test_swaps_under_load_fail_nothing_and_mix_nothing(tmp_path: Path) -> None:
    swaps = 25
    banks: list[list[TinyAdapter]] = [[tiny_adapter("PARTY", seed=s), DATE] for s in (1, 2, 3)]
    expected = [spans_of(golden(bank)) for bank in banks]
    assert len({tuple(spans) for spans in expected}) == len(banks)
    async with (
        registry_at(tmp_path) as (registry, address),
        inference(tmp_path, address) as client,
    ):
        versions = [await publish(registry, "p", bank) for bank in banks]
        await registry.deploy(versions[0])
        await client.ready(1)
        stop = asyncio.Event()
        load = [asyncio.create_task(hammer(client, [TEXT] * n, stop)) for n in (1, 3, 8)]
        waits = []
        for swap in range(1, swaps + 1):
            deployment = await registry.deploy(versions[swap % len(versions)])
            returned = time.perf_counter()
            while True:
                answer = await client.predict()
                if answer.generation.deployment_revision >= deployment.revision:
                    break
            waits.append(time.perf_counter() - returned)
        stop.set()
        answers = [answer for found in await asyncio.gather(*load) for answer in found]
        for answer in answers:
            revision = answer.generation.deployment_revision
            index = (revision - 1) % len(banks)
            party = answer.generation.adapters["PARTY"]
            assert party == banks[index][0].manifest.digest
            for prediction in answer.predictions:
                assert spans_of(prediction) == expected[index]
        assert {answer.generation.deployment_revision for answer in answers} > {2, 3}
        assert max(waits) < 1.0, waits

        async def only_the_last() -> bool:
            held = (await client.state()).generations
            return [item.deployment_revision for item in held] == [swaps + 1]

        await until(only_the_last)


async def test_a_corrupt_artifact_is_never_served_and_is_tried_again(tmp_path: Path) -> None:
    broken = tiny_adapter("PARTY", seed=2)
    async with (
        registry_at(tmp_path) as (registry, address),
        inference(tmp_path, address) as client,
    ):
        await deploy(registry, "p", [PARTY, DATE])
        await client.ready(1)
        version = await publish(registry, "p", [broken, DATE])
        digest = broken.manifest.files[ADAPTER_FILE].digest
        stored = tmp_path / "registry" / "artifacts" / key_of(digest)
        good = stored.read_bytes()
        stored.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        await registry.deploy(version)

        async def failed() -> bool:
            return any(item.state == ERROR for item in (await client.state()).generations)

        await until(failed)
        new, old = (await client.state()).generations
        assert (new.deployment_revision, old.deployment_revision) == (2, 1)
        assert "digest" in new.error_message
        assert old.state == READY
        answer = await client.predict()
        assert answer.generation.deployment_revision == 1
        assert spans_of(answer.predictions[0]) == spans_of(golden([PARTY, DATE]))
        stored.write_bytes(good)
        await client.ready(2)
        answer = await client.predict()
        assert spans_of(answer.predictions[0]) == spans_of(golden([broken, DATE]))


async def test_a_newer_revision_overtakes_one_that_cannot_be_loaded(tmp_path: Path) -> None:
    broken = tiny_adapter("PARTY", seed=2)
    async with (
        registry_at(tmp_path) as (registry, address),
        inference(tmp_path, address, load_retry_seconds=60) as client,
    ):
        await deploy(registry, "p", [PARTY, DATE])
        version = await publish(registry, "p", [broken])
        digest = broken.manifest.files[ADAPTER_FILE].digest
        (tmp_path / "registry" / "artifacts" / key_of(digest)).write_bytes(b"torn")
        await client.ready(1)
        await registry.deploy(version)

        async def failed() -> bool:
            return any(item.state == ERROR for item in (await client.state()).generations)

        await until(failed)
        await registry.rollback("p")
        await client.ready(3)
        held = (await client.state()).generations
        assert [(item.deployment_revision, item.state) for item in held] == [(3, READY)]


async def test_a_torn_file_in_the_cache_is_fetched_again(tmp_path: Path) -> None:
    async with registry_at(tmp_path) as (registry, address):
        await deploy(registry, "p", [PARTY])
        async with inference(tmp_path, address) as client:
            await client.ready()
        for file in (tmp_path / "inference" / "cache").rglob("*"):
            if file.is_file():
                file.write_bytes(file.read_bytes()[:-7])
        async with inference(tmp_path, address) as client:
            await client.ready()
            answer = await client.predict()
            assert spans_of(answer.predictions[0]) == spans_of(golden([PARTY]))


async def test_serves_from_its_cache_while_the_registry_is_away(tmp_path: Path) -> None:
    async with registry_at(tmp_path) as (registry, address):
        await deploy(registry, "p", [PARTY])
        async with inference(tmp_path, address) as client:
            await client.ready()
    # Down at start: what was deployed last is served from the cache.
    async with inference(tmp_path, address) as client:
        await client.ready()
        answer = await client.predict()
        assert spans_of(answer.predictions[0]) == spans_of(golden([PARTY]))
        assert not (await client.state()).registry_connected
        # Back again: the next deployment is followed.
        async with registry_at(tmp_path, address) as (registry, _):
            await deploy(registry, "p", [DATE])
            await client.ready(2)
            assert (await client.state()).registry_connected
        # Gone mid-way: what is loaded goes on serving.

        async def lost() -> bool:
            return not (await client.state()).registry_connected

        await until(lost)
        answer = await client.predict()
        assert spans_of(answer.predictions[0]) == spans_of(golden([DATE]))


async def test_starts_without_a_registry_and_without_a_cache(tmp_path: Path) -> None:
    async with registry_at(tmp_path / "r") as (_, address):
        pass
    settings = {"token_file": tmp_path / "r" / "token"}
    async with inference(tmp_path, address, **settings) as client:
        state = await client.state()
        assert not state.generations
        assert not state.registry_connected
        async with registry_at(tmp_path / "r", address) as (registry, _):
            await deploy(registry, "p", [PARTY])
            await client.ready()


async def test_predicts_and_stays_in_service_while_its_database_is_away(tmp_path: Path) -> None:
    nowhere = tmp_path / "no-directory"
    nowhere.write_bytes(b"")
    async with registry_at(tmp_path) as (registry, address):
        await deploy(registry, "p", [PARTY])
        settings = inference_settings(
            tmp_path, address, database_url=f"sqlite:///{nowhere}/inference.db"
        )
        async with running(settings, build) as server, client_channel(server) as channel:
            client = InferenceClient(channel)
            await client.ready()
            answer = await client.predict()
            assert spans_of(answer.predictions[0]) == spans_of(golden([PARTY]))
            health = health_pb2_grpc.HealthStub(channel)
            found = await health.Check(health_pb2.HealthCheckRequest())
            assert found.status == health_pb2.HealthCheckResponse.SERVING
            with refused(grpc.StatusCode.UNAVAILABLE, Reason.STORE_UNAVAILABLE):
                await client.stub.ListPreannotationJobs(
                    pb.ListPreannotationJobsRequest(parent="projects/p")
                )


@pytest.mark.parametrize("count", [1, 12])
async def test_a_request_under_way_ends_on_the_generation_that_it_began_with(
    tmp_path: Path, count: int
) -> None:
    async with (
        registry_at(tmp_path) as (registry, address),
        inference(tmp_path, address, batch_tokens=64) as client,
    ):
        await deploy(registry, "p", [PARTY])
        await client.ready(1)
        version = await publish(registry, "p", [tiny_adapter("PARTY", seed=2)])
        request = asyncio.create_task(client.predict([TEXT] * 16 * count))

        async def begun() -> bool:
            return request.done() or any(
                item.active_requests for item in (await client.state()).generations
            )

        await until(begun)
        await registry.deploy(version)
        await client.ready(2)
        answer = await request
        assert answer.generation.deployment_revision == 1
        for prediction in answer.predictions:
            assert spans_of(prediction) == spans_of(golden([PARTY]))


async def test_pinned_labels_are_served_from_their_versions(tmp_path: Path) -> None:
    """Also when the pinned adapter reads another trunk, after a deploy, and after a restart."""
    old = [tiny_adapter("PARTY", seed=1), DATE]
    new = [tiny_adapter("PARTY", seed=2), tiny_adapter("DATE", seed=2)]
    other = [tiny_adapter("PARTY", seed=3, trunk_seed=1)]
    async with registry_at(tmp_path) as (registry, address):
        first, second, third = [await publish(registry, "p", bank) for bank in (old, new, other)]
        async with inference(tmp_path, address) as client:
            await registry.deploy(second)
            await registry.pin("p", "DATE", first)
            await client.ready(2)
            answer = await client.predict()
            assert dict(answer.generation.model_versions) == {"PARTY": second, "DATE": first}
            assert spans_of(answer.predictions[0]) == spans_of(golden([new[0], old[1]]))
            await registry.pin("p", "PARTY", third)
            await registry.deploy(first)
            await client.ready(4)
            pinned = await client.predict()
            assert dict(pinned.generation.model_versions) == {"PARTY": third, "DATE": first}
            assert pinned.generation.adapters["PARTY"] == other[0].manifest.digest
        async with inference(tmp_path, address) as client:
            await client.ready(4)
            assert (await client.predict()).predictions == pinned.predictions
            await registry.unpin("p", "PARTY")
            await client.ready(5)
            answer = await client.predict()
            assert dict(answer.generation.model_versions) == {"PARTY": first, "DATE": first}
            assert spans_of(answer.predictions[0]) == spans_of(golden(old))
            await registry.rollback("p")
            await client.ready(6)
            assert (await client.predict()).predictions == pinned.predictions
