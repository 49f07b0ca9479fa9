"""The gate of every method that concerns a project, and the finer rules about persons."""

from __future__ import annotations

from dataclasses import dataclass

from services.annotation.access import ROLES
from services.annotation.domain import Role, project_name
from services.annotation.members.documents import member_id, to_member
from services.annotation.principal import current_user
from services.annotation.schema import MEMBERS
from services.common.errors import PermissionDeniedError, Reason, not_found
from services.common.store.port import DocumentStore
from services.common.validate import check_line

_LEADS = frozenset({Role.OWNER, Role.MANAGER})


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Who calls: the system (no user), or a member of the project with these roles."""

    user: str
    roles: frozenset[Role]

    @property
    def system(self) -> bool:
        """Whether it is the services themselves, which may do everything."""
        return not self.user

    @property
    def trusted(self) -> bool:
        """Whether it may name others as authors and reviewers."""
        return self.system or Role.SERVICE in self.roles

    @property
    def leads(self) -> bool:
        """Whether it may change what others did."""
        return self.trusted or bool(self.roles & _LEADS)

    def check_author(self, author: str, field: str) -> str:
        """Return the author of a new completion: who is named, or the caller.

        Raises:
            InvalidArgumentError: FIELD_INVALID: nobody is named and the caller is the system.
            PermissionDeniedError: A user names somebody else.
        """
        if not author and self.user:
            return self.user
        check_line(author, field, 1, 200)
        if author != self.user and not self.trusted:
            raise _denied(f"{field}: only services may write completions of others.")
        return author

    def check_own(self, author: str) -> None:
        """Return when the caller may change a completion of this author.

        Raises:
            PermissionDeniedError: It is somebody else's.
        """
        if author != self.user and not self.leads:
            raise _denied(
                "Only owners, managers and services may change a completion of somebody else."
            )

    def check_reviewer(self, reviewer: str, author: str) -> str:
        """Return who reviews a completion of this author: who is named, or the caller.

        Raises:
            InvalidArgumentError: FIELD_INVALID: nobody is named and the caller is the system.
            PermissionDeniedError: A user names somebody else, or reviews their own completion
                without leading the project.
        """
        if reviewer and reviewer != self.user and not self.trusted:
            raise _denied("reviewer: only services may review for others.")
        who = check_line(reviewer or self.user, "reviewer", 1, 200)
        if who == author and not self.leads:
            raise _denied(
                "Only owners, managers and services may review a completion of their own."
            )
        return who


class Gate:
    """Lets callers in by their roles."""

    def __init__(self, store: DocumentStore) -> None:
        """Look members up in an open store."""
        self._store = store

    async def enter(self, method: str, project: str) -> Principal:
        """Return who calls, when they may call a method for a project.

        Raises:
            NotFoundError: A user is no member; the same whether the project exists or not.
            PermissionDeniedError: None of the member's roles is let in.
        """
        user = current_user()
        if not user:
            return Principal(user="", roles=frozenset())
        stored = await self._store.get(MEMBERS, member_id(project, user))
        roles = frozenset[Role]() if stored is None else to_member(stored.body).roles
        # Who was removed has no roles: see `services.annotation.members.handler`.
        if not roles:
            raise not_found(project_name(project))
        allowed = ROLES[method]
        if not roles & allowed:
            names = ", ".join(sorted(role.value for role in allowed))
            raise _denied(f"{method} asks for one of the roles {names}.")
        return Principal(user=user, roles=roles)


def _denied(message: str) -> PermissionDeniedError:
    return PermissionDeniedError(Reason.ACCESS_DENIED, message)
