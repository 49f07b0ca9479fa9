"""Random programs against a store and against a model of a few lines must agree."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mongomock_motor import AsyncMongoMockClient

from services.common.store.mongo import MongoStore
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
    In,
    Index,
    Lt,
    Ne,
    Order,
    RevisionError,
    position,
    read_path,
)
from services.common.store.sqlite import SqliteStore

THINGS = Collection(
    name="things",
    indexes=(
        Index(fields=("a", "n")),
        Index(fields=("u.k",), unique=True),
        Index(fields=("t", "n"), multi="t"),
        Index(fields=("a", "t", "n"), multi="t"),
    ),
)
ORDERS = [[], [Order(field="n")], [Order(field="n", descending=True)]]

names = st.sampled_from(["d1", "d2", "d3", "d4", "d5"])
texts = st.sampled_from(["", "a", "b", "ä", "👍"]) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=3
)
numbers = st.integers(2, 5) | st.just(2.5)
scalars = st.none() | texts | numbers
tags = st.sampled_from(["", "x", "y", "ä", "👍", '["x"]'])
tagged = st.none() | tags | st.lists(tags, max_size=4)
bodies = st.fixed_dictionaries(
    {"n": numbers},
    optional={
        "a": scalars,
        "t": tagged,
        "u": st.fixed_dictionaries({}, optional={"k": st.none() | texts}),
    },
)
conditions = st.one_of(
    st.builds(Eq, st.sampled_from(["a", "n", "u.k", "zz"]), scalars),
    st.builds(Ne, st.sampled_from(["a", "n", "u.k", "zz"]), scalars),
    st.builds(In, st.sampled_from(["a", "n", "u.k"]), st.lists(scalars, max_size=3)),
    st.builds(Lt, st.sampled_from(["a", "n", "u.k"]), texts | numbers),
    st.builds(Gt, st.sampled_from(["a", "n", "u.k"]), texts | numbers),
    st.builds(Has, st.just("t"), tags),
    st.builds(HasAny, st.just("t"), st.lists(tags, max_size=4)),
)
# the combinations that a multi-value index answers, which chance alone rarely makes
driven = st.tuples(
    st.builds(Eq, st.just("a"), scalars),
    st.builds(HasAny, st.just("t"), st.lists(tags, min_size=1, max_size=3)),
).map(list)
wheres = st.lists(conditions, max_size=2) | driven
steps = st.one_of(
    st.tuples(st.just("insert"), names, bodies),
    st.tuples(st.just("insert_many"), st.lists(st.tuples(names, bodies), max_size=4)),
    st.tuples(st.just("replace"), names, bodies, st.integers(1, 3)),
    st.tuples(
        st.just("update"),
        names,
        wheres,
        st.fixed_dictionaries(
            {}, optional={"a": scalars, "t": tagged, "n": numbers, "u.k": st.none() | texts}
        ),
    ),
    st.tuples(st.just("claim"), wheres, st.sampled_from(ORDERS)),
    st.tuples(st.just("delete"), names),
    st.tuples(st.just("delete_many"), st.lists(names, max_size=4)),
    st.tuples(st.just("find"), wheres, st.sampled_from(ORDERS)),
)


def holds(condition: Condition, body: Document) -> bool:
    value = read_path(body, condition.field)
    match condition:
        case Eq(value=wanted):
            return bool(value == wanted)
        case Ne(value=wanted):
            return bool(value != wanted)
        case In(values=wanted_values):
            return value in wanted_values
        case Has(value=sought):
            return isinstance(value, list) and sought in value
        case HasAny(values=several):
            return isinstance(value, list) and any(one in several for one in value)
        case Lt(value=bound) | Gt(value=bound):
            if value is None or isinstance(value, str) != isinstance(bound, str):
                return False
            return bool(value < bound if isinstance(condition, Lt) else value > bound)


class Model:
    def __init__(self) -> None:
        self.documents: dict[str, tuple[int, Document]] = {}

    def write(self, id: str, revision: int, body: Document) -> str:
        key = read_path(body, "u.k")
        others = [read_path(b, "u.k") for other, (_, b) in self.documents.items() if other != id]
        if key is not None and key in others:
            return "duplicate"
        self.documents[id] = (revision, body)
        return "ok"

    def matching(self, where: list[Condition], order: list[Order]) -> list[str]:
        found = sorted(i for i, (_, b) in self.documents.items() if all(holds(c, b) for c in where))
        for key in order:  # at most one; Python's reverse keeps ties in order, as the port wants
            found.sort(key=lambda i: self.documents[i][1][key.field], reverse=key.descending)
        return found


def changed(body: Document, changes: dict[str, Any]) -> Document:
    new = {**body}
    for path, value in changes.items():
        if path == "u.k":
            new["u"] = {**new.get("u", {}), "k": value}
        else:
            new[path] = value
    return new


async def check(store: DocumentStore, program: list[Any]) -> None:
    model = Model()
    for step in program:
        match step:
            case ("insert", id, body):
                want = "duplicate" if id in model.documents else model.write(id, 1, body)
                try:
                    await store.insert("things", id, body)
                    got = "ok"
                except DuplicateError:
                    got = "duplicate"
                assert got == want
            case ("insert_many", items):
                wants = [
                    "duplicate" if key in model.documents else model.write(key, 1, body)
                    for key, body in items
                ]
                outcomes = await store.insert_many("things", items)
                gots = ["duplicate" if isinstance(o, DuplicateError) else "ok" for o in outcomes]
                assert gots == wants
            case ("replace", id, body, revision) if id in model.documents:
                if model.documents[id][0] != revision:
                    want = "revision"
                else:
                    want = model.write(id, revision + 1, body)
                try:
                    await store.replace("things", id, body, expected_revision=revision)
                    got = "ok"
                except RevisionError:
                    got = "revision"
                except DuplicateError:
                    got = "duplicate"
                assert got == want
            case ("update", id, where, changes):
                want = "none"
                if id in model.matching(where, []):
                    revision, old = model.documents[id]
                    want = model.write(id, revision + 1, changed(old, changes))
                try:
                    done = await store.update("things", id, where=where, set=changes)
                    got = "none" if done is None else "ok"
                except DuplicateError:
                    got = "duplicate"
                assert got == want
            case ("claim", where, order):
                first = model.matching(where, order)[:1]
                for key in first:
                    revision, old = model.documents[key]
                    model.write(key, revision + 1, {**old, "claimed": True})
                claimed = await store.claim_one(
                    "things", where=where, order=order, set={"claimed": True}
                )
                assert ([] if claimed is None else [claimed.id]) == first
            case ("delete", id):
                assert await store.delete("things", id) == (
                    model.documents.pop(id, None) is not None
                )
            case ("delete_many", ids):
                gone = {key for key in ids if model.documents.pop(key, None) is not None}
                assert await store.delete_many("things", ids) == len(gone)
            case ("find", where, order):
                wanted = model.matching(where, order)
                found: list[str] = []
                after = None
                while page := await store.find(
                    "things", where=where, order=order, limit=2, after=after
                ):
                    found += [stored.id for stored in page]
                    after = position(page[-1], order)
                assert found == wanted
                assert await store.count("things", where=where) == len(wanted)
            case _:
                pass
    for key, (revision, body) in model.documents.items():
        stored = await store.get("things", key)
        assert stored is not None
        assert (stored.revision, stored.body) == (revision, body)
    assert await store.count("things") == len(model.documents)


def sqlite_store(directory: Path) -> DocumentStore:
    return SqliteStore(directory / "model.db")


def mock_store(directory: Path) -> DocumentStore:
    return MongoStore("mongodb://mock/", "test", client=AsyncMongoMockClient())


@pytest.mark.parametrize("make", [sqlite_store, mock_store])
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(program=st.lists(steps, min_size=3, max_size=25))
def test_a_store_does_what_the_model_does(
    make: Callable[[Path], DocumentStore], program: list[Any]
) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as directory:
            store = make(Path(directory))
            await store.open([THINGS])
            try:
                await check(store, program)
            finally:
                await store.close()

    asyncio.run(run())
