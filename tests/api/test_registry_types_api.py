"""Versions of all model types: names, counting, what their adapters must be, deploying."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from services.common.errors import Reason
from services.common.modeling.manifest import Head
from spanloop.common.v1 import evaluation_pb2 as ev
from spanloop.registry.v1 import registry_service_pb2 as pb
from spanloop.registry.v1.model_version_pb2 import ModelVersion
from tests.support.registry import RegistryClient, refused, registry, version_request

INVALID = grpc.StatusCode.INVALID_ARGUMENT
CLASSES = ("no", "yes")


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[RegistryClient]:
    async with registry(tmp_path) as found:
        yield found


def request(
    adapters: dict[str, str], model_type: ev.ModelType, control: str = "", request_id: str = ""
) -> pb.CreateModelVersionRequest:
    made = version_request("p", adapters, request_id=request_id)
    made.model_version.model_type = model_type
    made.model_version.control = control
    made.model_version.lineage.parameters = '{"engine":"ladder"}'
    return made


async def choices(client: RegistryClient, control: str, request_id: str = "") -> ModelVersion:
    digest = await client.adapter(control, head=Head.CHOICES, classes=CLASSES)
    wanted = request(
        {control: digest}, ev.MODEL_TYPE_CLASSIFICATION, control, request_id=request_id
    )
    return (await client.stub.CreateModelVersion(wanted)).model_version


async def assertion(client: RegistryClient) -> ModelVersion:
    digest = await client.adapter("assertion", head=Head.ASSERTION, classes=CLASSES)
    wanted = request({"assertion": digest}, ev.MODEL_TYPE_ASSERTION)
    return (await client.stub.CreateModelVersion(wanted)).model_version


async def test_versions_count_by_type_and_control(client: RegistryClient) -> None:
    spans = {"A": await client.adapter("A")}
    made = [
        await client.version("p", spans),
        await choices(client, "tone"),
        await choices(client, "Tone!"),
        await assertion(client),
        await choices(client, "tone"),
        await assertion(client),
        await client.version("p", spans),
    ]
    ids = [version.name.rpartition("/")[2] for version in made]
    assert ids[0] == "ner_p_v1"
    assert ids[1] == "classification_tone_p_v1"
    assert ids[2].startswith("classification_tone-")
    assert ids[2].endswith("_p_v1")
    assert ids[3:] == ["assertion_p_v1", "classification_tone_p_v2", "assertion_p_v2", "ner_p_v2"]
    assert [version.control for version in made[1:3]] == ["tone", "Tone!"]
    for version in made:
        assert await client.get_version(version.name) == version
    assert made[1].lineage.parameters == '{"engine":"ladder"}'
    assert await client.listed("p", control="tone") == [ids[4], ids[1]]
    assert await client.listed("p", model_type=ev.MODEL_TYPE_ASSERTION) == [ids[5], ids[3]]


async def test_a_repeat_is_one_of_the_same_control(client: RegistryClient) -> None:
    first = await choices(client, "tone", request_id="r")
    assert await choices(client, "tone", request_id="r") == first
    with refused(INVALID, Reason.REQUEST_ID_REUSED):
        await choices(client, "length", request_id="r")


async def test_adapters_stand_where_their_type_has_them(client: RegistryClient) -> None:
    tone = await client.adapter("tone", head=Head.CHOICES, classes=CLASSES)
    status = await client.adapter("assertion", head=Head.ASSERTION, classes=CLASSES)
    tags = await client.adapter("tone")
    kind = ev.MODEL_TYPE_CLASSIFICATION
    for adapters, model_type, control, field in (
        ({"tone": tone}, kind, "", "control"),
        ({"tone": tone}, kind, " tone", "control"),
        ({"tone": tone}, kind, "length", "adapters"),
        ({"tone": tone, "length": tone}, kind, "tone", "adapters"),
        ({"tone": tags}, kind, "tone", "adapters[tone]"),
        ({"tone": tone}, ev.MODEL_TYPE_NER, "", "adapters[tone]"),
        ({"tone": tags}, ev.MODEL_TYPE_NER, "tone", "control"),
        ({"assertion": status}, ev.MODEL_TYPE_ASSERTION, "tone", "control"),
        ({"tone": status}, ev.MODEL_TYPE_ASSERTION, "", "adapters"),
        ({"assertion": tone}, ev.MODEL_TYPE_ASSERTION, "", "adapters[assertion]"),
    ):
        with refused(INVALID, Reason.FIELD_INVALID, field=f"model_version.{field}"):
            await client.stub.CreateModelVersion(request(adapters, model_type, control))


async def test_a_deployment_holds_one_model_per_type_and_control(client: RegistryClient) -> None:
    (spans,) = await client.ready("p")
    names = [spans]
    for version in (
        await choices(client, "tone"),
        await choices(client, "length"),
        await assertion(client),
        await choices(client, "tone"),
    ):
        await client.verify(version.name)
        names.append(version.name)
    for name in names:
        deployment = await client.deploy(name)
    assert [(m.model_type, m.control, m.model_version) for m in deployment.models] == [
        (ev.MODEL_TYPE_ASSERTION, "", names[3]),
        (ev.MODEL_TYPE_CLASSIFICATION, "length", names[2]),
        (ev.MODEL_TYPE_CLASSIFICATION, "tone", names[4]),
        (ev.MODEL_TYPE_NER, "", names[0]),
    ]
    assert await client.deployment("p") == deployment
