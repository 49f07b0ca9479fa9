"""One suite for every document store: SQLite, MongoDB's adapter over mongomock, a real MongoDB.

What each run proves is said in docs/storage.md.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from services.common.store.mongo import MongoStore
from services.common.store.port import (
    Collection,
    Condition,
    Document,
    DocumentStore,
    DuplicateError,
    Eq,
    Gt,
    In,
    Index,
    Lt,
    MissingError,
    Ne,
    Order,
    RevisionError,
    Stored,
    StoreUnavailableError,
    position,
)

ITEMS = Collection(
    name="items",
    indexes=(
        Index(fields=("project", "created")),
        Index(fields=("project", "number"), unique=True),
        Index(fields=("request.id",), unique=True),
        Index(fields=("holder",), unique=True, where={"state": "OPEN"}),
        Index(fields=("created",), where={"cancel": True}),
    ),
)
PLAIN = Collection(name="plain")

Reopen = Callable[[], DocumentStore]


@pytest.fixture
async def store(reopen: Reopen) -> AsyncIterator[DocumentStore]:
    store = reopen()
    await store.open([ITEMS, PLAIN])
    yield store
    await store.close()


def refusals(store: DocumentStore, *errors: BaseException) -> list[str]:
    """Return the named indexes; mongomock always names the first, so there it proves nothing."""
    assert all(isinstance(error, DuplicateError) for error in errors)
    return [] if is_mock(store) else [e.index for e in errors if isinstance(e, DuplicateError)]


def is_mock(store: DocumentStore) -> bool:
    return isinstance(store, MongoStore) and store._given is not None


async def ids(
    store: DocumentStore, *where: Condition, order: tuple[Order, ...] = (), limit: int = 1000
) -> list[str]:
    found = await store.find("plain", where=where, order=order, limit=limit)
    return [stored.id for stored in found]


async def fill(store: DocumentStore, bodies: dict[str, Document]) -> None:
    outcomes = await store.insert_many("plain", list(bodies.items()))
    assert all(isinstance(outcome, Stored) for outcome in outcomes)


# ---- lifecycle


async def test_open_is_repeatable_and_adds(reopen: Reopen) -> None:
    store = reopen()
    await store.open([PLAIN])
    await store.insert("plain", "a", {"n": 1})
    await store.open([PLAIN, ITEMS])
    await store.open([ITEMS])
    await store.ping()
    assert await store.count("plain") == 1
    assert await store.count("items") == 0
    await store.close()
    await store.close()


async def test_an_index_of_an_earlier_release_is_dropped(reopen: Reopen) -> None:
    old = Index(fields=("a",), unique=True)
    store = reopen()
    await store.open([Collection(name="things", indexes=(old,))])
    await store.insert("things", "x", {"a": 1, "b": 1})
    await store.close()
    later = reopen()
    new = Index(fields=("a", "b"), unique=True)
    declared = Collection(name="things", indexes=(new,), dropped=(old,))
    await later.open([declared])
    await later.open([declared])
    await later.insert("things", "y", {"a": 1, "b": 2})
    with pytest.raises(DuplicateError):
        await later.insert("things", "z", {"a": 1, "b": 2})
    await later.close()


async def test_a_closed_store_is_unavailable(store: DocumentStore) -> None:
    await store.close()
    for call in (store.ping(), store.get("plain", "a"), store.insert("plain", "a", {})):
        with pytest.raises(StoreUnavailableError):
            await call


async def test_what_was_written_is_there_after_reopening(
    store: DocumentStore, reopen: Reopen
) -> None:
    await store.insert("plain", "a", {"n": 1})
    await store.update("plain", "a", set={"n": 2})
    await store.insert("plain", "b", {})
    await store.delete("plain", "b")
    await store.close()
    again = reopen()
    await again.open([PLAIN])
    assert await again.get("plain", "a") == Stored(id="a", revision=2, body={"n": 2})
    assert await again.get("plain", "b") is None
    await again.close()


@pytest.mark.parametrize(
    "bad",
    [
        Collection(name='x"; DROP TABLE y'),
        Collection(name=""),
        Collection(name="x", indexes=(Index(fields=("a'b",)),)),
        Collection(name="x", indexes=(Index(fields=("$where",)),)),
        Collection(name="x", indexes=(Index(fields=()),)),
        Collection(name="x", indexes=(Index(fields=("a",)), Index(fields=("a",)))),
        Collection(name="x", indexes=(Index(fields=("a",), where={"b..c": 1}),)),
    ],
)
async def test_bad_declarations(reopen: Reopen, bad: Collection) -> None:
    with pytest.raises(ValueError, match=r"."):
        await reopen().open([bad])


async def test_undeclared_collections_and_bad_arguments(store: DocumentStore) -> None:
    order = [Order(field="n")]
    for call in (
        store.get("nowhere", "a"),
        store.get("plain", ""),
        store.get("plain", "a\0b"),
        store.find("plain", limit=0),
        store.find("plain", limit=1, order=order, after=["a"]),
        store.find("plain", limit=1, order=order, after=[None, "a"]),
        store.find("plain", limit=1, order=[Order(field="a'b")]),
        store.count("plain", where=[Eq("a.$b", 1)]),
        store.count("plain", where=[Eq("a", "x\0y")]),
        store.count("plain", where=[Eq("a", {"$gt": 1})]),  # type: ignore[arg-type]
        store.count("plain", where=[Lt("a", True)]),
        store.count("plain", where=[Gt("a", math.nan)]),
        store.update("plain", "a", set={"": 1}),
        store.update("plain", "a", set={"n": 1}, increment={"n": 1}),
        store.update("plain", "a", set={"n": {}, "n-x": 1, "n.x": 1}),
        store.update("plain", "a", increment={"n": 1.5}),  # type: ignore[dict-item]
    ):
        with pytest.raises(ValueError, match=r"."):
            await call


# ---- documents


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"n": 0, "m": -1, "big": 2**63 - 1, "small": -(2**63), "f": 0.1, "whole": 1.0, "t": True},
        {"null": None, "list": [None, True, 1, 1.5, "x", [], {}], "deep": {"a": {"b": {"c": []}}}},
        {"text": "naïve 你好 👩‍👩‍👧‍👦 e\u0301 \u202e \ufeff \r\n\t\x00\x1f \"'\\ $ %s :x ?"},
        {"keys": {"U.S. Party": 1, "$set": 2, "": 3, "ключ": 4, "a'b\"c": 5, "0": 6}},
    ],
    ids=["empty", "numbers", "shapes", "text", "keys"],
)
async def test_bodies_come_back_as_they_were(store: DocumentStore, body: Document) -> None:
    if is_mock(store) and "keys" in body:
        pytest.skip("mongomock refuses keys that MongoDB has taken since 5.0")
    written = await store.insert("plain", "a", body)
    assert written == Stored(id="a", revision=1, body=body)
    read = await store.get("plain", "a")
    assert read == written
    assert repr(read.body) == repr(body), "types and order of keys are kept"
    replaced = await store.replace("plain", "a", {"inner": body}, expected_revision=1)
    assert replaced == await store.get("plain", "a")
    updated = await store.update("plain", "a", set={"other": body})
    assert updated is not None
    assert updated.body == {"inner": body, "other": body}


async def test_bodies_are_copied(store: DocumentStore) -> None:
    body: Document = {"list": [1]}
    written = await store.insert("plain", "a", body)
    body["list"].append(2)
    written.body["list"].append(3)
    read = await store.get("plain", "a")
    assert read is not None
    assert read.body == {"list": [1]}
    read.body["list"].append(4)
    assert await store.get("plain", "a") == Stored(id="a", revision=1, body={"list": [1]})


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, 2**63, b"x", (1,), {1: 2}, {"a\0b": 1}, "\ud800", object(), {"\udfff": 1}],
    # repr of an object differs between the processes of a parallel run.
    ids=lambda value: type(value).__name__,
)
async def test_what_is_no_document(store: DocumentStore, value: Any) -> None:
    await store.insert("plain", "old", {"n": 1})
    for call in (
        store.insert("plain", "a", {"x": [value]}),
        store.insert_many("plain", [("b", {}), ("a", {"x": value})]),
        store.replace("plain", "old", {"x": value}, expected_revision=1),
        store.update("plain", "old", set={"x": value}),
    ):
        with pytest.raises(ValueError, match=r"."):
            await call
    assert await ids(store) == ["old"]


async def test_too_deep(store: DocumentStore) -> None:
    body: Document = {}
    for _ in range(200):
        body = {"x": body}
    with pytest.raises(ValueError, match="deep"):
        await store.insert("plain", "a", body)


async def test_large_documents(store: DocumentStore) -> None:
    body = {"text": "é👍 " * 700_000, "n": 1}
    assert len(body["text"].encode()) > 4_800_000  # type: ignore[attr-defined]
    await store.insert("plain", "a", body)
    changed = await store.update("plain", "a", increment={"n": 1})
    assert changed is not None
    assert changed.body == {**body, "n": 2}
    assert await store.get("plain", "a") == changed
    if not is_mock(store):  # mongomock has no bound
        with pytest.raises(ValueError, match="document"):
            await store.insert("plain", "b", {"text": "x" * 17_000_000})
        with pytest.raises(ValueError, match="document"):
            await store.update("plain", "a", set={"more": "x" * 12_000_000})
        assert await store.get("plain", "a") == changed


# ---- insert, get, replace, delete


async def test_a_taken_id_is_refused(store: DocumentStore) -> None:
    await store.insert("plain", "a", {"n": 1})
    with pytest.raises(DuplicateError) as caught:
        await store.insert("plain", "a", {"n": 2})
    assert caught.value.index == "id"
    assert await store.get("plain", "a") == Stored(id="a", revision=1, body={"n": 1})


async def test_ids_are_exact(store: DocumentStore) -> None:
    names = ["a", "A", "a ", "á", "a\u0301", "%", "_", "a/b", "你", "👍", "x" * 900]
    await fill(store, {name: {"name": name} for name in names})
    for name in names:
        assert await store.get("plain", name) == Stored(id=name, revision=1, body={"name": name})
    assert await ids(store) == sorted(names)


async def test_insert_many_says_what_became_of_each(store: DocumentStore) -> None:
    await store.insert("items", "old", {"project": "p", "number": 1})
    outcomes = await store.insert_many(
        "items",
        [
            ("a", {"project": "p", "number": 2}),
            ("old", {"project": "p", "number": 3}),
            ("b", {"project": "p", "number": 1}),
            ("a", {"project": "p", "number": 4}),
            ("c", {"project": "p", "number": 2}),
            ("d", {"project": "q", "number": 1}),
        ],
    )
    said = [o.index if isinstance(o, DuplicateError) else (o.id, o.revision) for o in outcomes]
    number = "project_number_u"
    assert said == [("a", 1), "id", number, "id", number, ("d", 1)]
    assert {s.id for s in await store.find("items", limit=10)} == {"old", "a", "d"}
    assert await store.insert_many("items", []) == []


async def test_insert_many_takes_thousands(store: DocumentStore) -> None:
    count = 300 if is_mock(store) else 3_000
    outcomes = await store.insert_many("plain", [(f"{i:05}", {"n": i}) for i in range(count)])
    assert [o.id for o in outcomes if isinstance(o, Stored)] == [f"{i:05}" for i in range(count)]
    assert await store.count("plain") == count


async def test_get_many(store: DocumentStore) -> None:
    await fill(store, {"a": {"n": 1}, "b": {"n": 2}})
    assert await store.get_many("plain", []) == {}
    got = await store.get_many("plain", ["b", "a", "zz", "a"])
    assert {key: stored.body["n"] for key, stored in got.items()} == {"a": 1, "b": 2}
    assert await store.get("plain", "zz") is None


async def test_replace_is_compare_and_swap(store: DocumentStore) -> None:
    await store.insert("plain", "a", {"n": 1})
    assert await store.replace("plain", "a", {"m": 2}, expected_revision=1) == Stored(
        id="a", revision=2, body={"m": 2}
    )
    with pytest.raises(RevisionError):
        await store.replace("plain", "a", {"m": 3}, expected_revision=1)
    with pytest.raises(MissingError):
        await store.replace("plain", "b", {"m": 3}, expected_revision=1)
    assert await store.get("plain", "a") == Stored(id="a", revision=2, body={"m": 2})


async def test_of_many_replacing_at_once_one_wins(store: DocumentStore) -> None:
    await store.insert("plain", "a", {})
    outcomes = await asyncio.gather(
        *(store.replace("plain", "a", {"by": i}, expected_revision=1) for i in range(20)),
        return_exceptions=True,
    )
    winners = [o for o in outcomes if isinstance(o, Stored)]
    assert len(winners) == 1
    assert all(isinstance(o, RevisionError) for o in outcomes if o is not winners[0])
    assert await store.get("plain", "a") == winners[0]


async def test_delete(store: DocumentStore) -> None:
    await store.insert("plain", "a", {})
    await store.update("plain", "a", set={"n": 1})
    with pytest.raises(RevisionError):
        await store.delete("plain", "a", expected_revision=1)
    assert await store.delete("plain", "a", expected_revision=2)
    assert not await store.delete("plain", "a", expected_revision=2)
    assert not await store.delete("plain", "a")
    await store.insert("plain", "a", {})
    assert await store.delete("plain", "a")
    assert await store.get("plain", "a") is None


# ---- update and claim


async def test_update_writes_paths(store: DocumentStore) -> None:
    await store.insert("plain", "a", {"lease": {"token": 1}, "keep": [1]})
    changed = await store.update(
        "plain",
        "a",
        set={"lease.by": "w", "new.deep.path": {"x": None}, "keep": None},
        increment={"lease.token": 2, "count": 1, "new.count": -1},
    )
    assert changed == Stored(
        id="a",
        revision=2,
        body={
            "lease": {"token": 3, "by": "w"},
            "keep": None,
            "new": {"deep": {"path": {"x": None}}, "count": -1},
            "count": 1,
        },
    )
    assert await store.get("plain", "a") == changed
    touched = await store.update("plain", "a")
    assert touched is not None
    assert touched.revision == 3


async def test_update_guards(store: DocumentStore) -> None:
    await store.insert("plain", "a", {"state": "OPEN", "token": 7})
    assert await store.update("plain", "b", set={"n": 1}) is None
    assert await store.update("plain", "a", where=[Eq("token", 6)], set={"n": 1}) is None
    both: list[Condition] = [Eq("token", 7), In("state", ["OPEN", "HELD"])]
    assert await store.update("plain", "a", where=[*both, Lt("token", 7)], set={"n": 1}) is None
    assert await store.get("plain", "a") == Stored(
        id="a", revision=1, body={"state": "OPEN", "token": 7}
    )
    assert await store.update("plain", "a", where=both, set={"state": "DONE"}) is not None
    assert await store.update("plain", "a", where=both, set={"state": "DONE"}) is None


@pytest.mark.parametrize(
    "change",
    [{"set": {"s.x": 1}}, {"set": {"none.x": 1}}, {"increment": {"s": 1}}, {"increment": {"o": 1}}],
    ids=str,
)
async def test_changes_that_do_not_fit_change_nothing(
    store: DocumentStore, change: dict[str, Any]
) -> None:
    if is_mock(store):
        pytest.skip("mongomock does not check what an update meets on its way")
    body: Document = {"s": "text", "none": None, "o": {}}
    await store.insert("plain", "a", body)
    with pytest.raises(ValueError, match=r"."):
        await store.update("plain", "a", **change)
    assert await store.get("plain", "a") == Stored(id="a", revision=1, body=body)


async def test_increments_are_not_lost(store: DocumentStore) -> None:
    await store.insert("plain", "a", {})
    await asyncio.gather(*(store.update("plain", "a", increment={"n": 1}) for _ in range(50)))
    assert await store.get("plain", "a") == Stored(id="a", revision=51, body={"n": 50})


async def test_claims_are_in_order_and_exclusive(store: DocumentStore) -> None:
    count, claimers = 40, 8
    await fill(
        store, {f"j{i:02}": {"state": "WAITING", "created": (i * 7) % count} for i in range(count)}
    )
    claimed: list[str] = []

    async def work(name: str) -> None:
        while True:
            got = await store.claim_one(
                "plain",
                where=[Eq("state", "WAITING")],
                order=[Order(field="created")],
                set={"state": "RUNNING", "by": name},
                increment={"token": 1},
            )
            if got is None:
                return
            assert got.body["by"] == name
            assert (got.revision, got.body["token"]) == (2, 1)
            claimed.append(got.id)
            await asyncio.sleep(0)

    first = await store.claim_one(
        "plain",
        where=[Eq("state", "WAITING")],
        order=[Order(field="created", descending=True)],
        set={"state": "RUNNING"},
    )
    assert first is not None
    assert first.body["created"] == count - 1
    await asyncio.gather(*(work(f"w{i}") for i in range(claimers)))
    assert sorted([first.id, *claimed]) == [f"j{i:02}" for i in range(count)]


async def test_two_stores_on_the_same_data_claim_each_once(
    store: DocumentStore, reopen: Reopen
) -> None:
    other = reopen()
    await other.open([PLAIN])
    await fill(store, {f"{i:02}": {"open": True} for i in range(30)})

    async def work(by: DocumentStore) -> list[str]:
        got = []
        while one := await by.claim_one(
            "plain", where=[Eq("open", True)], order=[], set={"open": False}
        ):
            got.append(one.id)
        return got

    shares = await asyncio.gather(work(store), work(other), work(store), work(other))
    assert sorted(one for share in shares for one in share) == [f"{i:02}" for i in range(30)]
    await other.close()


async def test_a_cancelled_write_is_whole_or_absent(store: DocumentStore) -> None:
    await store.insert("plain", "a", {"n": 0, "m": 0})
    for delay in range(20):
        task = asyncio.create_task(
            store.update("plain", "a", set={"m": delay + 1}, increment={"n": 1})
        )
        await asyncio.sleep(delay / 20_000)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    last = await store.update("plain", "a", set={"done": True})
    assert last is not None
    assert last.body["n"] == last.revision - 2


# ---- unique and partial indexes


async def test_unique_values(store: DocumentStore) -> None:
    first = await store.insert("items", "a", {"project": "p", "number": 1})
    second = await store.insert("items", "b", {"project": "p", "number": 2})
    with pytest.raises(DuplicateError) as inserting:
        await store.insert("items", "c", {"project": "p", "number": 1})
    with pytest.raises(DuplicateError) as replacing:
        await store.replace("items", "b", {"project": "p", "number": 1}, expected_revision=1)
    with pytest.raises(DuplicateError) as updating:
        await store.update("items", "b", set={"number": 1})
    with pytest.raises(DuplicateError) as claiming:
        await store.claim_one("items", where=[Eq("number", 2)], order=[], set={"number": 1})
    named = refusals(store, inserting.value, replacing.value, updating.value, claiming.value)
    assert set(named) <= {"project_number_u"}
    with pytest.raises(DuplicateError) as both:
        await store.insert("items", "a", {"project": "p", "number": 2})
    assert set(refusals(store, both.value)) <= {"id"}
    assert await store.get_many("items", ["a", "b", "c"]) == {"a": first, "b": second}
    await store.delete("items", "a")
    await store.insert("items", "c", {"project": "p", "number": 1})


async def test_null_and_absent_are_not_held_to_uniqueness(store: DocumentStore) -> None:
    bodies: list[Document] = [
        {},
        {"request": {}},
        {"request": {"id": None}},
        {"request": {"id": None, "at": 1}},
        {"project": "p", "number": None},
        {"number": None, "project": "p"},
        {"project": "p"},
    ]
    for i, body in enumerate(bodies):
        await store.insert("items", f"{i}", body)
    for i, body in enumerate(bodies):
        assert await store.get("items", f"{i}") == Stored(id=f"{i}", revision=1, body=body)
    nobody = await store.find("items", where=[Eq("request.id", None)], limit=10)
    assert len(nobody) == len(bodies)

    await store.update("items", "2", set={"request.id": "r"})
    with pytest.raises(DuplicateError):
        await store.update("items", "3", set={"request.id": "r"})
    freed = await store.update("items", "2", set={"request": {"id": None}})
    assert freed is not None
    assert freed.body == {"request": {"id": None}}
    taken = await store.update("items", "3", set={"request.id": "r"})
    assert taken is not None
    assert taken.body == {"request": {"id": "r", "at": 1}}
    back = await store.update("items", "3", set={"request.id": None})
    assert back is not None
    assert back.body == {"request": {"id": None, "at": 1}}
    made = await store.update("items", "0", set={"request.id": None})
    assert made is not None
    assert made.body == {"request": {"id": None}}
    gone = await store.replace("items", "3", {"x": 1}, expected_revision=back.revision)
    assert await store.get("items", "3") == gone


async def test_of_many_with_one_unique_value_one_wins(store: DocumentStore) -> None:
    outcomes = await asyncio.gather(
        *(store.insert("items", f"{i}", {"request": {"id": "r"}}) for i in range(20)),
        return_exceptions=True,
    )
    assert sum(isinstance(o, Stored) for o in outcomes) == 1
    refused = [o for o in outcomes if isinstance(o, BaseException)]
    assert len(refused) == 19
    assert set(refusals(store, *refused)) <= {"request_id_u"}
    assert await store.count("items") == 1


async def test_partial_uniqueness(store: DocumentStore) -> None:
    await store.insert("items", "a", {"holder": "h", "state": "OPEN"})
    await store.insert("items", "b", {"holder": "h", "state": "CLOSED"})
    await store.insert("items", "c", {"holder": "h", "state": "CLOSED"})
    with pytest.raises(DuplicateError):
        await store.insert("items", "d", {"holder": "h", "state": "OPEN"})
    with pytest.raises(DuplicateError) as caught:
        await store.update("items", "b", set={"state": "OPEN"})
    assert set(refusals(store, caught.value)) <= {"holder_u"}
    await store.update("items", "a", set={"state": "CLOSED"})
    assert await store.update("items", "b", set={"state": "OPEN"}) is not None


# ---- conditions


async def test_conditions_on_types_null_and_absent(store: DocumentStore) -> None:
    values: dict[str, Any] = {
        "zero": 0,
        "one": 1,
        "onef": 1.0,
        "half": 0.5,
        "true": True,
        "false": False,
        "text1": "1",
        "empty": "",
        "abc": "abc",
        "null": None,
    }
    if is_mock(store):  # it compares in Python, where True == 1
        values = {k: v for k, v in values.items() if not isinstance(v, bool)}
    await fill(store, {k: {"f": {"v": v}} for k, v in values.items()} | {"absent": {"f": {}}})

    async def match(condition: Condition) -> set[str]:
        found = set(await ids(store, condition))
        assert len(found) == await store.count("plain", where=[condition])
        return found

    everything = {*values, "absent"}
    have = everything.__and__
    assert await match(Eq("f.v", 1)) == {"one", "onef"}
    assert await match(Eq("f.v", 1.0)) == {"one", "onef"}
    assert await match(Eq("f.v", 0)) == {"zero"}
    assert await match(Eq("f.v", "1")) == {"text1"}
    assert await match(Eq("f.v", "")) == {"empty"}
    assert await match(Eq("f.v", "ABC")) == set()
    assert await match(Eq("f.v", None)) == {"null", "absent"}
    assert await match(Ne("f.v", 1)) == everything - {"one", "onef"}
    assert await match(Ne("f.v", "abc")) == everything - {"abc"}
    assert await match(Ne("f.v", None)) == everything - {"null", "absent"}
    assert await match(In("f.v", [])) == set()
    assert await match(In("f.v", [0, "abc", None])) == {"zero", "abc", "null", "absent"}
    assert await match(In("f.v", [1, 0.5])) == {"one", "onef", "half"}
    assert await match(Eq("nowhere.at.all", None)) == everything
    if not is_mock(store):
        assert await match(Eq("f.v", True)) == have({"true"})
        assert await match(Eq("f.v", False)) == have({"false"})
        assert await match(Ne("f.v", True)) == everything - {"true"}
        assert await match(In("f.v", [False, 1])) == {"false", "one", "onef"}


async def test_less_and_greater_stay_within_a_type(store: DocumentStore) -> None:
    values: dict[str, Any] = {"a": 1, "b": 2.5, "c": -3, "d": "1", "e": "x", "f": "", "g": None}
    await fill(store, {k: {"v": v} for k, v in values.items()} | {"h": {}})
    assert await ids(store, Lt("v", 2)) == ["a", "c"]
    assert await ids(store, Gt("v", 0.5)) == ["a", "b"]
    assert await ids(store, Gt("v", 2.5)) == []
    assert await ids(store, Lt("v", "x")) == ["d", "f"]
    assert await ids(store, Gt("v", "")) == ["d", "e"]
    assert await ids(store, Gt("v", "")) == await ids(store, Ne("v", ""), Gt("v", ""))
    assert await ids(store, Gt("v", 0), Lt("v", 2)) == ["a"]


async def test_values_are_never_read_as_statements(store: DocumentStore) -> None:
    nasty = ["'; DROP TABLE c_plain; --", '"', "$ne", "%", "{'$gt': ''}", "\\", "a.b"]
    await fill(store, {f"{i}": {"v": value} for i, value in enumerate(nasty)})
    for i, value in enumerate(nasty):
        assert await ids(store, Eq("v", value)) == [f"{i}"]
        assert await ids(store, In("v", [value])) == [f"{i}"]


async def test_integers_are_exact(store: DocumentStore) -> None:
    big = 2**60 + 1
    await fill(store, {"a": {"v": big}, "b": {"v": big + 1}, "c": {"v": big - 1}})
    assert await ids(store, Eq("v", big)) == ["a"]
    assert await ids(store, Lt("v", big)) == ["c"]
    assert await ids(store, order=(Order(field="v", descending=True),)) == ["b", "a", "c"]


# ---- order and pages


async def test_strings_are_in_order_of_code_points(store: DocumentStore) -> None:
    words = ["", "A", "Z", "a", "aa", "b", "z", "\u00e9", "e\u0301", "\uffff", "\U00010000", "👍"]
    await fill(store, {f"{i:02}": {"w": word} for i, word in enumerate(reversed(words))})
    found = await store.find("plain", order=[Order(field="w")], limit=50)
    assert [stored.body["w"] for stored in found] == sorted(words)


async def test_ties_are_broken_by_id_ascending(store: DocumentStore) -> None:
    await fill(store, {key: {"n": n} for key, n in [("c", 1), ("a", 1), ("d", 0), ("b", 1)]})
    assert await ids(store, order=(Order(field="n"),)) == ["d", "a", "b", "c"]
    assert await ids(store, order=(Order(field="n", descending=True),)) == ["a", "b", "c", "d"]
    assert await ids(store, order=(Order(field="n"),), limit=2) == ["d", "a"]


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize("keys", [0, 1, 2])
async def test_pages_meet_without_gap_or_repeat(
    store: DocumentStore, first: bool, second: bool, keys: int
) -> None:
    order = (Order(field="o.x", descending=first), Order(field="y", descending=second))[:keys]
    bodies: dict[str, Document] = {
        f"{i:02}": {"o": {"x": i * 5 % 4}, "y": f"{i * 7 % 3}", "open": i % 5 != 0}
        for i in range(30)
    }
    await fill(store, bodies)
    where = [Eq("open", True)]
    whole = await store.find("plain", where=where, order=order, limit=100)
    pages: list[Stored] = []
    after = None
    while page := await store.find("plain", where=where, order=order, limit=7, after=after):
        pages += page
        after = position(page[-1], order)
    assert pages == whole
    assert len(whole) == 24


async def test_pages_are_stable_while_documents_come_and_go(store: DocumentStore) -> None:
    order = [Order(field="created", descending=True)]
    for i in range(10, 30):
        await store.insert("items", f"{i}", {"project": "p", "created": i})
    where = [Eq("project", "p")]
    seen: list[str] = []
    after = None
    step = 0
    while page := await store.find("items", where=where, order=order, limit=4, after=after):
        seen += [stored.id for stored in page]
        after = position(page[-1], order)
        step += 1
        # newer ones land before the position, and what was the position's own document goes
        await store.insert("items", f"new{step}", {"project": "p", "created": 100 + step})
        await store.delete("items", page[-1].id)
    assert seen == [f"{i}" for i in range(29, 9, -1)]
