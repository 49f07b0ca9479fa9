"""How members and access tokens lie in documents."""

from __future__ import annotations

from services.annotation.domain import Member, Role
from services.common.store.port import Document


def member_id(project: str, user: str) -> str:
    """Return the document id of a member."""
    return f"{project}/{user}"


def member_document(member: Member) -> Document:
    """Return the resource part of a member's document."""
    return {
        "project": member.project,
        "user": member.user,
        "roles": sorted(role.value for role in member.roles),
        "priority": member.priority,
        "version": member.version,
        "created": member.created,
        "updated": member.updated,
    }


def to_member(body: Document) -> Member:
    """Read a member."""
    return Member(
        project=body["project"],
        user=body["user"],
        roles=frozenset(Role(role) for role in body["roles"]),
        priority=body["priority"],
        version=body["version"],
        created=body["created"],
        updated=body["updated"],
    )
