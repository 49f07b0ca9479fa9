"""Aliases: names of versions that move."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from services.common.errors import Reason
from spanloop.registry.v1 import registry_service_pb2 as pb
from spanloop.registry.v1.model_alias_pb2 import ModelAlias
from tests.support.registry import RegistryClient, refused, registry

INVALID = grpc.StatusCode.INVALID_ARGUMENT
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
ABORTED = grpc.StatusCode.ABORTED
NOT_FOUND = grpc.StatusCode.NOT_FOUND
VERSIONS = "projects/p/modelVersions"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[RegistryClient]:
    async with registry(tmp_path) as found:
        yield found


async def test_built_in_aliases_follow_the_deployment(client: RegistryClient) -> None:
    assert await client.aliases("p") == {}
    with refused(NOT_FOUND, Reason.MODEL_VERSION_UNKNOWN):
        await client.get_version(f"{VERSIONS}/ner@champion")
    one, two, three = await client.ready("p", count=3)
    await client.deploy(one)
    assert await client.aliases("p") == {"ner@champion": "ner_p_v1"}
    with refused(NOT_FOUND, Reason.MODEL_VERSION_UNKNOWN):
        await client.get_version(f"{VERSIONS}/ner@previous")
    await client.deploy(two)
    await client.deploy(two)
    await client.pin("p", "PARTY", three)
    assert await client.aliases("p") == {"ner@champion": "ner_p_v2", "ner@previous": "ner_p_v1"}
    await client.deploy(three)
    assert (await client.get_version(f"{VERSIONS}/ner@champion")).name == three
    assert (await client.get_version(f"{VERSIONS}/ner@previous")).name == two
    await client.rollback("p", revision=1)
    assert await client.aliases("p") == {"ner@champion": "ner_p_v1", "ner@previous": "ner_p_v3"}
    answer = await client.stub.ListModelAliases(pb.ListModelAliasesRequest(parent="projects/p"))
    moved = await client.deployment("p")
    for alias in answer.model_aliases:
        assert alias.built_in
        assert (alias.update_time, alias.actor, alias.etag) == (moved.create_time, "system", "")


async def test_an_alias_is_taken_for_a_version(client: RegistryClient) -> None:
    one, two = await client.ready("p", count=2)
    made = await client.set_alias(f"{VERSIONS}/ner@staging", two)
    assert (made.model_version, made.actor, made.built_in) == (two, "system", False)
    assert made.update_time.seconds > 0
    assert (await client.get_version(made.name)).name == two
    moved = await client.deploy(made.name)
    assert [model.model_version for model in moved.models] == [two]
    await client.deploy(one)
    pinned = await client.pin("p", "PARTY", made.name)
    assert [pin.model_version for pin in pinned.pins] == [two]
    stable = await client.set_alias(f"{VERSIONS}/ner@stable", f"{VERSIONS}/ner@champion")
    assert stable.model_version == one
    await client.deploy(two)  # the alias meant what champion was then
    assert (await client.get_version(stable.name)).name == one
    for call in (client.retire(made.name), client.verify(made.name)):
        with refused(INVALID, Reason.FIELD_INVALID, field="name"):  # changes name versions only
            await call


async def test_changes_carry_etags(client: RegistryClient) -> None:
    one, two = await client.ready("p", count=2)
    name = f"{VERSIONS}/ner@staging"
    with refused(ABORTED, Reason.ETAG_MISMATCH):
        await client.set_alias(name, one, etag="1")  # there is none to send yet
    made = await client.set_alias(name, one)
    assert await client.set_alias(name, one) == made  # nothing to change
    moved = await client.set_alias(name, two, etag=made.etag)
    assert moved.etag != made.etag
    with refused(ABORTED, Reason.ETAG_MISMATCH):
        await client.set_alias(name, one, etag=made.etag)
    with refused(ABORTED, Reason.ETAG_MISMATCH):
        await client.delete_alias(name, made.etag)
    await client.delete_alias(name, moved.etag)
    with refused(NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await client.delete_alias(name)
    with refused(NOT_FOUND, Reason.MODEL_VERSION_UNKNOWN):
        await client.get_version(name)


async def test_of_many_with_one_etag_one_wins(tmp_path: Path) -> None:
    async with registry(tmp_path) as one, registry(tmp_path) as other:
        names = await one.ready("p", count=8)
        alias = f"{VERSIONS}/ner@staging"
        first = await one.set_alias(alias, names[0])
        results = await asyncio.gather(
            *(
                (one, other)[n % 2].set_alias(alias, name, etag=first.etag)
                for n, name in enumerate(names[1:])
            ),
            return_exceptions=True,
        )
        (winner,) = [result for result in results if isinstance(result, ModelAlias)]
        assert {r.code() for r in results if isinstance(r, grpc.aio.AioRpcError)} == {ABORTED}
        assert (await other.get_version(alias)).name == winner.model_version


async def test_a_named_version_is_not_retired_and_a_retired_one_not_named(
    client: RegistryClient,
) -> None:
    one, two = await client.ready("p", count=2)
    alias = f"{VERSIONS}/ner@gold"
    await client.set_alias(alias, one)
    with refused(PRECONDITION, Reason.STATE_CONFLICT, resource=one, alias=alias):
        await client.retire(one)
    await client.set_alias(alias, two)
    await client.retire(one)
    with refused(PRECONDITION, Reason.MODEL_VERSION_NOT_READY, state="RETIRED"):
        await client.set_alias(alias, one)


@pytest.mark.parametrize(
    "id",
    ["ner_p_v1", "ner@", "@a", "ner@Gold", "ner@1", "x@gold", "ner@a@b", "ner@champion",
     "ner@previous", "classification_@a", "ner@" + "a" * 64],
)  # fmt: skip
async def test_names_that_no_alias_has(client: RegistryClient, id: str) -> None:
    (name,) = await client.ready("p")
    with refused(INVALID, Reason.FIELD_INVALID, field="model_alias.name"):
        await client.set_alias(f"{VERSIONS}/{id}", name)


async def test_an_alias_stays_in_its_line_and_project(client: RegistryClient) -> None:
    (name,) = await client.ready("p")
    (foreign,) = await client.ready("q")
    for alias, version in (("assertion@gold", name), ("ner@gold", foreign)):
        with refused(INVALID, Reason.FIELD_INVALID, field="model_alias.model_version"):
            await client.set_alias(f"{VERSIONS}/{alias}", version)
    await client.set_alias(f"{VERSIONS}/ner@gold", name)
    with refused(NOT_FOUND, Reason.MODEL_VERSION_UNKNOWN):
        await client.get_version("projects/q/modelVersions/ner@gold")


async def test_aliases_are_paged_and_bounded(
    client: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.registry.handlers.aliases.MAX_ALIASES", 5)
    (name,) = await client.ready("p")
    await client.deploy(name)
    for letter in "edcba":
        await client.set_alias(f"{VERSIONS}/ner@{letter}", name)
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.REQUEST_TOO_LARGE):
        await client.set_alias(f"{VERSIONS}/ner@f", name)
    found: list[str] = []
    token = ""
    while True:
        answer = await client.stub.ListModelAliases(
            pb.ListModelAliasesRequest(parent="projects/p", page_size=2, page_token=token)
        )
        found += [alias.name.partition("@")[2] for alias in answer.model_aliases]
        token = answer.next_page_token
        if not token:
            break
    assert found == ["a", "b", "c", "champion", "d", "e"]
    with refused(INVALID, Reason.PAGE_TOKEN_INVALID):
        await client.stub.ListModelAliases(
            pb.ListModelAliasesRequest(parent="projects/p", page_token="nonsense")
        )
