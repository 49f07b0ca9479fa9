"""Messages of members and access tokens."""

from __future__ import annotations

from services.annotation.convert.basic import known, micros_of
from services.annotation.domain import Member, Role, member_name
from services.annotation.etags import etag_of
from services.annotation.members.tokens import AccessToken, access_token_name
from services.common.names import parse_name
from services.common.times import to_timestamp
from spanloop.annotation.v1 import member_service_pb2 as pb

_ROLES = {
    pb.ROLE_OWNER: Role.OWNER,
    pb.ROLE_MANAGER: Role.MANAGER,
    pb.ROLE_ANNOTATOR: Role.ANNOTATOR,
    pb.ROLE_REVIEWER: Role.REVIEWER,
    pb.ROLE_SERVICE: Role.SERVICE,
}
_ROLES_BACK = {role: number for number, role in _ROLES.items()}


def roles_of(message: pb.Member) -> list[Role]:
    """Read roles; unspecified is refused."""
    return [
        known(_ROLES, value, f"member.roles[{place}]", "Role")
        for place, value in enumerate(message.roles)
    ]


def member_of(name: str, field: str = "name") -> tuple[str, str]:
    """Read the name of a member: project and user."""
    parts = parse_name("projects/{project}/members/{user}", name, field)
    return parts["project"], parts["user"]


def user_of(name: str) -> str:
    """Read ``users/{user}``."""
    return parse_name("users/{user}", name, "parent")["user"]


def access_token_of(name: str) -> tuple[str, str]:
    """Read the name of an access token: user and token."""
    parts = parse_name("users/{user}/accessTokens/{token}", name, "name")
    return parts["user"], parts["token"]


def member_message(member: Member) -> pb.Member:
    """Return a member."""
    name = member_name(member.project, member.user)
    return pb.Member(
        name=name,
        user=member.user,
        roles=sorted(_ROLES_BACK[role] for role in member.roles),
        priority=member.priority,
        etag=etag_of(name, member.version),
        create_time=to_timestamp(member.created),
        update_time=to_timestamp(member.updated),
    )


def expiry_of(message: pb.AccessToken) -> int | None:
    """Read when a token stops working; None: never."""
    return micros_of(message.expire_time) if message.HasField("expire_time") else None


def access_token_message(token: AccessToken) -> pb.AccessToken:
    """Return an access token."""
    return pb.AccessToken(
        name=access_token_name(token.user, token.id),
        display_name=token.display_name,
        create_time=to_timestamp(token.created),
        expire_time=None if token.expires is None else to_timestamp(token.expires),
    )
