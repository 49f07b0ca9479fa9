"""What a multi-value index and a count cost in SQLite, and that side tables follow declarations."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from services.common.store import _multi, _sql
from services.common.store.port import (
    Collection,
    Condition,
    Eq,
    Has,
    HasAny,
    In,
    Index,
    Order,
    Scalar,
)
from services.common.store.sqlite import SqliteStore

BY_TAG = Index(fields=("project", "tags", "ord"), multi="tags")
BY_TEXT = Index(fields=("text", "status", "kind", "level"))
BY_KEY = Index(fields=("project", "key"), unique=True)
BY_STATUS = Index(fields=("project", "deleted", "status", "ord"))
TASKS = Collection(name="tasks", indexes=(BY_TAG, BY_STATUS, BY_TEXT, BY_KEY))
UP = Order(field="ord")
DOWN = Order(field="ord", descending=True)
P: Condition = Eq("project", "p")

# conditions that an index of the documents answers too
EVERY = [Eq("text", "x"), Eq("status", "OPEN"), Eq("kind", "k"), Eq("level", 2)]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "tasks.db")
    await store.open([TASKS])
    items = [
        (
            f"{i:04}",
            {
                "project": "p",
                "ord": i,
                "tags": ["all", f"t{i % 10}", *(["rare"] if i % 500 == 7 else [])],
                "status": "OPEN" if i % 4 else "DONE",
                "text": "x" * 300,
            },
        )
        for i in range(2000)
    ]
    await store.insert_many("tasks", items)
    yield store
    await store.close()


async def rows(store: SqliteStore, statement: str, params: Sequence[Scalar] = ()) -> list[str]:
    """Return the last column of what a statement answers."""
    assert store._reader is not None
    return await store._reader.run(
        lambda db: [str(row[-1]) for row in db.execute(statement, params)]
    )


async def traced(store: SqliteStore, where: list[Condition], order: Order, limit: int) -> list[str]:
    """Return the statements that a find runs."""
    assert store._reader is not None
    seen: list[str] = []
    await store._reader.run(lambda db: db.set_trace_callback(seen.append))
    await store.find("tasks", where=where, order=[order], limit=limit)
    await store._reader.run(lambda db: db.set_trace_callback(None))
    return seen


async def steps(
    store: SqliteStore, where: list[Condition], order: Order | None, limit: int = 20
) -> int:
    """Return about how many of SQLite's instructions a find, or a count, takes."""
    reader = store._reader
    assert reader is not None
    taken = 0

    def step() -> int:
        nonlocal taken
        taken += 1
        return 0

    await reader.run(lambda db: db.set_progress_handler(step, 10))
    if order is None:
        await store.count("tasks", where=where)
    else:
        await store.find("tasks", where=where, order=[order], limit=limit)
    await reader.run(lambda db: db.set_progress_handler(None, 10))
    return taken * 10


@pytest.mark.parametrize("order", [UP, DOWN], ids=["ascending", "descending"])
@pytest.mark.parametrize("more", [[], [Eq("deleted", None)], EVERY])
async def test_the_side_table_drives(
    store: SqliteStore, order: Order, more: list[Condition]
) -> None:
    assert store._writer is not None
    await store._writer.run(lambda db: db.execute("ANALYZE").fetchall())
    await store.close()
    await store.open([TASKS])
    (statement,) = await traced(store, [P, Has("tags", "t3"), *more], order, 5)
    side, main, *sort = await rows(store, f"EXPLAIN QUERY PLAN {statement}")
    assert re.match(r"SEARCH m USING PRIMARY KEY \(k0=\? AND k1=\?\)", side)
    assert re.match(r"SEARCH t USING INDEX \S+ \(.*\bid=\?\)", main)
    # descending, only documents at the same place of the order are sorted, by their ids
    assert sort == ([] if order is UP else ["USE TEMP B-TREE FOR RIGHT PART OF ORDER BY"])


