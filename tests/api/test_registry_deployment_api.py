from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from services.common.errors import Reason
from spanloop.registry.v1 import deployment_pb2 as dp
from spanloop.registry.v1 import registry_service_pb2 as pb
from tests.support.registry import RegistryClient, refused, registry, trunk_manifest

INVALID = grpc.StatusCode.INVALID_ARGUMENT
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
ABORTED = grpc.StatusCode.ABORTED


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[RegistryClient]:
    async with registry(tmp_path) as found:
        yield found


def served(deployment: dp.Deployment) -> list[str]:
    return [model.model_version for model in deployment.models]


async def test_deploy_points_at_a_version(client: RegistryClient) -> None:
    with refused(PRECONDITION, Reason.NOTHING_DEPLOYED, resource="projects/p/deployment"):
        await client.deployment("p")
    first, second = await client.ready("p", count=2)
    version = await client.get_version(first)
    made = await client.deploy(first)
    assert made.name == "projects/p/deployment"
    assert (made.revision, made.action) == (1, dp.DEPLOYMENT_ACTION_DEPLOY)
    assert made.restored_revision == 0
    (model,) = made.models
    assert model.model_version == first
    assert (model.trunk_digest, model.adapters) == (trunk_manifest().digest, version.adapters)
    assert made.create_time.seconds > 0
    assert await client.deployment("p") == made
    moved = await client.deploy(second, etag=made.etag)
    assert (moved.revision, served(moved)) == (2, [second])
    assert moved.etag != made.etag
    assert await client.revisions("p") == [made, moved]


async def test_outdated_etags_are_aborted(client: RegistryClient) -> None:
    (name,) = await client.ready("p")
    with refused(ABORTED, Reason.ETAG_MISMATCH, resource="projects/p/deployment"):
        await client.deploy(name, etag="1")  # there is none to send yet
    first = await client.deploy(name)
    await client.deploy(name, etag=first.etag)
    with refused(ABORTED, Reason.ETAG_MISMATCH):
        await client.deploy(name, etag=first.etag)
    with refused(ABORTED, Reason.ETAG_MISMATCH):
        await client.rollback("p", etag=first.etag)
    assert (await client.deployment("p")).revision == 2


async def test_of_twenty_with_one_etag_one_wins(tmp_path: Path) -> None:
    async with registry(tmp_path) as one, registry(tmp_path) as other:
        names = await one.ready("p", count=20)
        first = await one.deploy(names[0])
        results = await asyncio.gather(
            *((one, other)[n % 2].deploy(name, etag=first.etag) for n, name in enumerate(names)),
            return_exceptions=True,
        )
        (winner,) = [r for r in results if isinstance(r, dp.Deployment)]
        assert winner.revision == 2
        lost = [r for r in results if isinstance(r, grpc.aio.AioRpcError)]
        assert {error.code() for error in lost} == {ABORTED}
        assert await other.deployment("p") == winner
        assert await one.revisions("p") == [first, winner]


async def test_without_etag_all_succeed_one_after_the_other(tmp_path: Path) -> None:
    async with registry(tmp_path) as one, registry(tmp_path) as other:
        (name,) = await one.ready("p")
        (foreign,) = await one.ready("q")
        made = await asyncio.gather(
            *(
                client.deploy(version)
                for _ in range(10)
                for client in (one, other)
                for version in (name, foreign)
            )
        )
        for project in ("p", "q"):
            own = [d.revision for d in made if d.name == f"projects/{project}/deployment"]
            assert sorted(own) == list(range(1, 21))
            kept = await other.revisions(project)
            assert [d.revision for d in kept] == list(range(1, 21))


