"""Who calls, and who belongs to a project: asked of the annotation service."""

from __future__ import annotations

import grpc
from grpc import aio

from services.common.channels import peer_errors
from services.common.errors import NotFoundError
from spanloop.annotation.v1 import (
    annotation_service_pb2,
    annotation_service_pb2_grpc,
    member_service_pb2,
    member_service_pb2_grpc,
)


class GrpcMembers:
    """`Members`, and `UserTokens` of `services.common.auth`, over a channel."""

    def __init__(self, channel: aio.Channel) -> None:
        """Use an open channel."""
        self._members = member_service_pb2_grpc.MemberServiceStub(channel)
        self._projects = annotation_service_pb2_grpc.AnnotationServiceStub(channel)

    async def user_of(self, token: str) -> str | None:
        """Return the user whose access token this is, or None.

        The annotation service is asked with the caller's own token: no other service knows users.
        """
        metadata = aio.Metadata(("authorization", f"Bearer {token}"))
        with peer_errors("annotation"):
            try:
                answer = await self._members.GetCaller(
                    member_service_pb2.GetCallerRequest(), metadata=metadata
                )
            except aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                    return None
                raise
        # Empty for a token that the services share, which was compared before: that of another
        # installation is nobody's here.
        return answer.user or None

    async def has_project(self, project: str) -> bool:
        """Return whether there is such a project."""
        try:
            with peer_errors("annotation"):
                await self._projects.GetProject(
                    annotation_service_pb2.GetProjectRequest(name=f"projects/{project}")
                )
        except NotFoundError:
            return False
        return True

    async def roles(self, project: str, user: str) -> frozenset[str]:
        """Return the roles of a user in a project, in lower case; none: not a member."""
        name = f"projects/{project}/members/{user}"
        try:
            with peer_errors("annotation"):
                answer = await self._members.GetMember(
                    member_service_pb2.GetMemberRequest(name=name)
                )
        except NotFoundError:
            return frozenset()
        prefix = "ROLE_"
        return frozenset(
            member_service_pb2.Role.Name(role).removeprefix(prefix).lower()
            for role in answer.member.roles
        )
