"""A project keeps an owner, whatever happens to its members at once or is cut off."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mongomock_motor import AsyncMongoMockClient

from services.annotation.domain import EventType, Role
from services.annotation.members.owners import LEAVING, MARK_MICROS, Owners
from services.annotation.schema import COLLECTIONS, MEMBERS
from services.common.clock import ManualClock
from services.common.errors import AbortedError, FailedPreconditionError, Reason
from services.common.store.mongo import MongoStore
from services.common.store.port import DocumentStore
from services.common.store.sqlite import SqliteStore
from tests.support.members import SYSTEM, Process, Turns, TurnStore

REFUSALS = (AbortedError, FailedPreconditionError)
LONG = MARK_MICROS / 1e6 + 1


@pytest.fixture(params=["sqlite", "mongo"])
async def store(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[DocumentStore]:
    opened: DocumentStore
    if request.param == "sqlite":
        opened = SqliteStore(tmp_path / "members.db")
    else:
        opened = MongoStore("mongodb://mock", "members", client=AsyncMongoMockClient())
    await opened.open(COLLECTIONS)
    yield opened
    await opened.close()


@pytest.mark.parametrize("pauses", [False, True], ids=["quick", "long pauses"])
async def test_two_processes_take_the_last_two_owners(store: DocumentStore, pauses: bool) -> None:
    clock = ManualClock()
    outcomes: set[int] = set()

    def between(order: random.Random) -> None:
        if pauses and order.random() < 0.1:
            clock.advance(LONG)

    plain = Process(store, clock)
    for seed in range(60):
        project = f"p{seed}"
        await plain.project(project, a=Role.OWNER, b=Role.OWNER)
        turns = Turns(seed, between)
        one, two = (Process(TurnStore(store, turns, name), clock) for name in ("one", "two"))
        answers = await turns.run(
            one.members.delete_member(project, "a", SYSTEM),
            two.set_roles(project, "b", Role.REVIEWER),
        )
        refused = [answer for answer in answers if isinstance(answer, Exception)]
        assert all(isinstance(answer, REFUSALS) for answer in refused), refused
        owners = await plain.owners(project)
        assert len(owners) == 2 - (len(answers) - len(refused)), seed
        assert owners, seed
        told = await plain.told(project)
        assert told.count((EventType.MEMBER_REMOVED, "a")) == ("a" not in owners)
        assert told.count((EventType.MEMBER_UPDATED, "b")) == ("b" not in owners)
        outcomes.add(len(owners))
        # Whatever was refused left nothing behind that refuses later changes.
        clock.advance(LONG)
        await plain.members.create_member(project, "c", [Role.OWNER], 0, SYSTEM)
        for user in owners:
            await plain.members.delete_member(project, user, SYSTEM)
        assert await plain.owners(project) == {"c"}
    assert 1 in outcomes


async def test_three_processes_promote_and_remove(store: DocumentStore) -> None:
    clock = ManualClock()
    plain = Process(store, clock)
    for seed in range(40):
        project = f"p{seed}"
        await plain.project(project, a=Role.OWNER, b=Role.ANNOTATOR)
        turns = Turns(seed, lambda _: None)
        one, two, three = (
            Process(TurnStore(store, turns, name), clock) for name in ("one", "two", "three")
        )
        answers = await turns.run(
            one.members.delete_member(project, "b", SYSTEM),
            two.set_roles(project, "b", Role.OWNER),
            three.set_roles(project, "a", Role.ANNOTATOR),
        )
        assert await plain.owners(project), (seed, answers)


async def test_within_a_process_the_second_one_is_told_that_it_is_the_last(
    store: DocumentStore,
) -> None:
    process = Process(store, ManualClock())
    await process.project("p", a=Role.OWNER, b=Role.OWNER)
    await process.members.delete_member("p", "a", SYSTEM)
    with pytest.raises(FailedPreconditionError) as refused:
        await process.members.delete_member("p", "b", SYSTEM)
    assert refused.value.reason is Reason.STATE_CONFLICT
    assert refused.value.metadata == {"resource": "projects/p/members/b"}
    with pytest.raises(FailedPreconditionError):
        await process.set_roles("p", "b", Role.MANAGER)
    stored = await store.get(MEMBERS, "p/b")
    assert stored is not None
    assert stored.body[LEAVING] is None


async def test_a_mark_that_a_crash_left_behind_counts_for_a_minute(store: DocumentStore) -> None:
    clock = ManualClock()
    process = Process(store, clock)
    await process.project("p", a=Role.OWNER, b=Role.OWNER)
    owner = await process.members.member("p", "a")
    await Owners(store, process.resources).mark(owner)
    with pytest.raises(AbortedError) as refused:
        await process.members.delete_member("p", "b", SYSTEM)
    assert refused.value.reason is Reason.ETAG_MISMATCH
    assert await process.owners("p") == {"a", "b"}
    clock.advance(LONG)
    await process.members.delete_member("p", "b", SYSTEM)
    assert await process.owners("p") == {"a"}


async def test_more_members_than_a_page_are_counted(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.annotation.members.owners._PAGE", 2)
    process = Process(store, ManualClock())
    others = {f"m{n}": Role.ANNOTATOR for n in range(4)}
    await process.project("p", a=Role.OWNER, **others)
    with pytest.raises(FailedPreconditionError):
        await process.members.delete_member("p", "a", SYSTEM)
    await process.members.create_member("p", "z", [Role.OWNER], 0, SYSTEM)
    await process.members.delete_member("p", "a", SYSTEM)
    assert await process.owners("p") == {"z"}
