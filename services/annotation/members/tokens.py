"""Access tokens of users. Only a hash of the secret is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from services.annotation.principal import current_user
from services.annotation.schema import ACCESS_TOKENS
from services.common.auth import check_user_id
from services.common.clock import Clock
from services.common.errors import PermissionDeniedError, Reason, invalid_field, not_found
from services.common.ids import IdSource
from services.common.paging import find_page, parse_page
from services.common.store.port import Document, DocumentStore, Eq, Order
from services.common.validate import check_line

ME = "me"
_PREFIX = "slp_"
_BY_CREATION = [Order(field="ord")]


@dataclass(frozen=True, kw_only=True)
class AccessToken:
    """A token without its secret; times are microseconds, `expires` None is never."""

    user: str
    id: str
    display_name: str
    created: int
    expires: int | None


def access_token_name(user: str, token: str) -> str:
    """Return the resource name of an access token."""
    return f"users/{user}/accessTokens/{token}"


class AccessTokens:
    """Makes, lists, revokes and recognises access tokens."""

    def __init__(self, store: DocumentStore, clock: Clock, ids: IdSource) -> None:
        """Use an open store."""
        self._store = store
        self._clock = clock
        self._ids = ids

    async def create(
        self, user: str, display_name: str, expires: int | None
    ) -> tuple[AccessToken, str]:
        """Make a token; return it and its secret, which is stored nowhere."""
        owner = _resolved(user)
        check_line(display_name, "access_token.display_name", 0, 200)
        now = self._clock.now()
        if expires is not None and expires <= now:
            raise invalid_field("access_token.expire_time", "must be in the future.")
        token = AccessToken(
            user=owner,
            id=self._ids.new(),
            display_name=display_name,
            created=now,
            expires=expires,
        )
        secret = f"{_PREFIX}{token.id}_{secrets.token_urlsafe(32)}"
        body: Document = {
            "user": owner,
            "display_name": display_name,
            "created": now,
            "expires": expires,
            "ord": now,
            "hash": _hash(secret),
        }
        await self._store.insert(ACCESS_TOKENS, token.id, body)
        return token, secret

    async def list_tokens(
        self, user: str, page_size: int, page_token: str
    ) -> tuple[list[AccessToken], str]:
        """List the tokens of a user in order of creation."""
        owner = _resolved(user)
        scope = f"ListAccessTokens {owner}"
        page = parse_page(page_size, page_token, scope)
        found, token = await find_page(
            self._store, ACCESS_TOKENS, [Eq("user", owner)], _BY_CREATION, page, scope
        )
        return [_token(one.id, one.body) for one in found], token

    async def revoke(self, user: str, token: str) -> None:
        """End a token at once, or raise NotFoundError."""
        owner = _resolved(user)
        stored = await self._store.get(ACCESS_TOKENS, token)
        if stored is None or stored.body["user"] != owner:
            raise not_found(access_token_name(owner, token))
        await self._store.delete(ACCESS_TOKENS, token)

    async def user_of(self, token: str) -> str | None:
        """Return the user whose token this is, or None; see `services.common.auth.UserTokens`."""
        token_id, _, rest = token.removeprefix(_PREFIX).partition("_")
        if len(token) > 200 or not token.startswith(_PREFIX) or not rest or not token_id.isalnum():
            return None
        stored = await self._store.get(ACCESS_TOKENS, token_id)
        if stored is None or not hmac.compare_digest(stored.body["hash"], _hash(token)):
            return None
        expires = stored.body["expires"]
        if expires is not None and expires <= self._clock.now():
            return None
        return str(stored.body["user"])


def _resolved(user: str) -> str:
    """Return the user that a request is about, when the caller may manage their tokens."""
    caller = current_user()
    if user == ME:
        if not caller:
            raise invalid_field("parent", "the shared token is no user: name one, users/{user}.")
        return caller
    check_user_id(user, "parent")
    if caller not in {"", user}:
        raise PermissionDeniedError(
            Reason.ACCESS_DENIED, "Users manage their own access tokens only: use users/me."
        )
    return user


def _hash(secret: str) -> str:
    # The secret is random and long: there is nothing that a slow hash would protect.
    return hashlib.sha256(secret.encode()).hexdigest()


def _token(id: str, body: Document) -> AccessToken:
    return AccessToken(
        user=body["user"],
        id=id,
        display_name=body["display_name"],
        created=body["created"],
        expires=body["expires"],
    )
