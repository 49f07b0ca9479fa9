"""Members of projects."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from services.annotation.documents import to_project
from services.annotation.domain import EventType, Member, Project, Role, member_name
from services.annotation.etags import check_etag
from services.annotation.handlers.catalog import Catalog
from services.annotation.members.documents import member_document, member_id, to_member
from services.annotation.members.gate import Principal
from services.annotation.outbox import NewEvent
from services.annotation.resources import Change, NewDocument, Resources
from services.annotation.schema import MEMBERS, PROJECTS
from services.common.auth import check_user_id
from services.common.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    PermissionDeniedError,
    Reason,
    invalid_field,
)
from services.common.paging import find_page, parse_page
from services.common.store.port import Document, DocumentStore, DuplicateError, Eq, Order, Scalar
from services.common.validate import check_mask, check_range

MAX_PRIORITY = 1_000_000
_BY_CREATION = [Order(field="ord")]


class Members:
    """Adds, reads, lists, changes and removes members."""

    def __init__(self, store: DocumentStore, resources: Resources, catalog: Catalog) -> None:
        """Use an open store."""
        self._store = store
        self._resources = resources
        self._catalog = catalog
        # Owners are counted and changed under one lock, so that two changes at once cannot leave
        # a project without any.
        self._changing = asyncio.Lock()

    async def create_member(
        self,
        project: str,
        user: str,
        roles: Collection[Role],
        priority: int,
        principal: Principal,
    ) -> Member:
        """Add a member, or raise AlreadyExistsError."""
        check_user_id(user, "member.user")
        wanted = _check_roles(roles)
        check_range(priority, "member.priority", -MAX_PRIORITY, MAX_PRIORITY)
        await self._catalog.project(project)
        _check_may_name(principal, wanted)
        try:
            return to_member(
                await self._resources.create(MEMBERS, self._new(project, user, wanted, priority))
            )
        except DuplicateError:
            name = member_name(project, user)
            raise AlreadyExistsError(
                Reason.RESOURCE_EXISTS,
                f"{name} exists already: change it with UpdateMember.",
                metadata={"resource": name},
            ) from None

    async def make_first_owner(self, project: str, user: str) -> None:
        """Make the user who created a project its owner; nothing happens when they are one."""
        new = self._new(project, user, frozenset({Role.OWNER}), 0)
        try:
            await self._resources.create(MEMBERS, new)
        except DuplicateError:
            return

    async def member(self, project: str, user: str) -> Member:
        """Read a member, or raise NotFoundError."""
        return to_member(
            await self._resources.get(MEMBERS, member_id(project, user), member_name(project, user))
        )

    async def list_members(
        self, project: str, page_size: int, page_token: str
    ) -> tuple[list[Member], str]:
        """List the members of a project in order of creation."""
        scope = f"ListMembers {project}"
        page = parse_page(page_size, page_token, scope)
        await self._catalog.project(project)
        found, token = await find_page(
            self._store, MEMBERS, [Eq("project", project)], _BY_CREATION, page, scope
        )
        return [to_member(one.body) for one in found], token

    async def projects_of(
        self, user: str, page_size: int, page_token: str
    ) -> tuple[list[Project], str]:
        """List the projects that a user is a member of, in the order in which they became it."""
        scope = f"ListProjects {user}"
        page = parse_page(page_size, page_token, scope)
        found, token = await find_page(
            self._store, MEMBERS, [Eq("user", user)], _BY_CREATION, page, scope
        )
        ids = [one.body["project"] for one in found]
        projects = await self._store.get_many(PROJECTS, ids)
        return [to_project(projects[one].body) for one in ids if one in projects], token

    async def update_member(
        self,
        project: str,
        user: str,
        *,
        etag: str,
        roles: Collection[Role],
        priority: int,
        mask: list[str],
        principal: Principal,
    ) -> Member:
        """Change a member's roles or priority."""
        paths = check_mask(mask, ["roles", "priority"])
        fields: Document = {}
        if "priority" in paths:
            check_range(priority, "member.priority", -MAX_PRIORITY, MAX_PRIORITY)
            fields["priority"] = priority
        wanted = frozenset[Role]()
        if "roles" in paths:
            wanted = _check_roles(roles)
            fields["roles"] = sorted(role.value for role in wanted)
        name = member_name(project, user)

        async with self._changing:
            before = await self.member(project, user)
            if "roles" in paths:
                _check_may_name(principal, wanted | before.roles)
                if Role.OWNER not in wanted:
                    await self._check_other_owner(before)

            def change(body: Document) -> Change:
                check_etag(etag, name, body["version"])
                return Change(fields=fields, events=[_event(to_member(body))])

            return to_member(
                await self._resources.change(MEMBERS, member_id(project, user), name, change)
            )

    async def delete_member(self, project: str, user: str, principal: Principal) -> None:
        """Remove a member; what they annotated stays."""
        async with self._changing:
            before = await self.member(project, user)
            _check_may_name(principal, before.roles)
            await self._check_other_owner(before)
            event = NewEvent(
                type=EventType.MEMBER_REMOVED,
                resource=member_name(project, user),
                before=member_document(before),
                before_version=before.version,
            )
            await self._resources.remove(MEMBERS, member_id(project, user), event, project)

    async def _check_other_owner(self, member: Member) -> None:
        if Role.OWNER not in member.roles:
            return
        after: list[Scalar] | None = None
        while True:
            found = await self._store.find(
                MEMBERS,
                where=[Eq("project", member.project)],
                order=_BY_CREATION,
                limit=1_000,
                after=after,
            )
            others = (to_member(one.body) for one in found)
            if any(Role.OWNER in one.roles and one.user != member.user for one in others):
                return
            if len(found) < 1_000:
                name = member_name(member.project, member.user)
                raise FailedPreconditionError(
                    Reason.STATE_CONFLICT,
                    f"{name} is the last owner: name another one first.",
                    metadata={"resource": name},
                )
            after = [found[-1].body["ord"], found[-1].id]

    def _new(self, project: str, user: str, roles: frozenset[Role], priority: int) -> NewDocument:
        now = self._resources.now()
        member = Member(
            project=project,
            user=user,
            roles=roles,
            priority=priority,
            version=1,
            created=now,
            updated=now,
        )
        return NewDocument(
            id=member_id(project, user),
            body=member_document(member),
            events=[NewEvent(type=EventType.MEMBER_ADDED, resource=member_name(project, user))],
        )


def _check_roles(roles: Collection[Role]) -> frozenset[Role]:
    if not roles:
        raise invalid_field("member.roles", "must hold at least one role.")
    return frozenset(roles)


def _check_may_name(principal: Principal, roles: frozenset[Role]) -> None:
    """Return when the caller may give or take these roles."""
    if principal.system or Role.OWNER in principal.roles:
        return
    if roles & {Role.OWNER, Role.SERVICE}:
        raise PermissionDeniedError(
            Reason.ACCESS_DENIED, "Only owners may add, change or remove owners and services."
        )


def _event(before: Member) -> NewEvent:
    return NewEvent(
        type=EventType.MEMBER_UPDATED,
        resource=member_name(before.project, before.user),
        before=member_document(before),
        before_version=before.version,
    )
