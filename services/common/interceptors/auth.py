"""Only calls that a rule allows reach a handler."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import assert_never

from services.common.auth import USER_KEY, Access, AccessRules, TokenChecker, UserTokens
from services.common.errors import PermissionDeniedError, Reason
from services.common.interceptors.chain import Call


class Authentication:
    """Looks up the rule of the method and checks the token when it asks for one."""

    def __init__(
        self, rules: AccessRules, checker: TokenChecker, users: UserTokens | None = None
    ) -> None:
        """Refuse every known method that `rules` leaves out; `users` knows tokens of users."""
        self._rules = dict(rules)
        self._checker = checker
        self._users = users

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """See `Concern.around`."""
        if call.known:
            await self._check(call)
        yield

    async def _check(self, call: Call) -> None:
        name = _client_certificate_name(call)
        match self._rules.get(call.method):
            case Access.PUBLIC:
                call.caller = name or "anonymous"
            case Access.AUTHENTICATED:
                call.user = await self._checker.user(
                    call.metadata.get("authorization"),
                    call.metadata.get(USER_KEY, ""),
                    self._users,
                )
                call.caller = name or "token"
            case Access.SERVICES:
                call.user = await self._checker.user(
                    call.metadata.get("authorization"), call.metadata.get(USER_KEY, ""), None
                )
                call.caller = name or "token"
            case None:
                raise PermissionDeniedError(
                    Reason.ACCESS_DENIED,
                    "No access rule allows this method.",
                    metadata={"method": call.method},
                )
            case unexpected:
                assert_never(unexpected)


def _client_certificate_name(call: Call) -> str:
    """Return the common name of the caller's verified certificate, if it came with one."""
    names = list(call.context.auth_context().get("x509_common_name", ()))
    return names[0].decode("utf-8", "replace") if names else ""
