"""Access tokens: made, listed, recognised, expired, revoked; the secret is nowhere."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.annotation.members.tokens import AccessTokens
from services.annotation.schema import ACCESS_TOKENS, COLLECTIONS
from services.common.clock import ManualClock
from services.common.errors import InvalidArgumentError, NotFoundError, PermissionDeniedError
from services.common.ids import SortableIds
from services.common.store.port import DocumentStore
from services.common.store.sqlite import SqliteStore
from tests.support.members import acting


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[DocumentStore]:
    opened = SqliteStore(tmp_path / "tokens.db")
    await opened.open(COLLECTIONS)
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def tokens(store: DocumentStore, clock: ManualClock) -> AccessTokens:
    return AccessTokens(store, clock, SortableIds())


async def test_a_secret_is_recognised_and_stored_nowhere(
    tokens: AccessTokens, store: DocumentStore
) -> None:
    token, secret = await tokens.create("alice", "laptop", None)
    prefix, token_id, rest = secret.split("_", 2)
    assert (prefix, token_id, len(rest)) == ("slp", token.id, 43)
    assert await tokens.user_of(secret) == "alice"
    stored = await store.get(ACCESS_TOKENS, token.id)
    assert stored is not None
    assert rest not in json.dumps(stored.body)
    other, _ = await tokens.create("bob", "", None)
    for wrong in (
        "",
        "slp_",
        "slp__",
        f"slp_{token.id}",
        f"slp_{token.id}_",
        f"slp_{token.id}_{rest[:-1]}",
        f"slp_{token.id}_{rest}x",
        f"slp_{other.id}_{rest}",
        f"SLP_{token.id}_{rest}",
        secret.removeprefix("slp_"),
        f"slp_{token.id}_{'x' * 10_000}",
        f"slp_{token.id}/_{rest}",
        "slp_unknown_secret",
        f"slp_{token.id}_ü",
    ):
        assert await tokens.user_of(wrong) is None, wrong


async def test_a_token_ends_when_it_expires_or_is_revoked(
    tokens: AccessTokens, clock: ManualClock
) -> None:
    _, short = await tokens.create("alice", "", clock.now() + 2_000_000)
    long, secret = await tokens.create("alice", "", None)
    clock.advance(1.999)
    assert await tokens.user_of(short) == "alice"
    clock.advance(0.001)
    assert await tokens.user_of(short) is None
    assert await tokens.user_of(secret) == "alice"
    await tokens.revoke("alice", long.id)
    assert await tokens.user_of(secret) is None
    with pytest.raises(NotFoundError):
        await tokens.revoke("alice", long.id)
    with pytest.raises(InvalidArgumentError):
        await tokens.create("alice", "", clock.now())


async def test_users_manage_their_own(tokens: AccessTokens, clock: ManualClock) -> None:
    theirs, secret = await tokens.create("bob", "", None)
    with acting("alice"):
        mine, _ = await tokens.create("me", "a", None)
        clock.advance(1)
        second, _ = await tokens.create("alice", "b", None)
        assert mine.user == second.user == "alice"
        first, token = await tokens.list_tokens("me", 1, "")
        rest, end = await tokens.list_tokens("alice", 1, token)
        assert ([*first, *rest], end) == ([mine, second], "")
        for attempt in (
            tokens.create("bob", "", None),
            tokens.list_tokens("bob", 10, ""),
            tokens.revoke("bob", theirs.id),
        ):
            with pytest.raises(PermissionDeniedError):
                await attempt
        # Another one's token is not there under one's own name.
        for user in ("me", "alice"):
            with pytest.raises(NotFoundError):
                await tokens.revoke(user, theirs.id)
        await tokens.revoke("me", mine.id)
    assert await tokens.user_of(secret) == "bob"
    listed, _ = await tokens.list_tokens("alice", 10, "")
    assert listed == [second]


async def test_the_shared_token_is_no_user(tokens: AccessTokens) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        await tokens.create("me", "", None)
    assert refused.value.metadata["field"] == "parent"
    for user in ("", "Alice", "a/b"):
        with pytest.raises(InvalidArgumentError):
            await tokens.create(user, "", None)
