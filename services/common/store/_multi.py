"""Multi-value indexes in SQLite: a side table each, kept by triggers in the same transaction.

A row is one string of the list with the other fields of the index and the document's id. Rows are
keyed by all of it, so that a page of one string in its order is one range of the table.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.common.store import _sql
from services.common.store.port import (
    Collection,
    Condition,
    Eq,
    Has,
    HasAny,
    Index,
    Order,
    Scalar,
    Stored,
    position,
)

_ID = "doc"


@dataclass(frozen=True, kw_only=True)
class Drive:
    """How a find goes through a side table: one statement for each string that is looked for."""

    statements: Sequence[str]
    params: Sequence[_sql.Params]


def statements(collection: Collection, index: Index) -> list[str]:
    """Return what creates the side table of an index, its triggers, and its first content."""
    side, main = _side(collection, index), _sql.table(collection.name)
    columns = ", ".join([*_columns(index), _ID])
    name = _sql.index_name(collection.name, index)

    def rows(body: str, id: str) -> str:
        path = _sql.json_path(index.multi)
        values = [
            "e.value" if field == index.multi else f"json_extract({body}, {_sql.json_path(field)})"
            for field in index.fields
        ]
        return (
            f"SELECT DISTINCT {', '.join(values)}, {id} FROM json_each({body}, {path}) e "  # noqa: S608
            f"WHERE e.type = 'text' AND json_type({body}, {path}) = 'array'"
        )

    insert = f"INSERT OR IGNORE INTO {side} ({columns}) {rows('NEW.body', 'NEW.id')};"
    gone = rows("OLD.body", "OLD.id")
    remove = f"DELETE FROM {side} WHERE ({columns}) IN ({gone});"  # noqa: S608
    both = f"{remove} {insert}"
    changed = " OR ".join(
        f"json_extract(OLD.body, {_sql.json_path(field)}) IS NOT "
        f"json_extract(NEW.body, {_sql.json_path(field)})"
        for field in index.fields
    )
    return [
        f"CREATE TABLE {side} ({columns}, PRIMARY KEY ({columns})) WITHOUT ROWID",
        f'CREATE TRIGGER "{name}_insert" AFTER INSERT ON {main} BEGIN {insert} END',
        f'CREATE TRIGGER "{name}_delete" AFTER DELETE ON {main} BEGIN {remove} END',
        f'CREATE TRIGGER "{name}_update" AFTER UPDATE ON {main} WHEN {changed} BEGIN {both} END',
        f"INSERT OR IGNORE INTO {side} ({columns}) "
        + rows(f"{main}.body", f"{main}.id").replace("FROM json_each", f"FROM {main}, json_each"),
    ]


def declare(db: sqlite3.Connection, collection: Collection, index: Index) -> None:
    """Create the side table of an index if it is missing, or anew if it was declared otherwise."""
    wanted = statements(collection, index)
    table = _side(collection, index).strip('"')
    found = db.execute("SELECT sql FROM sqlite_master WHERE name = ?", [table]).fetchone()
    if found is not None and found[0] == wanted[0]:
        return
    if found is not None:
        name = _sql.index_name(collection.name, index)
        for event in ("insert", "delete", "update"):
            db.execute(f'DROP TRIGGER IF EXISTS "{name}_{event}"')
        db.execute(f'DROP TABLE "{table}"')
    for statement in wanted:
        db.execute(statement)


def drive(
    collection: Collection,
    where: Sequence[Condition],
    order: Sequence[Order],
    after: Sequence[Scalar] | None,
) -> Drive | None:
    """Return how to find documents through a multi-value index, or None when none fits.

    One fits when the order is that of its last field, and there are conditions for all fields
    before: equality with a string or number, and Has or HasAny for the list.
    """
    if len(order) != 1:
        return None
    equal = {
        one.field: one.value
        for one in where
        if isinstance(one, Eq) and one.value is not None and not isinstance(one.value, bool)
    }
    for condition in where:
        if not isinstance(condition, Has | HasAny):
            continue
        for index in collection.indexes:
            keys = [field for field in index.fields[:-1] if field != index.multi]
            fits = index.multi == condition.field and index.fields[-1] == order[0].field
            if fits and all(key in equal for key in keys):
                rest = [one for one in where if one is not condition]
                values = [condition.value] if isinstance(condition, Has) else condition.values
                return _through(collection, index, equal, list(values), rest, order, after)
    return None


def run(
    db: sqlite3.Connection,
    how: Drive,
    order: Sequence[Order],
    limit: int,
    read: Callable[[tuple[str, int, str]], Stored],
) -> list[Stored]:
    """Carry a find out: the pages of all strings, merged."""
    pages = [
        [read(row) for row in db.execute(statement, [*params, limit])]
        for statement, params in zip(how.statements, how.params, strict=True)
    ]
    if len(pages) == 1:
        return pages[0]
    sign = -1 if order[0].descending else 1

    def key(stored: Stored) -> tuple[_Key, str]:
        return _Key(position(stored, order)[0], sign), stored.id

    found: list[Stored] = []
    for stored in heapq.merge(*pages, key=key):
        if not found or found[-1].id != stored.id:
            found.append(stored)
        if len(found) == limit:
            break
    return found


class _Key:
    """A value of an order field; the larger ones come first when `sign` is negative."""

    __slots__ = ("sign", "value")

    def __init__(self, value: object, sign: int) -> None:
        self.value = value
        self.sign = sign

    def __lt__(self, other: _Key) -> bool:
        mine, theirs = (self.value, other.value) if self.sign > 0 else (other.value, self.value)
        return bool(mine < theirs)  # type: ignore[operator]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]


def _through(
    collection: Collection,
    index: Index,
    equal: dict[str, str | int | float],
    values: Sequence[str],
    rest: Sequence[Condition],
    order: Sequence[Order],
    after: Sequence[Scalar] | None,
) -> Drive:
    names = dict(zip(index.fields, _columns(index), strict=True))
    columns = {order[0].field: f"m.{names[order[0].field]}", "id": f"m.{_ID}"}
    texts, all_params = [], []
    for value in dict.fromkeys(values):
        terms, params = [], list[Scalar]()
        for field in index.fields[:-1]:
            terms.append(f"m.{names[field]} = ?")
            params.append(value if field == index.multi else equal[field])
        if after is not None:
            behind, more = _sql.behind(order, after, columns)
            terms.append(behind)
            params += more
        guard, more = _sql.conditions(rest)
        # CROSS JOIN: SQLite goes through the side table and looks the documents up, never the
        # other way round.
        texts.append(
            f"SELECT id, revision, body FROM {_side(collection, index)} m "  # noqa: S608
            f"CROSS JOIN {_sql.table(collection.name)} t ON t.id = m.{_ID} "
            f"WHERE {' AND '.join(terms)} AND {guard} "
            f"ORDER BY {_sql.order_by(order, columns)} LIMIT ?"
        )
        all_params.append([*params, *more])
    return Drive(statements=texts, params=all_params)


def _side(collection: Collection, index: Index) -> str:
    return f'"m_{collection.name}__{index.name}"'


def _columns(index: Index) -> list[str]:
    return [f"k{place}" for place in range(len(index.fields))]
