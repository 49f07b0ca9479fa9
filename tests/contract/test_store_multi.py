"""Lists of strings in every document store: Has, HasAny and the multi-value index."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from services.common.store.port import (
    Collection,
    Condition,
    Document,
    DocumentStore,
    DuplicateError,
    Eq,
    Gt,
    Has,
    HasAny,
    Index,
    Order,
    Scalar,
    Stored,
    position,
)

BY_TAG = Index(fields=("project", "meta.tags", "ord"), multi="meta.tags")
TASKS = Collection(name="tasks", indexes=(Index(fields=("project", "ord")), BY_TAG))
PLAIN = Collection(name="plain")
UP = Order(field="ord")
DOWN = Order(field="ord", descending=True)

Reopen = Callable[[], DocumentStore]


@pytest.fixture
async def store(reopen: Reopen) -> AsyncIterator[DocumentStore]:
    store = reopen()
    await store.open([TASKS, PLAIN])
    yield store
    await store.close()


def task(ord: int, *tags: str, project: str = "p", **more: Scalar) -> Document:
    return {"project": project, "ord": ord, "meta": {"tags": list(tags)}, **more}


async def fill(store: DocumentStore, bodies: dict[str, Document], to: str = "tasks") -> None:
    assert all(isinstance(o, Stored) for o in await store.insert_many(to, list(bodies.items())))


async def ids(
    store: DocumentStore,
    condition: Condition,
    *more: Condition,
    order: Order = UP,
    limit: int = 1000,
    collection: str = "tasks",
) -> list[str]:
    """Return what a find says, and hold the count to it."""
    where = [Eq("project", "p"), condition, *more]
    found = await store.find(collection, where=where, order=[order], limit=limit)
    if limit == 1000:
        assert await store.count(collection, where=where) == len(found)
    return [stored.id for stored in found]


@pytest.mark.parametrize("collection", ["tasks", "plain"], ids=["indexed", "not indexed"])
async def test_what_a_list_holds(store: DocumentStore, collection: str) -> None:
    await fill(
        store,
        {
            "two": task(5, "x", "y"),
            "one": task(4, "x"),
            "twice": task(3, "y", "y"),
            "none": task(2),
            "scalar": {"project": "p", "ord": 1, "meta": {"tags": "x"}},
            "looks": {"project": "p", "ord": 1, "meta": {"tags": '["x"]'}},
            "null": {"project": "p", "ord": 1, "meta": {"tags": None}},
            "absent": {"project": "p", "ord": 1},
            "other": task(1, "x", project="q"),
        },
        collection,
    )

    async def found(condition: Condition, *more: Condition) -> list[str]:
        return await ids(store, condition, *more, collection=collection)

    assert await found(Has("meta.tags", "x")) == ["one", "two"]
    assert await found(Has("meta.tags", "y")) == ["twice", "two"]
    assert await found(Has("meta.tags", "X")) == []
    assert await found(Has("meta.tags", "")) == []
    assert await found(HasAny("meta.tags", ["y", "x", "y"])) == ["twice", "one", "two"]
    assert await found(HasAny("meta.tags", ["zz", "y"])) == ["twice", "two"]
    assert await found(HasAny("meta.tags", [])) == []
    assert await found(Has("meta.tags", "x"), Has("meta.tags", "y")) == ["two"]
    assert await found(Has("meta.tags", "x"), HasAny("meta.tags", ["y", "z"])) == ["two"]
    assert await found(HasAny("meta.tags", ["x", "y"]), Gt("ord", 3)) == ["one", "two"]


async def test_finding_without_the_rest_of_the_index(store: DocumentStore) -> None:
    await fill(store, {"b": task(1, "x"), "a": task(2, "x", project="q"), "c": task(3, "y")})
    for order, wanted in (([], ["a", "b"]), ([UP], ["b", "a"]), ([DOWN, UP], ["a", "b"])):
        found = await store.find("tasks", where=[Has("meta.tags", "x")], order=order, limit=9)
        assert [stored.id for stored in found] == wanted
    assert await store.count("tasks", where=[Has("meta.tags", "x")]) == 2


async def test_further_conditions_hold(store: DocumentStore) -> None:
    await fill(
        store,
        {f"{i:02}": task(i, "x", "xy"[i % 2], open=i % 3 == 0, by=f"u{i % 5}") for i in range(30)},
    )
    has = HasAny("meta.tags", ["x", "y"])
    assert await ids(store, has, Eq("open", True), Eq("by", "u0")) == ["00", "15"]
    assert await ids(store, has, Eq("open", True), limit=2) == ["00", "03"]
    assert await ids(store, has, Eq("gone", None), order=DOWN, limit=2) == ["29", "28"]
    assert await ids(store, Has("meta.tags", "y"), Eq("by", "u1")) == ["01", "11", "21"]
    assert await ids(store, has, Eq("project", "q")) == []


async def test_every_write_moves_a_document_in_the_index(store: DocumentStore) -> None:
    x, y, z = (Has("meta.tags", tag) for tag in "xyz")

    async def where() -> str:
        return " ".join(["".join(await ids(store, has)) for has in (x, y, z)])

    await store.insert("tasks", "a", task(1, "x", "y"))
    refused = await store.insert_many("tasks", [("b", task(2, "y", "z")), ("a", task(0, "z"))])
    assert isinstance(refused[1], DuplicateError)
    assert await where() == "a ab b"
    await store.update("tasks", "a", set={"meta.tags": ["z", "x", "z"]})
    assert await where() == "a b ab"
    await store.update("tasks", "b", set={"meta": {"tags": ["x"]}})
    assert await where() == "ab  a"
    await store.update("tasks", "b", increment={"ord": -5})
    assert await where() == "ba  a"
    await store.update("tasks", "b", set={"unrelated": [1, 2]})
    assert await where() == "ba  a"
    await store.replace("tasks", "a", task(3, "y"), expected_revision=2)
    assert await where() == "b a "
    await store.claim_one(
        "tasks",
        where=[Eq("project", "p"), x],
        order=[UP],
        set={"meta.tags": ["y", "z"], "ord": 9},
    )
    assert await where() == " ab b"
    await store.update("tasks", "b", set={"project": "q"})
    assert await where() == " a "
    await store.update("tasks", "b", set={"project": "p", "meta.tags": "x"})
    assert await where() == " a "
    await store.update("tasks", "b", set={"meta.tags": '["x"]'})
    await store.update("tasks", "b", set={"meta.tags": ["x"]})
    assert await where() == "b a "
    await store.update("tasks", "b", set={"meta.tags": '["x"]'})
    assert await where() == " a "
    await store.update("tasks", "b", set={"meta.tags": ["y"]})
    assert await store.delete("tasks", "a")
    assert await where() == " b "
    await store.insert("tasks", "a", task(1, "x"))
    assert await where() == "a b "
    assert await store.delete_many("tasks", ["a", "b", "b", "c"]) == 2
    assert await where() == "  "
    assert await store.delete_many("tasks", ["a", "b"]) == 0
    assert await store.delete_many("tasks", []) == 0


async def test_a_claim_goes_by_what_the_list_holds(store: DocumentStore) -> None:
    await fill(store, {"a": task(3, "x"), "b": task(2, "y"), "c": task(1, "x", "y")})
    taken = []
    while claimed := await store.claim_one(
        "tasks",
        where=[Eq("project", "p"), Has("meta.tags", "x")],
        order=[UP],
        set={"meta.tags": ["done"]},
    ):
        taken.append(claimed.id)
    assert taken == ["c", "a"]
    assert await ids(store, Has("meta.tags", "done")) == ["c", "a"]
    guard = [Has("meta.tags", "y")]
    assert await store.update("tasks", "a", where=guard, set={"n": 1}) is None
    assert await store.update("tasks", "b", where=guard, set={"n": 1}) is not None


@pytest.mark.parametrize("order", [UP, DOWN], ids=["ascending", "descending"])
@pytest.mark.parametrize("condition", [Has("meta.tags", "x"), HasAny("meta.tags", ["y", "x", "z"])])
async def test_pages_of_a_list_meet(
    store: DocumentStore, order: Order, condition: Condition
) -> None:
    # each place in the order is shared by three documents, so pages break within it
    bodies = {f"{i:02}": task(i * 7 % 40 // 3, *"xyz"[: i % 4], n=i) for i in range(40)}
    await fill(store, bodies)
    where = [Eq("project", "p"), condition, Gt("n", 4)]
    wanted = sorted(i for i, b in bodies.items() if b["meta"]["tags"] and b["n"] > 4)
    wanted.sort(key=lambda i: bodies[i]["ord"], reverse=order.descending)
    found: list[str] = []
    after = None
    while page := await store.find("tasks", where=where, order=[order], limit=4, after=after):
        found += [stored.id for stored in page]
        after = position(page[-1], [order])
    assert found == wanted


async def test_strings_order_a_list_too(store: DocumentStore) -> None:
    words = ["", "A", "a", "é", "\uffff", "\U00010000"]
    bodies: dict[str, Document] = {
        f"{i}": {"project": "p", "ord": word, "meta": {"tags": ["xy"[i % 2]]}}
        for i, word in enumerate(words)
    }
    await fill(store, bodies)
    either = HasAny("meta.tags", ["x", "y"])
    assert await ids(store, either) == ["0", "1", "2", "3", "4", "5"]
    assert await ids(store, either, order=DOWN) == ["5", "4", "3", "2", "1", "0"]


@pytest.mark.parametrize("order", [UP, DOWN], ids=["ascending", "descending"])
async def test_many_strings_at_once(store: DocumentStore, order: Order) -> None:
    tags = [f"t{i}" for i in range(200)]
    await fill(
        store, {f"{i:03}": task(i * 37 % 200, tags[i], tags[(i + 77) % 200]) for i in range(200)}
    )
    wanted = sorted(range(200), key=lambda i: i * 37 % 200, reverse=order.descending)
    either = HasAny("meta.tags", tags)
    assert await ids(store, either, order=order) == [f"{i:03}" for i in wanted]
    assert await ids(store, either, order=order, limit=7) == [f"{i:03}" for i in wanted[:7]]


async def test_documents_that_were_there_before_the_index(reopen: Reopen) -> None:
    bodies = {"a": task(2, "x", "y"), "b": task(1, "x", "x"), "c": {"project": "p", "ord": 3}}
    first = reopen()
    await first.open([Collection(name="tasks")])
    await fill(first, bodies)
    await first.close()
    later = reopen()
    await later.open([TASKS])
    assert await ids(later, Has("meta.tags", "x")) == ["b", "a"]
    assert await ids(later, HasAny("meta.tags", ["y", "x"])) == ["b", "a"]
    assert await later.update("tasks", "c", set={"meta.tags": ["x"]}) is not None
    assert await later.delete("tasks", "b")
    await later.close()
    again = reopen()
    await again.open([TASKS])
    assert await ids(again, Has("meta.tags", "x")) == ["a", "c"]
    await again.close()


@pytest.mark.parametrize(
    "bad",
    [
        Index(fields=("project", "tags", "ord"), multi="other"),
        Index(fields=("project", "ord", "tags"), multi="tags"),
        Index(fields=("project", "tags", "ord"), multi="tags", unique=True),
        Index(fields=("project", "tags", "ord"), multi="tags", where={"open": True}),
    ],
)
async def test_what_cannot_be_a_multi_value_index(reopen: Reopen, bad: Index) -> None:
    store = reopen()
    with pytest.raises(ValueError, match="multi-value"):
        await store.open([Collection(name="tasks", indexes=(bad,))])


@pytest.mark.parametrize(
    "condition",
    [
        Has("meta.tags", 1),  # type: ignore[arg-type]
        Has("meta.tags", None),  # type: ignore[arg-type]
        Has("meta.tags", "a\0b"),
        Has("$where", "a"),
        HasAny("meta.tags", ["a", True]),  # type: ignore[list-item]
        HasAny("meta.tags", ["\ud800"]),
        HasAny("meta.tags", ["a"] * 10_001),
        HasAny("meta tags", ["a"]),
    ],
)
async def test_what_cannot_be_looked_for(store: DocumentStore, condition: Condition) -> None:
    with pytest.raises(ValueError, match=r"Has|NUL|path|surrogate"):
        await store.find("tasks", where=[condition], limit=1)
    with pytest.raises(ValueError, match=r"Has|NUL|path|surrogate"):
        await store.count("tasks", where=[condition])
