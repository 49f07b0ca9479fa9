"""MemberService: converts messages and delegates to the handlers."""

# ruff: noqa: ARG002, D102, N802 - names and signatures are those of the generated base class

from __future__ import annotations

from services.annotation.members import convert
from services.annotation.members.gate import Gate
from services.annotation.members.handler import Members
from services.annotation.members.tokens import AccessTokens
from services.annotation.names import project_of
from services.annotation.principal import current_user
from spanloop.annotation.v1 import member_service_pb2 as pb
from spanloop.annotation.v1 import member_service_pb2_grpc


class MemberServicer(member_service_pb2_grpc.MemberServiceServicer):
    """The methods are documented in ``member_service.proto``."""

    def __init__(self, members: Members, tokens: AccessTokens, gate: Gate) -> None:
        """Delegate to the given handlers."""
        self._members = members
        self._tokens = tokens
        self._gate = gate

    async def GetCaller(
        self, request: pb.GetCallerRequest, context: object
    ) -> pb.GetCallerResponse:
        user = current_user()
        return pb.GetCallerResponse(user=user, system=not user)

    async def CreateMember(
        self, request: pb.CreateMemberRequest, context: object
    ) -> pb.CreateMemberResponse:
        project = project_of(request.parent)
        principal = await self._gate.enter("CreateMember", project)
        member = await self._members.create_member(
            project,
            request.member.user,
            convert.roles_of(request.member),
            request.member.priority,
            principal,
        )
        return pb.CreateMemberResponse(member=convert.member_message(member))

    async def GetMember(
        self, request: pb.GetMemberRequest, context: object
    ) -> pb.GetMemberResponse:
        project, user = convert.member_of(request.name)
        await self._gate.enter("GetMember", project)
        member = await self._members.member(project, user)
        return pb.GetMemberResponse(member=convert.member_message(member))

    async def ListMembers(
        self, request: pb.ListMembersRequest, context: object
    ) -> pb.ListMembersResponse:
        project = project_of(request.parent)
        await self._gate.enter("ListMembers", project)
        members, token = await self._members.list_members(
            project, request.page_size, request.page_token
        )
        return pb.ListMembersResponse(
            members=map(convert.member_message, members), next_page_token=token
        )

    async def UpdateMember(
        self, request: pb.UpdateMemberRequest, context: object
    ) -> pb.UpdateMemberResponse:
        wanted = request.member
        project, user = convert.member_of(wanted.name, "member.name")
        principal = await self._gate.enter("UpdateMember", project)
        member = await self._members.update_member(
            project,
            user,
            etag=wanted.etag,
            roles=convert.roles_of(wanted),
            priority=wanted.priority,
            mask=list(request.update_mask.paths),
            principal=principal,
        )
        return pb.UpdateMemberResponse(member=convert.member_message(member))

    async def DeleteMember(
        self, request: pb.DeleteMemberRequest, context: object
    ) -> pb.DeleteMemberResponse:
        project, user = convert.member_of(request.name)
        principal = await self._gate.enter("DeleteMember", project)
        await self._members.delete_member(project, user, principal)
        return pb.DeleteMemberResponse()

    async def CreateAccessToken(
        self, request: pb.CreateAccessTokenRequest, context: object
    ) -> pb.CreateAccessTokenResponse:
        token, secret = await self._tokens.create(
            convert.user_of(request.parent),
            request.access_token.display_name,
            convert.expiry_of(request.access_token),
        )
        return pb.CreateAccessTokenResponse(
            access_token=convert.access_token_message(token), secret=secret
        )

    async def ListAccessTokens(
        self, request: pb.ListAccessTokensRequest, context: object
    ) -> pb.ListAccessTokensResponse:
        tokens, token = await self._tokens.list_tokens(
            convert.user_of(request.parent), request.page_size, request.page_token
        )
        return pb.ListAccessTokensResponse(
            access_tokens=map(convert.access_token_message, tokens), next_page_token=token
        )

    async def RevokeAccessToken(
        self, request: pb.RevokeAccessTokenRequest, context: object
    ) -> pb.RevokeAccessTokenResponse:
        await self._tokens.revoke(*convert.access_token_of(request.name))
        return pb.RevokeAccessTokenResponse()
