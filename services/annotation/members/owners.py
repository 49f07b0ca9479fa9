"""A project keeps an owner, whatever several callers or processes do to its members at once.

Members are documents of their own and one write changes one document, so nobody can count owners
and take a role in one step. Instead, an owner who is to lose the role is marked as leaving first;
then the owners who are not leaving are counted; then the role is taken in a write that asks for the
mark. Every mark is written before its writer counts: of two who leave at once, one at least sees
the other's mark and stays. A mark that a crash left behind counts for a minute; whoever clears it
then moves the document's version, so that a late write behind it fails.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from services.annotation.domain import Member, Role, member_name
from services.annotation.members.documents import member_id, to_member
from services.annotation.resources import Change, Resources
from services.annotation.schema import MEMBERS
from services.common.errors import AbortedError, FailedPreconditionError, Reason
from services.common.store.port import Document, DocumentStore, Eq, Order, Scalar, position

LEAVING = "leaving"
"""Field of a member's document: ``{mark, since}`` while the owner is about to lose the role."""

MARK_MICROS = 60_000_000
_BY_CREATION = [Order(field="ord")]
_PAGE = 1_000


class MarkLostError(Exception):
    """The member was changed meanwhile, or the mark is no longer there: begin again."""


class Owners:
    """Lets owners go while another one stays."""

    def __init__(self, store: DocumentStore, resources: Resources) -> None:
        """Use an open store."""
        self._store = store
        self._resources = resources

    async def any_owner(self, project: str) -> bool:
        """Return whether a project has an owner."""
        async for _ in self._owners(project):
            return True
        return False

    async def mark(self, owner: Member) -> str:
        """Mark an owner as leaving; return the mark once another owner stays.

        Take the mark away with `unmark` when the role was not taken after all.

        Raises:
            FailedPreconditionError: STATE_CONFLICT: there is no other owner.
            AbortedError: ETAG_MISMATCH: all others are leaving at this moment.
            MarkLostError: The member was changed since it was read.
        """
        mark = self._resources.new_id()
        marked = await self._store.update(
            MEMBERS,
            member_id(owner.project, owner.user),
            where=[Eq("version", owner.version)],
            set={LEAVING: {"mark": mark, "since": self._resources.now()}},
        )
        if marked is None:
            raise MarkLostError
        try:
            await self._check_another_stays(owner)
        except BaseException:
            await self.unmark(owner, mark)
            raise
        return mark

    async def unmark(self, owner: Member, mark: str) -> None:
        """Take a mark away; nothing happens when it is gone already."""
        await self._store.update(
            MEMBERS,
            member_id(owner.project, owner.user),
            where=[Eq(f"{LEAVING}.mark", mark)],
            set={LEAVING: None},
        )

    async def _check_another_stays(self, owner: Member) -> None:
        leaving = False
        async for body in self._owners(owner.project):
            if body["user"] == owner.user:
                continue
            found = body.get(LEAVING)
            if found is None or await self._cleared(to_member(body), found):
                return
            leaving = True
        name = member_name(owner.project, owner.user)
        if leaving:
            raise AbortedError(
                Reason.ETAG_MISMATCH,
                f"{name}: the other owners are being changed at this moment: try again.",
                metadata={"resource": name},
            )
        raise FailedPreconditionError(
            Reason.STATE_CONFLICT,
            f"{name} is the last owner: name another one first.",
            metadata={"resource": name},
        )

    async def _cleared(self, member: Member, found: Document) -> bool:
        """Clear a mark that a crash left behind; return whether this owner stays."""
        if self._resources.now() - found["since"] < MARK_MICROS:
            return False

        def change(body: Document) -> Change | None:
            if body.get(LEAVING) != found:
                return None
            return Change(fields={LEAVING: None}, events=[])

        stored = await self._resources.change(
            MEMBERS,
            member_id(member.project, member.user),
            member_name(member.project, member.user),
            change,
        )
        return stored.get(LEAVING) is None and Role.OWNER in to_member(stored).roles

    async def _owners(self, project: str) -> AsyncIterator[Document]:
        after: list[Scalar] | None = None
        while True:
            page = await self._store.find(
                MEMBERS,
                where=[Eq("project", project)],
                order=_BY_CREATION,
                limit=_PAGE,
                after=after,
            )
            for one in page:
                if Role.OWNER.value in one.body["roles"]:
                    yield one.body
            if len(page) < _PAGE:
                return
            after = position(page[-1], _BY_CREATION)
