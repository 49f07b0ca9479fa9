"""Training scripts over real servers: who may, what is kept, what a job gets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc import aio

from services.common.errors import Reason
from spanloop.annotation.v1 import member_service_pb2, member_service_pb2_grpc
from spanloop.trainer.v1 import trainer_service_pb2, training_script_service_pb2_grpc
from spanloop.trainer.v1 import training_script_service_pb2 as pb
from spanloop.trainer.v1.training_job_pb2 import TrainingFailureReason
from spanloop.trainer.v1.training_script_pb2 import ScriptLimits, TrainingScript
from tests.support import client_channel
from tests.support.registry import refused
from tests.support.trainer import Loop, TrainerClient, running_loop, state_of

INVALID = grpc.StatusCode.INVALID_ARGUMENT
CODE = b"print('made')\n"


@pytest.fixture
async def loop(tmp_path: Path) -> AsyncIterator[Loop]:
    async with running_loop(tmp_path) as made:
        yield made


class Scripts:
    """The stub, and the steps that most tests take; `metadata` says who calls."""

    def __init__(self, channel: aio.Channel, metadata: tuple[tuple[str, str], ...] = ()) -> None:
        self.stub = training_script_service_pb2_grpc.TrainingScriptServiceStub(channel)
        self.metadata = metadata

    async def create(
        self, content: bytes = CODE, request_id: str = "", **fields: object
    ) -> TrainingScript:
        answer = await self.stub.CreateTrainingScript(
            pb.CreateTrainingScriptRequest(
                parent="projects/p",
                training_script=TrainingScript(content=content, **fields),
                request_id=request_id,
            ),
            metadata=self.metadata,
        )
        return answer.training_script

    async def get(self, name: str) -> TrainingScript:
        request = pb.GetTrainingScriptRequest(name=name)
        answer = await self.stub.GetTrainingScript(request, metadata=self.metadata)
        return answer.training_script

    async def names(self) -> list[str]:
        request = pb.ListTrainingScriptsRequest(parent="projects/p")
        answer = await self.stub.ListTrainingScripts(request, metadata=self.metadata)
        assert not any(script.content for script in answer.training_scripts)
        return [script.name for script in answer.training_scripts]

    async def delete(self, name: str) -> None:
        request = pb.DeleteTrainingScriptRequest(name=name)
        await self.stub.DeleteTrainingScript(request, metadata=self.metadata)


@asynccontextmanager
async def serving(loop: Loop, **settings: object) -> AsyncIterator[tuple[Scripts, TrainerClient]]:
    """Run a trainer; the scripts are asked for with the shared token."""
    async with loop.trainer(**settings) as (client, server), client_channel(server) as channel:
        yield Scripts(channel), client


async def test_scripts_are_kept_listed_and_deleted(loop: Loop) -> None:
    await loop.annotation.project("p", "A")
    async with serving(loop, workers=0) as (scripts, _):
        limits = ScriptLimits(wall_seconds=60)
        first = await scripts.create(display_name="mine", limits=limits, request_id="r")
        assert first.digest.startswith("sha256:")
        assert (first.display_name, first.content) == ("mine", b"")
        assert (first.limits.wall_seconds, first.limits.memory_bytes) == (60, 8 * 1024**3)
        again = await scripts.create(display_name="mine", limits=limits, request_id="r")
        assert again == first
        with refused(INVALID, Reason.REQUEST_ID_REUSED):
            await scripts.create(b"print(2)", request_id="r")
        second = await scripts.create("print('ä')".encode())
        assert (await scripts.get(second.name)).content == "print('ä')".encode()
        assert await scripts.names() == [second.name, first.name]
        await scripts.delete(first.name)
        assert await scripts.names() == [second.name]
        for call in (scripts.get, scripts.delete):
            with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
                await call(first.name)
        other = second.name.replace("projects/p", "projects/q")
        with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
            await scripts.get(other)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"content": b""}, "content"),
        ({"content": b"x" * 1_000_001}, "content"),
        ({"content": b"\xff"}, "content"),
        ({"content": b"a\0"}, "content"),
        ({"display_name": "x" * 201}, "display_name"),
        ({"limits": ScriptLimits(wall_seconds=86_401)}, "limits.wall_seconds"),
        ({"limits": ScriptLimits(wall_seconds=-1)}, "limits.wall_seconds"),
        ({"limits": ScriptLimits(memory_bytes=1)}, "limits.memory_bytes"),
        ({"limits": ScriptLimits(file_bytes=-1)}, "limits.file_bytes"),
    ],
)
async def test_uploads_are_checked(loop: Loop, fields: dict[str, object], field: str) -> None:
    await loop.annotation.project("p", "A")
    async with serving(loop, workers=0) as (scripts, _):
        with refused(INVALID, Reason.FIELD_INVALID, field=f"training_script.{field}"):
            await scripts.create(**fields)  # type: ignore[arg-type]


async def member(loop: Loop, user: str, role: str) -> str:
    """Add a member; returns an access token of theirs."""
    stub = member_service_pb2_grpc.MemberServiceStub(loop.annotation.channel)
    await stub.CreateMember(
        member_service_pb2.CreateMemberRequest(
            parent="projects/p", member=member_service_pb2.Member(user=user, roles=[f"ROLE_{role}"])
        )
    )
    return await token_of(loop, user)


async def token_of(loop: Loop, user: str) -> str:
    stub = member_service_pb2_grpc.MemberServiceStub(loop.annotation.channel)
    answer = await stub.CreateAccessToken(
        member_service_pb2.CreateAccessTokenRequest(parent=f"users/{user}")
    )
    return str(answer.secret)


async def test_only_owners_add_and_delete_and_strangers_learn_nothing(loop: Loop) -> None:
    await loop.annotation.project("p", "A")
    tokens = {
        "olga": await member(loop, "olga", "OWNER"),
        "mike": await member(loop, "mike", "MANAGER"),
        "sam": await token_of(loop, "sam"),
    }
    async with (
        loop.trainer(workers=0) as (_, server),
        client_channel(server) as system,
        client_channel(server, token=tokens["olga"]) as olga,
        client_channel(server, token=tokens["mike"]) as mike,
        client_channel(server, token=tokens["sam"]) as sam,
        client_channel(server, token="slp_wrong") as wrong,
        client_channel(server, token="") as nobody,
    ):
        first = await Scripts(system).create()
        made = [
            await Scripts(system, (("spanloop-user", "olga"),)).create(),
            await Scripts(olga).create(),
        ]
        for manager in (Scripts(mike), Scripts(system, (("spanloop-user", "mike"),))):
            assert len(await manager.names()) == 3
            assert (await manager.get(first.name)).content == CODE
            for call in (manager.create(), manager.delete(first.name)):
                with refused(grpc.StatusCode.PERMISSION_DENIED, Reason.ACCESS_DENIED):
                    await call
        stranger = Scripts(sam)
        for call in (
            stranger.create(),
            stranger.names(),
            stranger.get(first.name),
            stranger.delete(first.name),
        ):
            with refused(
                *(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND), resource="projects/p"
            ):
                await call
        with refused(grpc.StatusCode.UNAUTHENTICATED, Reason.CREDENTIALS_INVALID):
            await Scripts(wrong).names()
        with refused(grpc.StatusCode.UNAUTHENTICATED, Reason.CREDENTIALS_MISSING):
            await Scripts(nobody).names()
        # A user's own token opens nothing else of the trainer.
        with refused(grpc.StatusCode.UNAUTHENTICATED, Reason.CREDENTIALS_INVALID):
            await TrainerClient(olga).stub.ListTrainingJobs(
                trainer_service_pb2.ListTrainingJobsRequest(parent="projects/p")
            )
        for script in made:
            await Scripts(olga).delete(script.name)


async def test_a_project_must_exist(loop: Loop) -> None:
    async with serving(loop, workers=0) as (scripts, _):
        with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
            await scripts.create()


async def test_a_job_gets_its_script_also_when_it_was_deleted(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    async with serving(loop, workers=0) as (scripts, client):
        script = await scripts.create(limits=ScriptLimits(wall_seconds=77))
        unused = await scripts.create()
        job = await client.create(snapshot, engine="script", script=script.name)
        assert job.script == script.name
        await scripts.delete(script.name)
        await scripts.delete(unused.name)
        for fields, field in (
            ({"engine": "script"}, "script"),
            ({"engine": "script", "script": unused.name}, "script"),
            ({"engine": "script", "script": "projects/q/trainingScripts/x"}, "script"),
            ({"engine": "ladder", "script": script.name}, "script"),
        ):
            with refused(INVALID, Reason.FIELD_INVALID, field=f"training_job.{field}"):
                await client.create(snapshot, **fields)
    loop.control_child(hold=1)
    async with serving(loop) as (scripts, client):
        await client.until(job.name, lambda job: job.progress.epoch == 1)
        (home,) = (loop.data / "trainer" / "jobs").iterdir()
        spec = json.loads((home / "spec.json").read_text())
        assert spec["script"]["limits"]["wall_seconds"] == 77
        assert spec["script"]["path"] == str(home / "script.py")
        assert (home / "script.py").read_bytes() == CODE
        assert not spec["fixed_trunk"]
        loop.control_child(hold=None)
        done = await client.end(job.name)
        assert state_of(done) == "DONE"
        # Now nothing names it any more.
        await loop.tidied()
        await scripts.create()
        assert len(await scripts.names()) == 1


async def test_a_failed_script_is_the_reason(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    loop.control_child(fail="SCRIPT_FAILED The script ended with exit status 3.")
    async with serving(loop) as (scripts, client):
        script = await scripts.create()
        job = await client.create(snapshot, engine="script", script=script.name)
        job = await client.end(job.name)
    assert state_of(job) == "FAILED"
    assert job.failure.reason == TrainingFailureReason.TRAINING_FAILURE_REASON_SCRIPT_FAILED
    assert "exit status 3" in job.failure.message
