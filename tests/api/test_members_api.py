"""Members on the real server: creations repeated, members added again; docs/roles.md runs."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import grpc

from services.annotation.bootstrap import build
from services.common.errors import Reason
from spanloop.annotation.v1 import annotation_service_pb2
from spanloop.annotation.v1 import member_service_pb2 as pb
from tests.support import client_channel, running
from tests.support.annotation import (
    AnnotationClient,
    annotation,
    annotation_settings,
    kind,
    refused,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "roles.md"
ALICE = [("spanloop-user", "alice")]


async def test_a_creation_repeated_by_who_was_removed(tmp_path: Path) -> None:
    async with annotation(tmp_path) as client:
        request = annotation_service_pb2.CreateProjectRequest(project_id="p", request_id="r-1")
        first = await client.stub.CreateProject(request, metadata=ALICE)
        assert await client.stub.CreateProject(request, metadata=ALICE) == first
        await client.members.CreateMember(
            pb.CreateMemberRequest(
                parent="projects/p", member=pb.Member(user="bob", roles=[pb.ROLE_OWNER])
            ),
            metadata=ALICE,
        )
        await client.members.DeleteMember(
            pb.DeleteMemberRequest(name="projects/p/members/alice"),
            metadata=[("spanloop-user", "bob")],
        )
        for _ in range(2):
            with refused(
                grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND, resource="projects/p"
            ):
                await client.stub.CreateProject(request, metadata=ALICE)
            with refused(
                grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND, resource="projects/p"
            ):
                await client.stub.GetProject(
                    annotation_service_pb2.GetProjectRequest(name="projects/p"), metadata=ALICE
                )
        listed = await client.members.ListMembers(pb.ListMembersRequest(parent="projects/p"))
        assert [one.user for one in listed.members] == ["bob"]


async def test_each_change_of_a_member_is_told_once(tmp_path: Path) -> None:
    async with annotation(tmp_path) as client:
        await client.project("p")
        add = pb.CreateMemberRequest(
            parent="projects/p", member=pb.Member(user="ann", roles=[pb.ROLE_ANNOTATOR], priority=4)
        )
        for _ in range(2):
            made = (await client.members.CreateMember(add)).member
            change = pb.UpdateMemberRequest(
                member=pb.Member(name=made.name, etag=made.etag, priority=5)
            )
            change.update_mask.paths.append("priority")
            await client.members.UpdateMember(change)
            with refused(grpc.StatusCode.ABORTED, Reason.ETAG_MISMATCH):
                await client.members.UpdateMember(change)
            await client.members.DeleteMember(pb.DeleteMemberRequest(name=made.name))
        told = await client.events("projects/p", 7)
        assert [kind(one) for one in told] == [
            "PROJECT_CREATED",
            *["MEMBER_ADDED", "MEMBER_UPDATED", "MEMBER_REMOVED"] * 2,
        ]


async def test_the_commands_and_the_program_of_the_page_work(tmp_path: Path) -> None:
    blocks = re.findall(
        r"^```(sh|python)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    commands = [
        command
        for language, content in blocks
        for command in (
            [["bash", "-e", "-c", content]]
            if language == "sh"
            else [[sys.executable, "-c", content]]
        )
    ]
    assert len(commands) == 3
    said = ""
    async with running(annotation_settings(tmp_path), build) as server:
        async with client_channel(server) as channel:
            await AnnotationClient(channel).project("contracts")
        env = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "COLUMNS": "120",
            "SPANLOOP_TOKEN": server.token,
            "SPANLOOP_ANNOTATION_ADDRESS": server.address,
        }
        for command in commands:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=tmp_path,
                env=env,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            output, _ = await process.communicate()
            assert process.returncode == 0, f"{command[-1]}\n{output.decode()}"
            said += output.decode()
    assert "Caller(user='alice', system=False)" in said
    assert "slp_" in said
    assert "UpdateProject asks for one of the roles MANAGER, OWNER." in said
    assert "projects/leases does not exist." in said


async def test_who_is_removed_hears_no_more_events(tmp_path: Path) -> None:
    async with annotation(tmp_path) as client:
        await client.project("p")
        add = pb.CreateMemberRequest(
            parent="projects/p", member=pb.Member(user="alice", roles=[pb.ROLE_MANAGER])
        )
        made = (await client.members.CreateMember(add)).member
        stream = client.stub.WatchEvents(
            annotation_service_pb2.WatchEventsRequest(parent="projects/p"), metadata=ALICE
        )
        assert kind((await anext(aiter(stream))).event) == "PROJECT_CREATED"
        await client.members.DeleteMember(pb.DeleteMemberRequest(name=made.name))
        await client.task("projects/p", "A secret.")
        heard: list[str] = []
        with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND, resource="projects/p"):
            async with asyncio.timeout(10):
                async for message in stream:
                    heard += [kind(message.event)]
        assert set(heard) <= {"MEMBER_ADDED"}


async def test_nobody_is_called_as_the_audit_calls_the_services(tmp_path: Path) -> None:
    async with annotation(tmp_path) as client:
        await client.project("p")
        for user in ("system", "me"):
            with refused(grpc.StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID):
                await client.members.GetCaller(
                    pb.GetCallerRequest(), metadata=[("spanloop-user", user)]
                )
            member = pb.Member(user=user, roles=[pb.ROLE_OWNER])
            with refused(
                grpc.StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, field="member.user"
            ):
                await client.members.CreateMember(
                    pb.CreateMemberRequest(parent="projects/p", member=member)
                )
