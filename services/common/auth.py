"""Who may call which method, and the bearer token that callers show."""

from __future__ import annotations

import hmac
import os
import re
import secrets
import stat
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Protocol, TypeAlias

from services.common.errors import Reason, UnauthenticatedError, invalid_field

_SCHEME = "bearer"
USER_KEY = "spanloop-user"
# What the audit calls the services themselves, and how users name themselves.
_RESERVED = frozenset({"system", "me"})
_USER = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class Access(Enum):
    """What a method asks of its caller."""

    PUBLIC = "public"
    """Anyone may call it."""
    AUTHENTICATED = "authenticated"
    """The caller shows the service's bearer token, or a user's where the service knows users."""
    SERVICES = "services"
    """The caller shows the token that the services share, whether or not it acts for a user."""


AccessRules: TypeAlias = Mapping[str, Access]
"""From ``/package.Service/Method`` to what it asks. A method without a rule is refused."""


class TokenFileError(Exception):
    """The token file cannot be used; the message says what to do."""


class UserTokens(Protocol):
    """Where tokens of users are known, besides the one that the services share."""

    async def user_of(self, token: str) -> str | None:
        """Return the id of the user whose token this is, or None."""
        ...


def check_user_id(user: str, field: str) -> str:
    """Return the id of a user, or raise FIELD_INVALID."""
    if not _USER.fullmatch(user):
        raise invalid_field(
            field,
            "must be the id of a user: 1 to 63 of a-z, 0-9, '-', '_' and '.', first a letter or "
            "digit.",
        )
    if user in _RESERVED:
        raise invalid_field(field, f"{user!r} is reserved: choose another id.")
    return user


class TokenChecker:
    """Compares the token of a call with the one that the service accepts."""

    def __init__(self, token: str) -> None:
        """Accept `token` and nothing else."""
        if not token:
            raise ValueError("an empty token would let everyone in")
        self._token = token.encode()

    def check(self, authorization: str | None) -> None:
        """Return when the value of the ``authorization`` metadata holds the token.

        Raises:
            UnauthenticatedError: CREDENTIALS_MISSING when there is no bearer token at all,
                CREDENTIALS_INVALID when it is another one.
        """
        if not self._is_shared(_bearer(authorization)):
            raise _unknown_token()

    async def user(
        self, authorization: str | None, on_behalf_of: str, users: UserTokens | None
    ) -> str:
        """Return the user that a call is made by or for; empty for the services themselves.

        Args:
            authorization: Value of the ``authorization`` metadata.
            on_behalf_of: Value of the ``spanloop-user`` metadata: whom a holder of the shared
                token acts for; empty when it was not sent.
            users: Where tokens of users are known, if this service has such.

        Raises:
            UnauthenticatedError: As `check`; CREDENTIALS_INVALID also when a user's own token
                comes with another user's id.
        """
        token = _bearer(authorization)
        if self._is_shared(token):
            return check_user_id(on_behalf_of, USER_KEY) if on_behalf_of else ""
        user = None if users is None else await users.user_of(token)
        if user is None:
            raise _unknown_token()
        if on_behalf_of not in {"", user}:
            raise UnauthenticatedError(
                Reason.CREDENTIALS_INVALID,
                f"Only the services' shared token may act for others: leave {USER_KEY} out.",
            )
        return user

    def _is_shared(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._token)


def _bearer(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").strip().partition(" ")
    if scheme.lower() != _SCHEME or not token.strip():
        raise UnauthenticatedError(
            Reason.CREDENTIALS_MISSING,
            "Send the service's token as metadata `authorization: Bearer <token>`.",
        )
    return token.strip()


def _unknown_token() -> UnauthenticatedError:
    return UnauthenticatedError(
        Reason.CREDENTIALS_INVALID, "The bearer token is not one that this service accepts."
    )


def load_or_create_token(path: Path) -> str:
    """Read the token kept in `path`, or make one there that only the owner can read.

    Any number of processes may call this at once: all of them get the same token.

    Raises:
        TokenFileError: The file is open to other users, empty, or cannot be read or written.
    """
    try:
        if not path.exists():
            _create(path)
        return _read(path)
    except OSError as error:
        raise TokenFileError(
            f"The token file {path} cannot be used ({error.strerror or type(error).__name__}). "
            "Make its directory writable for this user, or name another file in "
            "SPANLOOP_TOKEN_FILE."
        ) from error


def _create(path: Path) -> None:
    """Put a new token in place in one step; the first of several processes wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(8)}")
    # O_EXCL and the mode at creation: there is no moment at which others could open the file.
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            # A link, not a rename: it fails when another process was first, so that no service
            # goes on with a token that is no longer in the file.
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()


def _read(path: Path) -> str:
    # Permissions and content of the same open file, whatever happens to the name meanwhile.
    with path.open(encoding="utf-8") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise TokenFileError(
                f"The token file {path} is open to other users (mode {mode:04o}). Its token may "
                f"be known to them: delete it to have a new one made, or, if you trust them, "
                f"run `chmod 600 {path}`."
            )
        try:
            token = file.read(4096).strip()
        except UnicodeDecodeError:
            token = ""
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise TokenFileError(
            f"The token file {path} holds no usable token: delete it to have a new one made."
        )
    return token
