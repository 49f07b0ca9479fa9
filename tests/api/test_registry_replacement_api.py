"""Versions that take the place of others, when a project does not count its versions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from services.common.blobs import digest_of
from services.common.errors import Reason
from services.common.store.port import Index
from services.common.store.sqlite import SqliteStore
from services.registry.domain import ParityReport, VersionState
from services.registry.repository import COLLECTIONS, VersionDocuments
from spanloop.common.v1 import evaluation_pb2
from spanloop.registry.v1 import model_version_pb2 as mv
from tests.support.registry import BAD, RegistryClient, refused, registry


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[RegistryClient]:
    async with registry(tmp_path) as found:
        yield found


async def replaced(client: RegistryClient, request_id: str = "") -> str:
    """Make a READY version that takes the newest one's place; return its id."""
    adapters = {"A": await client.adapter("A")}
    version = await client.version("p", adapters, request_id, replace_newest=True)
    return (await client.verify(version.name)).name.rpartition("/")[2]


async def test_a_replacement_takes_the_place_and_destroys_nothing(client: RegistryClient) -> None:
    (first,) = await client.ready("p", "A")
    deployed = await client.deploy(first)
    assert await replaced(client) == "ner_p_v1_r1"
    new = await client.get_version("projects/p/modelVersions/ner_p_v1_r1")
    assert (new.number, new.replacement, new.replaced_by) == (1, 1, "")
    old = await client.get_version(first)
    assert old.replaced_by == new.name
    assert old.state == mv.MODEL_VERSION_STATE_READY
    assert await client.listed("p") == ["ner_p_v1_r1"]
    assert await client.listed("p", show_replaced=True) == ["ner_p_v1_r1", "ner_p_v1"]
    # it serves on, its artifacts are there, and it can be deployed again
    assert await client.deployment("p") == deployed
    assert await client.download(digest_of(b"weights")) == b"weights"
    await client.deploy(new.name)
    back = await client.deploy(first)
    assert back.models[0].model_version == first


async def test_the_count_goes_on_when_versions_are_counted_again(client: RegistryClient) -> None:
    await client.ready("p", "A", 2)
    assert [await replaced(client) for _ in range(3)] == [
        "ner_p_v2_r1",
        "ner_p_v2_r2",
        "ner_p_v2_r3",
    ]
    assert await client.listed("p") == ["ner_p_v2_r3", "ner_p_v1"]
    (third,) = await client.ready("p", "A")
    assert third.endswith("/ner_p_v3")
    assert await replaced(client) == "ner_p_v3_r1"
    assert await client.listed("p") == ["ner_p_v3_r1", "ner_p_v2_r3", "ner_p_v1"]


async def test_without_an_earlier_version_it_counts_on(client: RegistryClient) -> None:
    assert await replaced(client) == "ner_p_v1"
    assert await replaced(client) == "ner_p_v1_r1"


async def test_a_version_that_fails_takes_nobodys_place(client: RegistryClient) -> None:
    (first,) = await client.ready("p", "A")
    adapters = {"A": await client.adapter("A")}
    bad = await client.version("p", adapters, replace_newest=True)
    assert (await client.get_version(first)).replaced_by == ""
    await client.verify(bad.name, BAD)
    assert (await client.get_version(first)).replaced_by == ""
    assert await client.listed("p", states=[mv.MODEL_VERSION_STATE_READY]) == ["ner_p_v1"]
    assert await replaced(client) == "ner_p_v1_r2"
    assert await client.listed("p") == ["ner_p_v1_r2"]


async def test_a_repeat_makes_no_second_replacement(client: RegistryClient) -> None:
    await client.ready("p", "A")
    made = await asyncio.gather(*(replaced(client, "job") for _ in range(5)))
    assert set(made) == {"ner_p_v1_r1"}


async def test_many_at_once_leave_one_in_place(client: RegistryClient) -> None:
    await client.ready("p", "A")
    made = await asyncio.gather(*(replaced(client) for _ in range(8)))
    assert sorted(made) == [f"ner_p_v1_r{n}" for n in range(1, 9)]
    assert await client.listed("p") == ["ner_p_v1_r8"]


async def test_what_a_dead_process_left_is_finished(tmp_path: Path) -> None:
    """READY is written, and the process dies before the old version is marked."""
    async with registry(tmp_path) as client:
        (first,) = await client.ready("p", "A")
        adapters = {"A": await client.adapter("A")}
        new = await client.version("p", adapters, replace_newest=True)
    store = SqliteStore(tmp_path / "registry" / "registry.db")
    await store.open(COLLECTIONS)
    versions = VersionDocuments(store)
    found = await versions.get("p", "ner_p_v1_r1")
    assert found is not None
    report = ParityReport(max_abs_diff=0.0, texts=1, span_mismatches=0)
    assert await versions.verified(found, VersionState.READY, report, "", now=1, actor="")
    await store.close()
    async with registry(tmp_path) as client:
        assert (await client.get_version(first)).replaced_by == new.name
        assert await client.listed("p") == ["ner_p_v1_r1"]


async def test_lists_are_filtered_by_type(client: RegistryClient) -> None:
    await client.ready("p", "A")
    assert await client.listed("p", model_type=evaluation_pb2.MODEL_TYPE_NER) == ["ner_p_v1"]
    assert await client.listed("p", control="topic") == []
    with refused(grpc.StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, field="model_type"):
        await client.listed("p", model_type=99)


def test_the_unique_numbers_of_the_first_release_are_dropped() -> None:
    (versions,) = [c for c in COLLECTIONS if c.name == "model_versions"]
    assert versions.dropped == (Index(fields=("project", "model_type", "number"), unique=True),)