async def test_a_unique_key_goes_before_a_list(store: SqliteStore) -> None:
    await store.update("tasks", "0700", set={"key": "k"})
    where = [P, Has("tags", "all"), Eq("key", "k")]
    assert [s.id for s in await store.find("tasks", where=where, order=[UP], limit=9)] == ["0700"]
    assert await steps(store, where, UP) < 200
    assert await steps(store, where, None) < 200


@pytest.mark.parametrize("order", [UP, DOWN], ids=["ascending", "descending"])
async def test_a_page_costs_what_it_returns(store: SqliteStore, order: Order) -> None:
    """Five times the documents, in the list and in the collection, cost nothing."""
    conditions: list[Condition] = [Has("tags", "all"), HasAny("tags", ["all", "t1", "t2", "rare"])]
    before = [await steps(store, [P, condition], order) for condition in conditions]
    late = [
        await store.find("tasks", where=[P, c], order=[order], limit=20, after=[1000, "1000"])
        for c in conditions
    ]
    assert [len(page) for page in late] == [20, 20]
    await store.insert_many(
        "tasks",
        [
            (f"more{i}", {"project": "p", "ord": i, "tags": ["all", "t1"], "status": "OPEN"})
            for i in range(8000)
        ],
    )
    after = [await steps(store, [P, condition], order) for condition in conditions]
    assert all(0 < b <= a * 1.5 + 200 for a, b in zip(before, after, strict=True))
    assert await steps(store, [P, Eq("none", "such")], order) > 20 * max(after), "a scan shows"


async def test_a_string_that_few_documents_hold_is_cheap(store: SqliteStore) -> None:
    few = [P, Has("tags", "rare")]
    assert [s.body["ord"] for s in await store.find("tasks", where=few, order=[UP], limit=99)] == [
        7,
        507,
        1007,
        1507,
    ]
    assert await steps(store, few, UP, 99) < 500
    assert await steps(store, [*few, Has("tags", "all")], UP, 99) < 2_000
    assert await steps(store, few, None) < 200


async def test_the_merge_reads_no_further_than_the_page(store: SqliteStore) -> None:
    """Each further string costs one look, not one more page."""
    one = await steps(store, [P, Has("tags", "t1")], UP, 100)
    ten = await steps(store, [P, HasAny("tags", [f"t{i}" for i in range(10)])], UP, 100)
    assert ten < 2 * one


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ([P, Eq("deleted", None)], 2000),
        ([P, Eq("deleted", None), Eq("status", "DONE")], 500),
        ([P, Eq("deleted", None), In("status", ["DONE", "OPEN"])], 2000),
        ([P, Has("tags", "t3")], 200),
        ([P, HasAny("tags", ["t3", "t4", "rare"])], 404),
    ],
)
async def test_a_count_reads_no_bodies(
    store: SqliteStore, where: list[Condition], wanted: int
) -> None:
    assert await store.count("tasks", where=where) == wanted
    driven = _multi.drive(TASKS, where)
    if driven is None:
        guard, params = _sql.conditions(where)
        statement = f'SELECT count(*) FROM "c_tasks" WHERE {guard}'
    else:
        statement, params = _multi.count(driven)

    def plan(db: sqlite3.Connection) -> tuple[bool, bool, bool]:
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'c_tasks'").fetchone()
        program = list(db.execute(f"EXPLAIN {statement}", params))
        tables = {row[2] for row in program if row[1] == "OpenRead" and row[3] == root}
        columns = [row for row in program if row[1] == "Column" and row[2] in tables]
        lines = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}", params)]
        return (
            all(line.startswith(("SEARCH", "USE TEMP")) for line in lines),
            bool(columns),
            any(row[1] == "Function" for row in program),
        )

    assert store._reader is not None
    # A row that is only named by a deferred seek is never fetched.
    assert await store._reader.run(plan) == (True, False, False)


