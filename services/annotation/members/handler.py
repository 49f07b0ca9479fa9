"""Members of projects.

Who was removed stays in the store as a member without roles, which is no member for anybody: so the
versions of a member never repeat, and with them neither the ids of its events nor its history when
the user is added again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import replace

from services.annotation.documents import to_project
from services.annotation.domain import EventType, Member, Project, Role, member_name, project_name
from services.annotation.etags import check_etag
from services.annotation.handlers.catalog import Catalog
from services.annotation.members.documents import member_document, member_id, to_member
from services.annotation.members.gate import Principal
from services.annotation.members.owners import LEAVING, MarkLostError, Owners
from services.annotation.outbox import NewEvent
from services.annotation.resources import Change, NewDocument, Resources
from services.annotation.schema import MEMBERS, PROJECTS
from services.common.auth import check_user_id
from services.common.errors import (
    AbortedError,
    AlreadyExistsError,
    PermissionDeniedError,
    Reason,
    invalid_field,
    not_found,
)
from services.common.paging import find_page, parse_page
from services.common.store.port import Document, DocumentStore, DuplicateError, Eq, Order
from services.common.validate import check_mask, check_range

MAX_PRIORITY = 1_000_000
_BY_CREATION = [Order(field="ord")]
_MAX_TRIES = 20

Edit = Callable[[Member], Member]


class Members:
    """Adds, reads, lists, changes and removes members."""

    def __init__(self, store: DocumentStore, resources: Resources, catalog: Catalog) -> None:
        """Use an open store."""
        self._store = store
        self._resources = resources
        self._catalog = catalog
        self._owners = Owners(store, resources)
        # Within a process, changes wait for each other instead of refusing each other.
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
        new = self._new(project, user, wanted, priority)
        try:
            return to_member(await self._resources.create(MEMBERS, _added(new)))
        except DuplicateError:
            return await self._add_again(new)

    async def make_first_owner(self, project: str, user: str) -> None:
        """Make the user who created a project its owner.

        A repeated creation comes here again: it finishes what a crash cut off, but lets nobody back
        into a project which went to others since.

        Raises:
            NotFoundError: The project has owners, and the user is no member any more.
        """
        key = member_id(project, user)
        stored = await self._store.get(MEMBERS, key)
        if stored is None and not await self._owners.any_owner(project):
            new = self._new(project, user, frozenset({Role.OWNER}), 0)
            try:
                await self._resources.create(MEMBERS, _added(new))
            except DuplicateError:
                stored = await self._store.get(MEMBERS, key)
            else:
                return
        if stored is None or not to_member(stored.body).roles:
            raise not_found(project_name(project))

    async def member(self, project: str, user: str) -> Member:
        """Read a member, or raise NotFoundError."""
        name = member_name(project, user)
        found = to_member(await self._resources.get(MEMBERS, member_id(project, user), name))
        if not found.roles:
            raise not_found(name)
        return found

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
        members = (to_member(one.body) for one in found)
        return [one for one in members if one.roles], token

    async def projects_of(
        self, user: str, page_size: int, page_token: str
    ) -> tuple[list[Project], str]:
        """List the projects that a user is a member of, in the order in which they became it."""
        scope = f"ListProjects {user}"
        page = parse_page(page_size, page_token, scope)
        found, token = await find_page(
            self._store, MEMBERS, [Eq("user", user)], _BY_CREATION, page, scope
        )
        ids = [one.body["project"] for one in found if one.body["roles"]]
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
        """Change a member's roles or priority; see `_change` for refusals."""
        paths = check_mask(mask, ["roles", "priority"])
        if "priority" in paths:
            check_range(priority, "member.priority", -MAX_PRIORITY, MAX_PRIORITY)
        wanted = _check_roles(roles) if "roles" in paths else frozenset[Role]()
        name = member_name(project, user)

        def edit(before: Member) -> Member:
            _check_may_name(principal, wanted | before.roles)
            check_etag(etag, name, before.version)
            return replace(
                before,
                roles=wanted if "roles" in paths else before.roles,
                priority=priority if "priority" in paths else before.priority,
            )

        return await self._change(project, user, edit, EventType.MEMBER_UPDATED)

    async def delete_member(self, project: str, user: str, principal: Principal) -> None:
        """Remove a member; what they annotated stays. See `_change` for refusals."""

        def edit(before: Member) -> Member:
            _check_may_name(principal, before.roles)
            return replace(before, roles=frozenset(), priority=0)

        await self._change(project, user, edit, EventType.MEMBER_REMOVED)

    async def _change(self, project: str, user: str, edit: Edit, type: EventType) -> Member:
        """Change a member in one guarded write.

        Raises:
            NotFoundError: There is no such member.
            PermissionDeniedError: The caller may not change this member, or not so.
            FailedPreconditionError: STATE_CONFLICT: it is the last owner.
            AbortedError: Others are changing it, or the other owners.
        """
        async with self._changing:
            for _ in range(_MAX_TRIES):
                before = await self.member(project, user)
                after = edit(before)
                try:
                    if Role.OWNER not in before.roles - after.roles:
                        return await self._write(before, edit, type, mark="")
                    mark = await self._owners.mark(before)
                    try:
                        return await self._write(before, edit, type, mark)
                    finally:
                        await self._owners.unmark(before, mark)
                except MarkLostError:
                    continue
        name = member_name(project, user)
        raise AbortedError(
            Reason.ETAG_MISMATCH,
            f"{name} is being changed by many callers at once: try again.",
            metadata={"resource": name},
        )

    async def _write(self, known: Member, edit: Edit, type: EventType, mark: str) -> Member:
        name = member_name(known.project, known.user)

        def change(body: Document) -> Change:
            before = to_member(body)
            if not before.roles:
                raise not_found(name)
            after = edit(before)
            leaving = body.get(LEAVING) or {"mark": None}
            if Role.OWNER in before.roles - after.roles and leaving["mark"] != mark:
                raise MarkLostError
            event = NewEvent(
                type=type,
                resource=name,
                before=member_document(before),
                before_version=before.version,
            )
            return Change(fields=_fields(after), events=[event])

        key = member_id(known.project, known.user)
        return to_member(await self._resources.change(MEMBERS, key, name, change))

    async def _add_again(self, new: Member) -> Member:
        """Make a member of somebody who was removed, or raise AlreadyExistsError."""
        name = member_name(new.project, new.user)

        def change(body: Document) -> Change:
            if to_member(body).roles:
                raise AlreadyExistsError(
                    Reason.RESOURCE_EXISTS,
                    f"{name} exists already: change it with UpdateMember.",
                    metadata={"resource": name},
                )
            return Change(
                fields={**_fields(new), "created": new.created, "ord": new.created},
                events=[NewEvent(type=EventType.MEMBER_ADDED, resource=name)],
            )

        key = member_id(new.project, new.user)
        return to_member(await self._resources.change(MEMBERS, key, name, change))

    def _new(self, project: str, user: str, roles: frozenset[Role], priority: int) -> Member:
        now = self._resources.now()
        return Member(
            project=project,
            user=user,
            roles=roles,
            priority=priority,
            version=1,
            created=now,
            updated=now,
        )


def _fields(member: Member) -> Document:
    """Return what a change may change."""
    body = member_document(member)
    return {"roles": body["roles"], "priority": body["priority"]}


def _added(member: Member) -> NewDocument:
    name = member_name(member.project, member.user)
    return NewDocument(
        id=member_id(member.project, member.user),
        body=member_document(member),
        events=[NewEvent(type=EventType.MEMBER_ADDED, resource=name)],
    )


def _check_roles(roles: Collection[Role]) -> frozenset[Role]:
    if not roles:
        raise invalid_field("member.roles", "must hold at least one role.")
    return frozenset(roles)


def _check_may_name(principal: Principal, roles: frozenset[Role]) -> None:
    """Return when the caller may add, change or remove a member with these roles."""
    if principal.system or Role.OWNER in principal.roles:
        return
    if roles & {Role.OWNER, Role.SERVICE}:
        raise PermissionDeniedError(
            Reason.ACCESS_DENIED, "Only owners may add, change or remove owners and services."
        )
