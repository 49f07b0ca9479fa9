from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from services.common.errors import Reason
from spanloop.common.v1 import evaluation_pb2
from spanloop.registry.v1 import model_version_pb2 as mv
from spanloop.registry.v1 import registry_service_pb2 as pb
from tests.support.registry import (
    BAD,
    GOOD,
    TOKENIZER,
    RegistryClient,
    adapter_manifest,
    refused,
    registry,
    trunk_manifest,
    version_request,
)

INVALID = grpc.StatusCode.INVALID_ARGUMENT
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
ABSENT = "sha256:" + "0" * 64


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[RegistryClient]:
    async with registry(tmp_path) as found:
        yield found


async def test_version_keeps_what_it_was_given(client: RegistryClient) -> None:
    adapters = {"PARTY": await client.adapter("PARTY"), "DATE": await client.adapter("DATE")}
    request = version_request("contracts", adapters)
    version = (await client.stub.CreateModelVersion(request)).model_version
    assert version.name == "projects/contracts/modelVersions/ner_contracts_v1"
    assert version.number == 1
    assert version.adapters == adapters
    assert version.trunk_digest == trunk_manifest().digest
    measured = request.model_version.evaluation
    measured.splits[0].macro.SetInParent()  # nothing measured is zeros
    assert version.evaluation == measured
    assert version.lineage == request.model_version.lineage
    assert version.state == mv.MODEL_VERSION_STATE_REGISTERED
    assert not version.HasField("parity")
    assert version.etag
    assert await client.get_version(version.name) == version


async def test_numbers_count_per_project(client: RegistryClient) -> None:
    adapters = {"A": await client.adapter("A")}
    names = [(await client.version(p, adapters)).name for p in ("a", "b", "a", "a_v1")]
    assert [name.rpartition("/")[2] for name in names] == [
        "ner_a_v1",
        "ner_b_v1",
        "ner_a_v2",
        "ner_a_v1_v1",
    ]


async def test_twenty_at_once_leave_no_gap(client: RegistryClient) -> None:
    adapters = {"A": await client.adapter("A")}
    made = await asyncio.gather(*(client.version("p", adapters) for _ in range(20)))
    assert sorted(version.number for version in made) == list(range(1, 21))
    listed = await client.stub.ListModelVersions(pb.ListModelVersionsRequest(parent="projects/p"))
    assert [version.number for version in listed.model_versions] == list(range(20, 0, -1))


async def test_two_servers_on_one_database_leave_no_gap(tmp_path: Path) -> None:
    async with registry(tmp_path) as one, registry(tmp_path) as other:
        adapters = {"A": await one.adapter("A")}
        calls = [c.version("p", adapters) for _ in range(10) for c in (one, other)]
        made = await asyncio.gather(*calls)
    assert sorted(version.number for version in made) == list(range(1, 21))


async def test_repeats_return_the_first_version(client: RegistryClient) -> None:
    adapters = {"A": await client.adapter("A")}
    job = "projects/p/trainingJobs/j1"
    made = await asyncio.gather(*(client.version("p", adapters, job) for _ in range(10)))
    assert {version.name for version in made} == {"projects/p/modelVersions/ner_p_v1"}
    # what follows from the adapters is no other request
    request = version_request("p", adapters, request_id=job)
    request.model_version.lineage.code_version = "later"
    again = (await client.stub.CreateModelVersion(request)).model_version
    assert again == made[0]
    assert (await client.version("q", adapters, job)).name.endswith("ner_q_v1")
    with refused(INVALID, Reason.REQUEST_ID_REUSED):
        await client.version("p", {"B": await client.adapter("B")}, job)
    with refused(INVALID, Reason.FIELD_INVALID, field="request_id"):
        await client.version("p", adapters, "x" * 101)


async def test_repeat_after_verification_shows_the_state(client: RegistryClient) -> None:
    adapters = {"A": await client.adapter("A")}
    first = await client.version("p", adapters, "job")
    await client.verify(first.name)
    assert (await client.version("p", adapters, "job")).state == mv.MODEL_VERSION_STATE_READY


async def test_adapters_must_fit(client: RegistryClient) -> None:
    good = await client.adapter("A")
    with refused(PRECONDITION, Reason.STATE_CONFLICT, label="B", digest=ABSENT):
        await client.version("p", {"A": good, "B": ABSENT})
    with refused(INVALID, Reason.FIELD_INVALID, field="model_version.adapters[B]"):
        await client.version("p", {"B": good})
    other = trunk_manifest(source="local")
    await client.upload(TOKENIZER)
    await client.trunk(other)
    foreign = await client.register_adapter(adapter_manifest("C", trunk=other))
    with refused(INVALID, Reason.FIELD_INVALID, field="model_version.adapters"):
        await client.version("p", {"A": good, "C": foreign.digest})
    # nothing of this used up a number
    assert (await client.version("p", {"A": good})).number == 1


