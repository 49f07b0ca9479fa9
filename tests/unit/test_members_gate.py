"""The gate lets in by roles and tells strangers nothing; the finer rules about persons."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.annotation.access import ROLES
from services.annotation.domain import Role
from services.annotation.members.gate import Principal
from services.annotation.schema import COLLECTIONS
from services.common.clock import ManualClock
from services.common.errors import (
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    Reason,
)
from services.common.store.sqlite import SqliteStore
from tests.support.members import SYSTEM, Process, acting


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Process]:
    store = SqliteStore(tmp_path / "members.db")
    await store.open(COLLECTIONS)
    made = Process(store, ManualClock())
    await made.project("p", **{role.value.lower(): role for role in Role})
    yield made
    await store.close()


@pytest.mark.parametrize("method", sorted(ROLES))
async def test_each_role_at_each_method(process: Process, method: str) -> None:
    for role in Role:
        user = role.value.lower()
        with acting(user):
            if role in ROLES[method]:
                who = await process.gate.enter(method, "p")
                assert who == Principal(user=user, roles=frozenset({role}))
            else:
                with pytest.raises(PermissionDeniedError) as denied:
                    await process.gate.enter(method, "p")
                assert denied.value.reason is Reason.ACCESS_DENIED
                assert method in denied.value.message
                for allowed in ROLES[method]:
                    assert allowed.value in denied.value.message


async def test_the_services_pass_always(process: Process) -> None:
    for project in ("p", "none"):
        assert await process.gate.enter("PurgeTask", project) == SYSTEM


async def test_strangers_hear_the_same_of_any_project(process: Process) -> None:
    await process.members.create_member("p", "gone", [Role.ANNOTATOR], 0, SYSTEM)
    await process.members.delete_member("p", "gone", SYSTEM)
    told = set()
    for user in ("stranger", "gone"):
        for project in ("p", "none"):
            with acting(user), pytest.raises(NotFoundError) as missing:
                await process.gate.enter("GetProject", project)
            error = missing.value
            facts = (error.code, error.reason, error.message, str(error.metadata))
            told.add(tuple(fact.replace(f"projects/{project}", "?") for fact in facts))
    assert len(told) == 1


async def test_roles_add_up_and_end_at_once(process: Process) -> None:
    with acting("reviewer"), pytest.raises(PermissionDeniedError):
        await process.gate.enter("UpdateProject", "p")
    await process.set_roles("p", "reviewer", Role.REVIEWER, Role.MANAGER)
    with acting("reviewer"):
        await process.gate.enter("UpdateProject", "p")
        await process.gate.enter("ReviewCompletion", "p")
    await process.set_roles("p", "reviewer", Role.REVIEWER)
    with acting("reviewer"), pytest.raises(PermissionDeniedError):
        await process.gate.enter("UpdateProject", "p")


def of(role: Role) -> Principal:
    return Principal(user="me", roles=frozenset({role}))


PEOPLE = [Role.OWNER, Role.MANAGER, Role.ANNOTATOR, Role.REVIEWER]
LEADS = [Role.OWNER, Role.MANAGER, Role.SERVICE]
OTHERS = [Role.ANNOTATOR, Role.REVIEWER]


@pytest.mark.parametrize("role", PEOPLE)
def test_people_are_the_authors_and_reviewers_themselves(role: Role) -> None:
    who = of(role)
    assert who.check_author("", "f") == who.check_author("me", "f") == "me"
    assert who.check_reviewer("", "you") == who.check_reviewer("me", "you") == "me"
    with pytest.raises(PermissionDeniedError, match=r"^f: "):
        who.check_author("you", "f")
    with pytest.raises(PermissionDeniedError, match=r"^reviewer: "):
        who.check_reviewer("you", "somebody")


@pytest.mark.parametrize("who", [SYSTEM, of(Role.SERVICE)], ids=["system", "service"])
def test_services_name_others(who: Principal) -> None:
    assert who.check_author("you", "f") == "you"
    assert who.check_reviewer("you", "somebody") == "you"
    assert who.check_reviewer("you", "you") == "you"


def test_the_system_is_nobody() -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        SYSTEM.check_author("", "f")
    assert refused.value.metadata["field"] == "f"
    with pytest.raises(InvalidArgumentError) as refused:
        SYSTEM.check_reviewer("", "a")
    assert refused.value.metadata["field"] == "reviewer"


@pytest.mark.parametrize("who", [SYSTEM, *map(of, LEADS)])
def test_leads_change_and_review_what_they_want(who: Principal) -> None:
    who.check_own("you")
    who.check_own("me")
    assert who.check_reviewer("me", "me") == "me"


@pytest.mark.parametrize("role", OTHERS)
def test_others_change_their_own_and_review_what_is_not(role: Role) -> None:
    who = of(role)
    who.check_own("me")
    with pytest.raises(PermissionDeniedError, match="somebody else"):
        who.check_own("you")
    with pytest.raises(PermissionDeniedError, match="of their own"):
        who.check_reviewer("", "me")
