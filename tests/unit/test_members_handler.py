"""Members: adding, changing, removing, adding again; who may; the first owner."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.annotation.domain import EventType, Role, member_name
from services.annotation.history.documents import to_revision
from services.annotation.members.gate import Principal
from services.annotation.members.priorities import priorities_of
from services.annotation.schema import COLLECTIONS, HISTORY
from services.common.clock import ManualClock
from services.common.errors import (
    AlreadyExistsError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    Reason,
)
from services.common.store.port import DocumentStore
from services.common.store.sqlite import SqliteStore
from tests.support.members import SYSTEM, Process

OWNER = Principal(user="own", roles=frozenset({Role.OWNER}))
MANAGER = Principal(user="man", roles=frozenset({Role.MANAGER, Role.ANNOTATOR}))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[DocumentStore]:
    opened = SqliteStore(tmp_path / "members.db")
    await opened.open(COLLECTIONS)
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def process(store: DocumentStore, clock: ManualClock) -> Process:
    made = Process(store, clock)
    await made.project("p", own=Role.OWNER, man=Role.MANAGER)
    return made


async def test_who_is_added_again_has_events_and_history_of_their_own(
    process: Process, store: DocumentStore, clock: ManualClock
) -> None:
    members = process.members
    first = await members.create_member("p", "ann", [Role.ANNOTATOR], 7, MANAGER)
    clock.advance(1)
    await members.delete_member("p", "ann", MANAGER)
    with pytest.raises(NotFoundError) as missing:
        await members.member("p", "ann")
    assert missing.value.metadata == {"resource": member_name("p", "ann")}
    listed, _ = await members.list_members("p", 10, "")
    assert [one.user for one in listed] == ["own", "man"]
    assert await members.projects_of("ann", 10, "") == ([], "")
    assert await priorities_of(store, "p") == {"own": 0, "man": 0}
    with pytest.raises(NotFoundError):
        await members.delete_member("p", "ann", MANAGER)
    with pytest.raises(NotFoundError):
        await process.set_roles("p", "ann", Role.ANNOTATOR)
    clock.advance(1)
    again = await members.create_member("p", "ann", [Role.REVIEWER], 3, MANAGER)
    assert (again.roles, again.priority) == (frozenset({Role.REVIEWER}), 3)
    assert again.version > first.version
    assert again.created == first.created + 2_000_000
    listed, _ = await members.list_members("p", 10, "")
    assert [one.user for one in listed] == ["own", "man", "ann"]
    await members.delete_member("p", "ann", MANAGER)
    told = [kind for kind, user in await process.told("p") if user == "ann"]
    assert told == [
        EventType.MEMBER_ADDED,
        EventType.MEMBER_REMOVED,
        EventType.MEMBER_ADDED,
        EventType.MEMBER_REMOVED,
    ]
    for version, role in ((first.version, "ANNOTATOR"), (again.version, "REVIEWER")):
        kept = await store.get(HISTORY, f"{member_name('p', 'ann')}@{version}")
        assert kept is not None
        assert to_revision(kept.body).state["roles"] == [role]


async def test_only_owners_touch_owners_and_services(process: Process) -> None:
    members = process.members
    await members.create_member("p", "svc", [Role.SERVICE], 0, OWNER)
    await members.create_member("p", "own2", [Role.OWNER], 0, OWNER)
    for roles in ([Role.OWNER], [Role.SERVICE], [Role.ANNOTATOR, Role.OWNER]):
        with pytest.raises(PermissionDeniedError) as denied:
            await members.create_member("p", "x", roles, 0, MANAGER)
        assert denied.value.reason is Reason.ACCESS_DENIED
    for user in ("own", "own2", "svc"):
        with pytest.raises(PermissionDeniedError):
            await members.delete_member("p", user, MANAGER)
        for mask in (["roles"], ["priority"]):
            with pytest.raises(PermissionDeniedError):
                await members.update_member(
                    "p",
                    user,
                    etag="",
                    roles=[Role.ANNOTATOR],
                    priority=9,
                    mask=mask,
                    principal=MANAGER,
                )
    with pytest.raises(PermissionDeniedError):
        await members.update_member(
            "p", "man", etag="", roles=[Role.OWNER], priority=0, mask=["roles"], principal=MANAGER
        )
    changed = await members.update_member(
        "p", "own2", etag="", roles=[], priority=9, mask=["priority"], principal=OWNER
    )
    assert (changed.roles, changed.priority) == (frozenset({Role.OWNER}), 9)
    await members.delete_member("p", "own2", OWNER)
    await members.delete_member("p", "svc", OWNER)


@pytest.mark.parametrize(
    ("user", "roles", "priority", "field"),
    [
        ("", [Role.ANNOTATOR], 0, "member.user"),
        ("A", [Role.ANNOTATOR], 0, "member.user"),
        ("a/b", [Role.ANNOTATOR], 0, "member.user"),
        ("a" * 64, [Role.ANNOTATOR], 0, "member.user"),
        ("a", [], 0, "member.roles"),
        ("a", [Role.ANNOTATOR], 1_000_001, "member.priority"),
        ("a", [Role.ANNOTATOR], -1_000_001, "member.priority"),
    ],
)
async def test_bad_fields_are_named(
    process: Process, user: str, roles: list[Role], priority: int, field: str
) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        await process.members.create_member("p", user, roles, priority, SYSTEM)
    assert refused.value.metadata["field"] == field


async def test_who_is_a_member_already_is_refused(process: Process) -> None:
    with pytest.raises(AlreadyExistsError) as refused:
        await process.members.create_member("p", "man", [Role.ANNOTATOR], 0, SYSTEM)
    assert refused.value.metadata == {"resource": member_name("p", "man")}
    with pytest.raises(NotFoundError):
        await process.members.create_member("none", "man", [Role.ANNOTATOR], 0, SYSTEM)


async def test_the_first_owner_of_a_project(process: Process) -> None:
    members = process.members
    await process.project("new")
    await members.make_first_owner("new", "alice")
    await members.make_first_owner("new", "alice")
    assert await process.owners("new") == {"alice"}
    assert await process.told("new") == [(EventType.MEMBER_ADDED, "alice")]


async def test_repeating_a_creation_lets_nobody_back_in(process: Process) -> None:
    members = process.members
    await process.project("new")
    await members.make_first_owner("new", "alice")
    await members.create_member("new", "bob", [Role.OWNER], 0, SYSTEM)
    await members.delete_member("new", "alice", SYSTEM)
    with pytest.raises(NotFoundError) as refused:
        await members.make_first_owner("new", "alice")
    assert refused.value.metadata == {"resource": "projects/new"}
    # Nor does it help a creator whose membership was never written, once others lead.
    with pytest.raises(NotFoundError):
        await members.make_first_owner("new", "carol")
    assert await process.owners("new") == {"bob"}
    # A creator who lost the role, but not the membership, gets an answer and no role.
    await members.create_member("new", "alice", [Role.ANNOTATOR], 0, SYSTEM)
    await members.make_first_owner("new", "alice")
    assert await process.owners("new") == {"bob"}


async def test_projects_of_a_user_in_pages(process: Process, clock: ManualClock) -> None:
    names = [f"q{n}" for n in range(5)]
    for name in names:
        clock.advance(1)
        await process.project(name, ann=Role.ANNOTATOR)
    found: list[str] = []
    token = ""
    while True:
        page, token = await process.members.projects_of("ann", 2, token)
        assert len(page) <= 2
        found += [one.id for one in page]
        if not token:
            break
    assert found == names
    _, token = await process.members.projects_of("ann", 2, "")
    with pytest.raises(InvalidArgumentError):
        await process.members.projects_of("own", 2, token)