async def test_repeats_return_the_first_answer(client: RegistryClient) -> None:
    first, second = await client.ready("p", count=2)
    made = await asyncio.gather(*(client.deploy(first, request_id="r1") for _ in range(8)))
    assert {deployment.revision for deployment in made} == {1}
    await client.deploy(second)
    # even though the etag is outdated by now
    assert await client.deploy(first, etag="0", request_id="r1") == made[0]
    with refused(INVALID, Reason.REQUEST_ID_REUSED):
        await client.deploy(second, request_id="r1")
    back = await client.rollback("p", request_id="r1")  # an id counts for its method only
    assert await client.rollback("p", request_id="r1") == back
    assert back.revision == 3
    with refused(INVALID, Reason.REQUEST_ID_REUSED):
        await client.rollback("p", 1, request_id="r1")
    with refused(INVALID, Reason.FIELD_INVALID, field="request_id"):
        await client.deploy(first, request_id="r" * 101)
    assert len(await client.revisions("p")) == 3


async def test_rollback_to_what_differs(client: RegistryClient) -> None:
    with refused(PRECONDITION, Reason.NOTHING_DEPLOYED):
        await client.rollback("p")
    one, two = await client.ready("p", count=2)
    await client.deploy(one)
    with refused(PRECONDITION, Reason.NOTHING_TO_ROLL_BACK):
        await client.rollback("p")
    await client.deploy(two)
    await client.deploy(two)
    back = await client.rollback("p")
    assert (back.revision, served(back)) == (4, [one])
    assert (back.action, back.restored_revision) == (dp.DEPLOYMENT_ACTION_ROLLBACK, 1)
    forth = await client.rollback("p")
    assert (served(forth), forth.restored_revision) == ([two], 3)
    named = await client.rollback("p", revision=4, etag=forth.etag)
    assert (served(named), named.restored_revision) == ([one], 4)
    assert await client.deployment("p") == named
    for revision in (6, 7, 2**40):
        with refused(PRECONDITION, Reason.NOTHING_TO_ROLL_BACK):
            await client.rollback("p", revision=revision)
    with refused(INVALID, Reason.FIELD_INVALID, field="revision"):
        await client.rollback("p", revision=-1)


async def test_rollback_looks_far_back(client: RegistryClient) -> None:
    one, two = await client.ready("p", count=2)
    await client.deploy(one)
    for _ in range(25):
        await client.deploy(two)
    assert (await client.rollback("p")).restored_revision == 1


async def test_revisions_are_paged_newest_first(client: RegistryClient) -> None:
    (name,) = await client.ready("p")
    for _ in range(5):
        await client.deploy(name)

    async def listed(size: int, token: str = "") -> pb.ListDeploymentRevisionsResponse:
        return await client.stub.ListDeploymentRevisions(
            pb.ListDeploymentRevisionsRequest(
                name="projects/p/deployment", page_size=size, page_token=token
            )
        )

    first = await listed(2)
    assert [d.revision for d in first.deployments] == [5, 4]
    rest = await listed(0, first.next_page_token)
    assert [d.revision for d in rest.deployments] == [3, 2, 1]
    assert rest.next_page_token == ""
    with refused(INVALID, Reason.PAGE_TOKEN_INVALID):
        await listed(2, "nonsense")
    with refused(INVALID, Reason.FIELD_INVALID, field="page_size"):
        await listed(-1)
    empty = await client.stub.ListDeploymentRevisions(
        pb.ListDeploymentRevisionsRequest(name="projects/none/deployment")
    )
    assert not empty.deployments


async def test_names(client: RegistryClient) -> None:
    for name in ("", "projects/p", "projects/-/deployment", "projects/P/deployment"):
        with refused(INVALID, Reason.FIELD_INVALID, field="name"):
            await client.stub.GetDeployment(pb.GetDeploymentRequest(name=name))
        with refused(INVALID, Reason.FIELD_INVALID, field="name"):
            await client.stub.Rollback(pb.RollbackRequest(name=name))
        with refused(INVALID, Reason.FIELD_INVALID, field="name"):
            await client.stub.ListDeploymentRevisions(pb.ListDeploymentRevisionsRequest(name=name))