async def test_bad_fields(client: RegistryClient) -> None:
    adapters = {"A": await client.adapter("A")}

    async def create(field: str, change: pb.CreateModelVersionRequest) -> None:
        with refused(INVALID, Reason.FIELD_INVALID, field=field):
            await client.stub.CreateModelVersion(change)

    for parent in ("", "p", "projects/", "projects/-", "projects/P", "projects/" + "a" * 64):
        request = version_request("p", adapters)
        request.parent = parent
        await create("parent", request)
    request = version_request("p", adapters)
    request.model_version.model_type = evaluation_pb2.MODEL_TYPE_UNSPECIFIED
    await create("model_version.model_type", request)
    await create("model_version.adapters", version_request("p", {}))
    await create("model_version.adapters", version_request("p", {"a\nb": adapters["A"]}))
    await create("model_version.adapters[A]", version_request("p", {"A": "sha1:1"}))
    request = version_request("p", adapters)
    request.model_version.evaluation.splits[0].micro.f1 = math.nan
    await create("model_version.evaluation.splits[0].micro.f1", request)
    request = version_request("p", adapters)
    request.model_version.evaluation.splits[0].split = evaluation_pb2.SPLIT_UNSPECIFIED
    await create("model_version.evaluation.splits[0].split", request)
    request = version_request("p", adapters)
    request.model_version.evaluation.splits.append(request.model_version.evaluation.splits[0])
    await create("model_version.evaluation.splits", request)
    request = version_request("p", adapters)
    request.model_version.lineage.training_job = "a\0b"
    await create("model_version.lineage.training_job", request)


async def test_good_parity_makes_it_ready(client: RegistryClient) -> None:
    made = await client.version("p", {"A": await client.adapter("A")})
    ready = await client.verify(made.name)
    assert ready.state == mv.MODEL_VERSION_STATE_READY
    assert ready.parity == GOOD
    assert ready.failure_message == ""
    assert ready.etag != made.etag
    assert await client.verify(made.name) == ready
    with refused(PRECONDITION, Reason.STATE_CONFLICT, state="READY"):
        await client.verify(made.name, BAD)
    assert await client.get_version(made.name) == ready


@pytest.mark.parametrize(
    "parity",
    [
        BAD,
        mv.ParityReport(),
        mv.ParityReport(max_abs_diff=math.nan, texts=3),
        mv.ParityReport(max_abs_diff=math.inf, texts=3),
    ],
)
async def test_bad_parity_makes_it_failed(client: RegistryClient, parity: mv.ParityReport) -> None:
    made = await client.version("p", {"A": await client.adapter("A")})
    failed = await client.verify(made.name, parity)
    assert failed.state == mv.MODEL_VERSION_STATE_FAILED
    assert failed.failure_message.startswith("Parity of training and serving failed")
    assert str(failed.parity) == str(parity)
    assert str(await client.verify(made.name, parity)) == str(failed)
    with refused(PRECONDITION, Reason.STATE_CONFLICT, state="FAILED"):
        await client.verify(made.name, GOOD)
    with refused(PRECONDITION, Reason.STATE_CONFLICT, state="FAILED"):
        await client.retire(made.name)
    with refused(PRECONDITION, Reason.MODEL_VERSION_NOT_READY, state="FAILED"):
        await client.deploy(made.name)


async def test_one_of_two_different_reports_decides(client: RegistryClient) -> None:
    made = await client.version("p", {"A": await client.adapter("A")})
    results = await asyncio.gather(
        *(client.verify(made.name, parity) for parity in [GOOD, BAD] * 5), return_exceptions=True
    )
    states = {r.state for r in results if isinstance(r, mv.ModelVersion)}
    assert len(states) == 1
    assert sum(isinstance(r, grpc.aio.AioRpcError) for r in results) == 5


async def test_bad_reports(client: RegistryClient) -> None:
    made = await client.version("p", {"A": await client.adapter("A")})
    with refused(INVALID, Reason.FIELD_INVALID, field="parity"):
        await client.stub.VerifyModelVersion(pb.VerifyModelVersionRequest(name=made.name))
    for field, parity in (
        ("parity.max_abs_diff", mv.ParityReport(max_abs_diff=-1, texts=1)),
        ("parity.texts", mv.ParityReport(texts=-1)),
        ("parity.span_mismatches", mv.ParityReport(texts=1, span_mismatches=2)),
    ):
        with refused(INVALID, Reason.FIELD_INVALID, field=field):
            await client.verify(made.name, parity)
    assert (await client.get_version(made.name)).state == mv.MODEL_VERSION_STATE_REGISTERED


