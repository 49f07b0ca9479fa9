"""Who may do what: every method with every role, both ways, on the real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor, FileDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc import aio

from services.annotation.access import ROLES, WITHOUT_PROJECT
from services.annotation.bootstrap import build
from services.annotation.domain import Role
from services.common.errors import Reason
from services.common.grpc_status import received_error
from spanloop.annotation.v1 import (
    agreement_service_pb2,
    annotation_service_pb2,
    history_service_pb2,
    labeling_service_pb2,
    rule_service_pb2,
    suggestion_service_pb2,
)
from spanloop.annotation.v1 import member_service_pb2 as pb
from tests.support import client_channel, running
from tests.support.annotation import AnnotationClient, annotation_settings, refused

DENIED = grpc.StatusCode.PERMISSION_DENIED
NOT_FOUND = grpc.StatusCode.NOT_FOUND
CONTRACTS = (
    agreement_service_pb2,
    annotation_service_pb2,
    history_service_pb2,
    labeling_service_pb2,
    pb,
    rule_service_pb2,
    suggestion_service_pb2,
)
PATHS = {
    "projects": "projects/{project}",
    "labels": "projects/{project}/labels/x",
    "completions": "projects/{project}/tasks/x/completions/x",
    "snapshots": "projects/{project}/snapshots/x",
    "members": "projects/{project}/members/x",
    "ruleSets": "projects/{project}/ruleSets/x",
    "tasks": "projects/{project}/tasks/x",
}
# Where the name of the resource does not follow from the message that carries it.
NAMES = {
    "ExportSnapshot": "snapshots", "GetSnapshot": "snapshots", "ReadSnapshot": "snapshots",
    "DiffSnapshots": "snapshots", "GetLabel": "labels", "GetProject": "projects",
    "GetMember": "members", "DeleteMember": "members", "GetRuleSet": "ruleSets",
    "DeleteRuleSet": "ruleSets", "ApplyRuleSet": "ruleSets", "RestoreRevision": "completions",
    "GetCompletion": "completions", "SubmitCompletion": "completions",
    "ReviewCompletion": "completions", "StarCompletion": "completions",
    "DeleteCompletion": "completions", "UndeleteCompletion": "completions",
    "CreateCompletion": "tasks", "ListCompletions": "tasks", "ListPredictions": "tasks",
    "UpdateProject": "projects", "UpdateLabel": "labels", "UpdateTask": "tasks",
    "UpdateCompletion": "completions", "UpdateMember": "members", "UpdateRuleSet": "ruleSets",
    "GetTask": "tasks", "DeleteTask": "tasks", "UndeleteTask": "tasks", "PurgeTask": "tasks",
    "ListRevisions": "tasks",
}  # fmt: skip


def methods() -> list[MethodDescriptor]:
    files: list[FileDescriptor] = [contract.DESCRIPTOR for contract in CONTRACTS]
    found = [
        method
        for file in files
        for service in file.services_by_name.values()
        for method in service.methods
    ]
    return [method for method in found if method.name not in WITHOUT_PROJECT]


def request_of(method: MethodDescriptor, project: str) -> Message:
    """Return a request that names something of a project, and is otherwise empty."""
    path = PATHS[NAMES.get(method.name, "projects")].format(project=project)
    request: Any = GetMessageClass(method.input_type)()
    if method.name == "ImportTasks":
        request.header.parent = path
        return request
    for field in method.input_type.fields:
        if field.name in {"parent", "name", "base", "target"}:
            setattr(request, field.name, path)
            return_early = field.name != "base"
            if return_early:
                return request
        elif (
            field.type == FieldDescriptor.TYPE_MESSAGE
            and "name" in field.message_type.fields_by_name
        ):
            getattr(request, field.name).name = path
            return request
    return request


async def call(
    channel: aio.Channel, method: MethodDescriptor, project: str, user: str
) -> aio.AioRpcError | None:
    """Call a method as a user and return how it failed, if it did."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    request = request_of(method, project)
    shape = (
        f"{'stream' if method.client_streaming else 'unary'}_"
        f"{'stream' if method.server_streaming else 'unary'}"
    )
    stub = getattr(channel, shape)(
        path,
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    metadata = [("spanloop-user", user)]
    try:
        if method.client_streaming:
            await stub(iter([request]), metadata=metadata, timeout=10)
        elif method.server_streaming:
            running = stub(request, metadata=metadata, timeout=10)
            try:
                # An event stream of a project that may be watched has its first event at once.
                await running.read()
            finally:
                running.cancel()
        else:
            await stub(request, metadata=metadata, timeout=10)
    except aio.AioRpcError as error:
        return error
    return None


@asynccontextmanager
async def team(folder: Path) -> AsyncIterator[tuple[aio.Channel, AnnotationClient]]:
    async with (
        running(annotation_settings(folder), build) as server,
        client_channel(server) as channel,
    ):
        client = AnnotationClient(channel)
        await client.project("p")
        for role in Role:
            member = pb.Member(user=role.value.lower(), roles=[f"ROLE_{role.value}"])
            await client.members.CreateMember(
                pb.CreateMemberRequest(parent="projects/p", member=member)
            )
        yield channel, client


async def test_every_method_with_every_role(tmp_path: Path) -> None:
    async with team(tmp_path) as (channel, _):
        for method in methods():
            allowed = ROLES[method.name]
            for role in Role:
                error = await call(channel, method, "p", role.value.lower())
                code = error.code() if error else grpc.StatusCode.OK
                where = f"{method.name} as {role.value}: {code} {error and error.details()}"
                if role in allowed:
                    assert code is not DENIED, where
                    about = received_error(error).metadata.get("resource") if error else ""
                    assert (code, about) != (NOT_FOUND, "projects/p"), where
                else:
                    assert code is DENIED, where
                    assert received_error(error).reason is Reason.ACCESS_DENIED


async def test_strangers_cannot_learn_whether_a_project_exists(tmp_path: Path) -> None:
    async with team(tmp_path) as (channel, client):
        for method in methods():
            answers = []
            for project in ("p", "none"):
                error = await call(channel, method, project, "stranger")
                assert error is not None, method.name
                found = received_error(error)
                facts = {k: v for k, v in found.metadata.items() if k != "request_id"}
                told = (found.code, found.reason, found.message, str(facts))
                answers.append(tuple(str(one).replace(f"projects/{project}", "?") for one in told))
            assert answers[0] == answers[1], method.name
            assert answers[0][0] == str(NOT_FOUND), method.name
        listed = await client.stub.ListProjects(
            annotation_service_pb2.ListProjectsRequest(), metadata=[("spanloop-user", "stranger")]
        )
        assert listed.projects == []
        with refused(grpc.StatusCode.ALREADY_EXISTS, Reason.RESOURCE_EXISTS):
            await client.stub.CreateProject(
                annotation_service_pb2.CreateProjectRequest(project_id="p"),
                metadata=[("spanloop-user", "stranger")],
            )


async def test_people_and_their_own_completions(tmp_path: Path) -> None:
    async with team(tmp_path) as (_, client):
        task = (await client.task("projects/p", "text")).name

        async def complete(user: str, author: str = "") -> str:
            request = annotation_service_pb2.CreateCompletionRequest(parent=task, submit=True)
            request.completion.author = author
            made = await client.stub.CreateCompletion(request, metadata=[("spanloop-user", user)])
            return str(made.completion.name)

        async def review(user: str, name: str, reviewer: str = "") -> str:
            request = annotation_service_pb2.ReviewCompletionRequest(
                name=name, verdict="VERDICT_ACCEPT", reviewer=reviewer
            )
            answer = await client.stub.ReviewCompletion(request, metadata=[("spanloop-user", user)])
            return str(answer.completion.review.reviewer)

        mine = await complete("annotator")
        found = await client.stub.GetCompletion(
            annotation_service_pb2.GetCompletionRequest(name=mine)
        )
        assert found.completion.author == "annotator"
        with refused(DENIED, Reason.ACCESS_DENIED):
            await complete("annotator", "somebody-else")
        with refused(grpc.StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID):
            await client.stub.CreateCompletion(
                annotation_service_pb2.CreateCompletionRequest(parent=task)
            )
        theirs = await complete("service", "somebody-else")
        for method in ("DeleteCompletion", "UndeleteCompletion", "SubmitCompletion"):
            request = getattr(annotation_service_pb2, f"{method}Request")(name=theirs)
            with refused(DENIED, Reason.ACCESS_DENIED):
                await getattr(client.stub, method)(
                    request, metadata=[("spanloop-user", "annotator")]
                )
        assert await review("reviewer", mine) == "reviewer"
        with refused(DENIED, Reason.ACCESS_DENIED):
            await review("reviewer", theirs, "somebody-else")
        own = await complete("reviewer")
        with refused(DENIED, Reason.ACCESS_DENIED):
            await review("reviewer", own)
        assert await review("service", own, "somebody-else") == "somebody-else"
        assert await review("manager", await complete("manager")) == "manager"


async def test_owners_and_the_last_one(tmp_path: Path) -> None:
    async with team(tmp_path) as (_, client):
        stub = client.members

        def member(user: str) -> str:
            return f"projects/p/members/{user}"

        async def set_roles(by: str, user: str, *roles: int) -> pb.Member:
            request = pb.UpdateMemberRequest(member=pb.Member(name=member(user), roles=roles))
            request.update_mask.paths.append("roles")
            return (await stub.UpdateMember(request, metadata=[("spanloop-user", by)])).member

        with refused(DENIED, Reason.ACCESS_DENIED):
            await set_roles("manager", "manager", pb.ROLE_OWNER)
        with refused(DENIED, Reason.ACCESS_DENIED):
            await stub.DeleteMember(
                pb.DeleteMemberRequest(name=member("owner")),
                metadata=[("spanloop-user", "manager")],
            )
        with refused(grpc.StatusCode.FAILED_PRECONDITION, Reason.STATE_CONFLICT):
            await stub.DeleteMember(
                pb.DeleteMemberRequest(name=member("owner")), metadata=[("spanloop-user", "owner")]
            )
        with refused(grpc.StatusCode.FAILED_PRECONDITION, Reason.STATE_CONFLICT):
            await set_roles("owner", "owner", pb.ROLE_ANNOTATOR)
        both = await set_roles("owner", "annotator", pb.ROLE_OWNER, pb.ROLE_ANNOTATOR)
        assert list(both.roles) == [pb.ROLE_OWNER, pb.ROLE_ANNOTATOR]
        await set_roles("annotator", "owner", pb.ROLE_REVIEWER)
        with refused(grpc.StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, field="member.roles"):
            await set_roles("annotator", "reviewer")
        with refused(grpc.StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, field="member.user"):
            await stub.CreateMember(
                pb.CreateMemberRequest(
                    parent="projects/p", member=pb.Member(user="A B", roles=[pb.ROLE_OWNER])
                )
            )
        with refused(grpc.StatusCode.ALREADY_EXISTS, Reason.RESOURCE_EXISTS):
            await stub.CreateMember(
                pb.CreateMemberRequest(
                    parent="projects/p", member=pb.Member(user="owner", roles=[pb.ROLE_OWNER])
                )
            )
        await stub.DeleteMember(pb.DeleteMemberRequest(name=member("reviewer")))
        listed = await stub.ListMembers(pb.ListMembersRequest(parent="projects/p"))
        assert [one.user for one in listed.members] == ["owner", "manager", "annotator", "service"]


async def test_a_user_s_own_token_and_project(tmp_path: Path) -> None:
    async with running(annotation_settings(tmp_path), build) as server:
        async with client_channel(server) as channel:
            shared = AnnotationClient(channel)
            made = await shared.members.CreateAccessToken(
                pb.CreateAccessTokenRequest(
                    parent="users/alice", access_token=pb.AccessToken(display_name="laptop")
                )
            )
            caller = await shared.members.GetCaller(pb.GetCallerRequest())
            assert (caller.user, caller.system) == ("", True)
            with refused(grpc.StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID):
                await shared.members.CreateAccessToken(
                    pb.CreateAccessTokenRequest(parent="users/me")
                )
        async with client_channel(server, token=made.secret) as channel:
            alice = AnnotationClient(channel)
            caller = await alice.members.GetCaller(pb.GetCallerRequest())
            assert (caller.user, caller.system) == ("alice", False)
            await alice.project("hers")
            listed = await alice.stub.ListProjects(annotation_service_pb2.ListProjectsRequest())
            assert [one.name for one in listed.projects] == ["projects/hers"]
            mine = await alice.members.GetMember(
                pb.GetMemberRequest(name="projects/hers/members/alice")
            )
            assert list(mine.member.roles) == [pb.ROLE_OWNER]
            with refused(DENIED, Reason.ACCESS_DENIED):
                await alice.members.CreateAccessToken(
                    pb.CreateAccessTokenRequest(parent="users/bob")
                )
            with refused(grpc.StatusCode.UNAUTHENTICATED, Reason.CREDENTIALS_INVALID):
                await alice.members.GetCaller(
                    pb.GetCallerRequest(), metadata=[("spanloop-user", "bob")]
                )
            second = await alice.members.CreateAccessToken(
                pb.CreateAccessTokenRequest(parent="users/me")
            )
            tokens = await alice.members.ListAccessTokens(
                pb.ListAccessTokensRequest(parent="users/me")
            )
            assert [one.name for one in tokens.access_tokens] == [
                made.access_token.name,
                second.access_token.name,
            ]
            assert made.secret not in str(tokens)
            await alice.members.RevokeAccessToken(
                pb.RevokeAccessTokenRequest(name=made.access_token.name)
            )
            with refused(grpc.StatusCode.UNAUTHENTICATED, Reason.CREDENTIALS_INVALID):
                await alice.members.GetCaller(pb.GetCallerRequest())
        for wrong in (second.secret[:-1], f"{second.secret}x", "slp_", "slp_x_y"):
            async with client_channel(server, token=wrong) as channel:
                with refused(grpc.StatusCode.UNAUTHENTICATED, Reason.CREDENTIALS_INVALID):
                    await AnnotationClient(channel).members.GetCaller(pb.GetCallerRequest())


async def test_an_expired_token(tmp_path: Path) -> None:
    async with running(annotation_settings(tmp_path), build) as server:
        async with client_channel(server) as channel:
            shared = AnnotationClient(channel)
            request = pb.CreateAccessTokenRequest(parent="users/alice")
            request.access_token.expire_time.GetCurrentTime()
            with refused(grpc.StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID):
                await shared.members.CreateAccessToken(request)
            now = request.access_token.expire_time.ToMicroseconds()
            request.access_token.expire_time.FromMicroseconds(now + 1_000_000)
            secret = (await shared.members.CreateAccessToken(request)).secret
        async with client_channel(server, token=secret) as channel:
            alice = AnnotationClient(channel)
            await alice.members.GetCaller(pb.GetCallerRequest())
            await asyncio.sleep(1.1)
            with refused(grpc.StatusCode.UNAUTHENTICATED, Reason.CREDENTIALS_INVALID):
                await alice.members.GetCaller(pb.GetCallerRequest())


@pytest.mark.parametrize("name", sorted(NAMES))
def test_the_table_of_names_has_no_strangers(name: str) -> None:
    assert name in {method.name for method in methods()}
