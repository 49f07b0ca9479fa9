"""Pins of labels: moves of the deployment like any other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from services.common.errors import Reason
from services.common.modeling.manifest import Head
from spanloop.common.v1 import evaluation_pb2
from spanloop.registry.v1 import deployment_pb2 as dp
from spanloop.registry.v1 import registry_service_pb2 as pb
from spanloop.registry.v1.model_version_pb2 import ModelVersion
from tests.support.registry import BAD, RegistryClient, refused, registry, trunk_manifest

INVALID = grpc.StatusCode.INVALID_ARGUMENT
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
ABORTED = grpc.StatusCode.ABORTED
NOT_FOUND = grpc.StatusCode.NOT_FOUND


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[RegistryClient]:
    async with registry(tmp_path) as found:
        yield found


def pins(deployment: dp.Deployment) -> dict[str, str]:
    return {pin.label: pin.model_version for pin in deployment.pins}


def served(deployment: dp.Deployment) -> list[str]:
    return [model.model_version for model in deployment.models]


async def test_a_pin_is_a_move_that_later_deploys_keep(client: RegistryClient) -> None:
    one, two, three = await client.ready("p", count=3)
    first = await client.deploy(two)
    pinned = await client.pin("p", "PARTY", one, etag=first.etag)
    assert (pinned.revision, pinned.action) == (2, dp.DEPLOYMENT_ACTION_PIN_LABEL)
    version = await client.get_version(one)
    (pin,) = pinned.pins
    assert (pin.label, pin.model_version) == ("PARTY", one)
    assert (pin.adapter, pin.trunk_digest) == (version.adapters["PARTY"], trunk_manifest().digest)
    assert served(pinned) == [two]
    assert pinned.actor == "system"
    assert await client.deployment("p") == pinned
    moved = await client.deploy(three)
    assert (served(moved), pins(moved)) == ([three], {"PARTY": one})
    again = await client.pin("p", "PARTY", two)
    assert pins(again) == {"PARTY": two}
    free = await client.unpin("p", "PARTY", etag=again.etag)
    assert (free.action, pins(free)) == (dp.DEPLOYMENT_ACTION_UNPIN_LABEL, {})
    assert served(free) == [three]


async def test_rollback_restores_pins(client: RegistryClient) -> None:
    one, two = await client.ready("p", count=2)
    await client.deploy(two)
    await client.pin("p", "PARTY", one)
    await client.unpin("p", "PARTY")
    back = await client.rollback("p")
    assert (back.restored_revision, pins(back)) == (2, {"PARTY": one})
    forth = await client.rollback("p", revision=1)
    assert pins(forth) == {}
    await client.retire(one)
    with refused(PRECONDITION, Reason.MODEL_VERSION_NOT_READY, resource=one):
        await client.rollback("p", revision=2)


async def test_what_is_pinned_cannot_be_retired(client: RegistryClient) -> None:
    one, two = await client.ready("p", count=2)
    await client.deploy(two)
    await client.pin("p", "PARTY", one)
    with refused(PRECONDITION, Reason.STATE_CONFLICT, resource=one):
        await client.retire(one)
    await client.unpin("p", "PARTY")
    await client.retire(one)
    with refused(PRECONDITION, Reason.MODEL_VERSION_NOT_READY, state="RETIRED"):
        await client.pin("p", "PARTY", one)


async def test_pins_that_are_refused(client: RegistryClient) -> None:
    (name,) = await client.ready("p")
    (foreign,) = await client.ready("q")
    with refused(PRECONDITION, Reason.NOTHING_DEPLOYED):
        await client.pin("p", "PARTY", name)
    await client.deploy(name)
    with refused(INVALID, Reason.LABEL_UNKNOWN, field="label"):
        await client.pin("p", "DATE", name)
    with refused(INVALID, Reason.FIELD_INVALID, field="label"):
        await client.pin("p", "", name)
    with refused(INVALID, Reason.FIELD_INVALID, field="model_version"):
        await client.pin("p", "PARTY", foreign)
    with refused(NOT_FOUND, Reason.MODEL_VERSION_UNKNOWN):
        await client.pin("p", "PARTY", "projects/p/modelVersions/ner_p_v9")
    failed = (await client.version("p", {"PARTY": await client.adapter("PARTY")})).name
    with refused(PRECONDITION, Reason.MODEL_VERSION_NOT_READY, state="REGISTERED"):
        await client.pin("p", "PARTY", failed)
    await client.verify(failed, BAD)
    with refused(PRECONDITION, Reason.MODEL_VERSION_NOT_READY, state="FAILED"):
        await client.pin("p", "PARTY", failed)
    with refused(PRECONDITION, Reason.STATE_CONFLICT, label="PARTY"):
        await client.unpin("p", "PARTY")
    with refused(ABORTED, Reason.ETAG_MISMATCH):
        await client.pin("p", "PARTY", name, etag="9")
    with refused(ABORTED, Reason.ETAG_MISMATCH):
        await client.unpin("p", "PARTY", etag="9")
    assert (await client.deployment("p")).revision == 1


async def test_only_labels_are_pinned(client: RegistryClient) -> None:
    (name,) = await client.ready("p")
    await client.deploy(name)
    digest = await client.adapter("topic", head=Head.CHOICES, classes=("a", "b"))
    made = await client.stub.CreateModelVersion(
        pb.CreateModelVersionRequest(
            parent="projects/p",
            model_version=ModelVersion(
                model_type=evaluation_pb2.MODEL_TYPE_CLASSIFICATION,
                control="topic",
                adapters={"topic": digest},
            ),
        )
    )
    await client.verify(made.model_version.name)
    with refused(INVALID, Reason.FIELD_INVALID, field="model_version"):
        await client.pin("p", "topic", made.model_version.name)


async def test_pins_are_done_once_per_request(client: RegistryClient) -> None:
    one, two = await client.ready("p", count=2)
    await client.deploy(one)
    made = await asyncio.gather(*(client.pin("p", "PARTY", two, request_id="r") for _ in range(8)))
    assert {deployment.revision for deployment in made} == {2}
    gone = await client.unpin("p", "PARTY", request_id="r")  # an id counts for its method only
    assert await client.unpin("p", "PARTY", request_id="r") == gone
    assert await client.pin("p", "PARTY", two, request_id="r") == made[0]
    with refused(INVALID, Reason.REQUEST_ID_REUSED):
        await client.pin("p", "PARTY", one, request_id="r")
    assert len(await client.revisions("p")) == 3


async def test_pins_outlive_the_process_and_are_watched(tmp_path: Path) -> None:
    async with registry(tmp_path) as client:
        one, two = await client.ready("p", count=2)
        await client.deploy(two)
        watch = client.stub.WatchDeployment(pb.WatchDeploymentRequest(name="projects/p/deployment"))
        assert (await watch.read()).deployment.revision == 1
        assert (await watch.read()).WhichOneof("payload") == "heartbeat"
        await client.pin("p", "PARTY", one)
        assert pins((await watch.read()).deployment) == {"PARTY": one}
        watch.cancel()
    async with registry(tmp_path) as client:
        assert pins(await client.deployment("p")) == {"PARTY": one}