async def test_retirement(client: RegistryClient) -> None:
    first, second = await client.ready("p", count=2)
    made = await client.get_version(first)
    await client.deploy(first)
    with refused(
        PRECONDITION, Reason.STATE_CONFLICT, resource=first, deployment="projects/p/deployment"
    ):
        await client.retire(first)
    await client.deploy(second)
    with refused(grpc.StatusCode.ABORTED, Reason.ETAG_MISMATCH):
        await client.retire(first, etag="0")
    retired = await client.retire(first, etag=made.etag)
    assert retired.state == mv.MODEL_VERSION_STATE_RETIRED
    assert retired.etag != made.etag
    with refused(PRECONDITION, Reason.STATE_CONFLICT, state="RETIRED"):
        await client.retire(first)
    with refused(PRECONDITION, Reason.MODEL_VERSION_NOT_READY, state="RETIRED"):
        await client.deploy(first)
    with refused(PRECONDITION, Reason.MODEL_VERSION_NOT_READY, resource=first):
        await client.rollback("p")
    assert (await client.deployment("p")).revision == 2


async def test_registered_versions_are_neither_retired_nor_deployed(
    client: RegistryClient,
) -> None:
    made = await client.version("p", {"A": await client.adapter("A")})
    with refused(PRECONDITION, Reason.STATE_CONFLICT, state="REGISTERED"):
        await client.retire(made.name)
    with refused(PRECONDITION, Reason.MODEL_VERSION_NOT_READY, state="REGISTERED"):
        await client.deploy(made.name)


async def test_no_version_is_deployed_and_retired_at_once(tmp_path: Path) -> None:
    async with registry(tmp_path) as one, registry(tmp_path) as other:
        for name in await one.ready("p", count=12):
            outcome = await asyncio.gather(
                one.deploy(name), other.retire(name), return_exceptions=True
            )
            version = await one.get_version(name)
            deployed = not isinstance(outcome[0], BaseException)
            assert deployed == (version.state == mv.MODEL_VERSION_STATE_READY)
            assert deployed == isinstance(outcome[1], grpc.aio.AioRpcError)


async def test_list_pages_and_filters(client: RegistryClient) -> None:
    names = await client.ready("p", count=5)
    await client.retire(names[0])
    registered = (await client.version("p", {"A": await client.adapter("A")})).name
    await client.ready("q")

    async def listed(**request: object) -> tuple[list[str], str]:
        answer = await client.stub.ListModelVersions(
            pb.ListModelVersionsRequest(parent="projects/p", **request)
        )
        return [version.name for version in answer.model_versions], answer.next_page_token

    everything = [registered, *reversed(names)]
    assert await listed() == (everything, "")
    first, token = await listed(page_size=4)
    second, end = await listed(page_size=4, page_token=token)
    assert (first + second, end) == (everything, "")
    ready = [mv.MODEL_VERSION_STATE_READY]
    assert await listed(states=ready) == (names[:0:-1], "")
    assert await listed(states=[*ready, mv.MODEL_VERSION_STATE_RETIRED]) == (names[::-1], "")
    with refused(INVALID, Reason.PAGE_TOKEN_INVALID):
        await listed(page_token=token, states=ready)
    with refused(INVALID, Reason.FIELD_INVALID, field="states"):
        await listed(states=[mv.MODEL_VERSION_STATE_UNSPECIFIED])
    with refused(INVALID, Reason.FIELD_INVALID, field="states"):
        await listed(states=[99])


async def test_unknown_versions(client: RegistryClient) -> None:
    await client.ready("p")
    for name in (
        "projects/p/modelVersions/ner_p_v2",
        "projects/p/modelVersions/ner_q_v1",
        "projects/q/modelVersions/ner_p_v1",
        "projects/p/modelVersions/NER:anything",
    ):
        unknown = grpc.StatusCode.NOT_FOUND, Reason.MODEL_VERSION_UNKNOWN
        with refused(*unknown, resource=name):
            await client.get_version(name)
        with refused(*unknown):
            await client.verify(name)
        with refused(*unknown):
            await client.retire(name)
        with refused(*unknown):
            await client.deploy(name)
    for name in ("", "projects/p", "projects/P/modelVersions/v", "projects/p/modelVersions/a/b"):
        with refused(INVALID, Reason.FIELD_INVALID, field="name"):
            await client.get_version(name)
        with refused(INVALID, Reason.FIELD_INVALID, field="model_version"):
            await client.deploy(name)
