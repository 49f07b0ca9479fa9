"""A service outlives a database that is away at start."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.common.store.late import LateStore, opened
from services.common.store.port import Collection, StoreUnavailableError
from services.common.store.sqlite import SqliteStore

THINGS = (Collection(name="things"),)


async def test_calls_are_refused_until_the_database_answers_and_then_served(
    tmp_path: Path,
) -> None:
    blocker = tmp_path / "state"
    blocker.write_text("a file where the directory should be")
    store = LateStore(SqliteStore(blocker / "s.db"), THINGS)
    with pytest.raises(StoreUnavailableError):
        await store.insert("things", "a", {"n": 1})
    with pytest.raises(StoreUnavailableError):
        await store.ping()
    blocker.unlink()
    blocker.mkdir()
    assert (await store.insert("things", "a", {"n": 1})).revision == 1
    await store.close()
    async with opened(f"sqlite:///{blocker / 's.db'}", THINGS) as again:
        stored = await again.get("things", "a")
        assert stored is not None
        assert stored.body == {"n": 1}


async def test_opened_comes_up_while_the_database_is_away(tmp_path: Path) -> None:
    blocker = tmp_path / "state"
    blocker.write_text("")
    async with opened(f"sqlite:///{blocker / 's.db'}", THINGS) as store:
        with pytest.raises(StoreUnavailableError):
            await store.count("things")
        blocker.unlink()
        blocker.mkdir()
        assert await store.count("things") == 0


async def test_a_url_of_another_form_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="unknown kind of database"):
        async with opened("mysql://host/db", THINGS):
            pass
