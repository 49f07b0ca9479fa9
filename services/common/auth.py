"""Who may call which method, and the bearer token that callers show."""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TypeAlias

from services.common.errors import Reason, UnauthenticatedError

_SCHEME = "bearer"


class Access(Enum):
    """What a method asks of its caller."""

    PUBLIC = "public"
    """Anyone may call it."""
    AUTHENTICATED = "authenticated"
    """The caller shows the service's bearer token."""


AccessRules: TypeAlias = Mapping[str, Access]
"""From ``/package.Service/Method`` to what it asks. A method without a rule is refused."""


class TokenFileError(Exception):
    """The token file cannot be used; the message says what to do."""


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
        scheme, _, token = (authorization or "").strip().partition(" ")
        if scheme.lower() != _SCHEME or not token.strip():
            raise UnauthenticatedError(
                Reason.CREDENTIALS_MISSING,
                "Send the service's token as metadata `authorization: Bearer <token>`.",
            )
        if not hmac.compare_digest(token.strip().encode(), self._token):
            raise UnauthenticatedError(
                Reason.CREDENTIALS_INVALID, "The bearer token is not the one of this service."
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