async def test_conditions_that_the_key_does_not_answer_are_checked(tmp_path: Path) -> None:
    """True and false are 1 and 0 in a key."""
    flag = Collection(name="tasks", indexes=(Index(fields=("f", "t", "n"), multi="t"),))
    store = SqliteStore(tmp_path / "flags.db")
    await store.open([flag])
    for i, value in enumerate([True, 1, 1.0, False, 0, "1", 7]):
        await store.insert("tasks", f"{i}", {"f": value, "t": ["x"], "n": i})
    for value, wanted in ((1, "12"), (True, "0"), (0, "4"), (False, "3"), ("1", "5")):
        where: list[Condition] = [Eq("f", value), Has("t", "x")]
        found = await store.find("tasks", where=where, order=[Order(field="n")], limit=9)
        assert "".join(stored.id for stored in found) == wanted
        assert await store.count("tasks", where=where) == len(wanted)
    for first, second in ((1, 0), (0, 1), (7, 8), (8, 7)):
        both: list[Condition] = [Eq("f", first), Eq("f", second), Has("t", "x")]
        assert await store.count("tasks", where=both) == 0
    await store.close()


async def test_a_side_table_holds_what_the_documents_hold(store: SqliteStore) -> None:
    side = f'SELECT count(*) FROM "{_sql.side_table("tasks", BY_TAG)}"'
    assert await rows(store, side) == ["4004"]
    await store.update("tasks", "0007", set={"tags": ["a", "a", "b"]})
    assert await rows(store, side) == ["4003"]
    await store.delete_many("tasks", [f"{i:04}" for i in range(2000)])
    assert await rows(store, side) == ["0"]


async def test_an_update_that_does_not_concern_the_list_leaves_the_side_table(
    store: SqliteStore,
) -> None:
    assert store._writer is not None
    writer = store._writer
    before = await writer.run(lambda db: db.total_changes)
    await store.update("tasks", "0007", set={"text": "y", "status": "DONE"})
    assert await writer.run(lambda db: db.total_changes) == before + 1
    await store.update("tasks", "0007", set={"ord": 8})
    assert await writer.run(lambda db: db.total_changes) == before + 1 + 1 + 3 + 3


async def test_another_declaration_of_the_same_fields_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"

    async def found(index: Index, *where: Condition) -> list[str]:
        store = SqliteStore(path)
        await store.open([Collection(name="tasks", indexes=(index,))])
        assert _multi.drive(store._collections["tasks"], where, [UP]) is not None
        page = await store.find("tasks", where=where, order=[UP], limit=9)
        await store.update("tasks", "x", increment={"seen": 1})
        await store.close()
        return [stored.id for stored in page]

    fields = ("a", "b", "ord")
    store = SqliteStore(path)
    await store.open([Collection(name="tasks", indexes=(Index(fields=fields),))])
    await store.insert("tasks", "x", {"a": ["s"], "b": "t", "ord": 1})
    await store.insert("tasks", "y", {"a": "s", "b": ["t"], "ord": 1})
    await store.close()
    by_a, by_b = (Index(fields=fields, multi=field) for field in "ab")
    assert await found(by_a, Has("a", "s"), Eq("b", "t")) == ["x"]
    assert await found(by_b, Eq("a", "s"), Has("b", "t")) == ["y"]
    assert await found(by_a, Has("a", "s"), Eq("b", "t")) == ["x"]


async def test_an_index_that_is_declared_no_longer_is_kept_right(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    for declared in (TASKS, Collection(name="tasks"), TASKS):
        store = SqliteStore(path)
        await store.open([declared])
        number = await store.count("tasks")
        await store.insert("tasks", f"{number}", {"project": "p", "tags": ["x"], "ord": number})
        found = await store.find("tasks", where=[P, Has("tags", "x")], order=[UP], limit=9)
        assert [stored.body["ord"] for stored in found] == list(range(number + 1))
        await store.close()
