"""Finding and counting through the side table of a multi-value index in SQLite."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TypeAlias

from services.common.store import _sql
from services.common.store._sqlite_rows import stored_row
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
)

# Each string that is looked for holds a statement open while its rows are merged with the others'.
_OPEN_AT_ONCE = 64

# id, revision, body, value of the order's field
_Row: TypeAlias = tuple[str, int, str, str | int | float]


@dataclass(frozen=True, kw_only=True)
class Driven:
    """A multi-value index that answers conditions.

    Attributes:
        collection: The collection's name.
        index: The index.
        values: The strings that are looked for, each once.
        equal: What the other fields before the last are equal to, by field.
        rest: The conditions that the index does not answer.
    """

    collection: str
    index: Index
    values: Sequence[str]
    equal: Mapping[str, str | int | float]
    rest: Sequence[Condition]


def drive(
    collection: Collection, where: Sequence[Condition], order: Sequence[Order] | None = None
) -> Driven | None:
    """Return the multi-value index to go through, or None when none fits.

    One fits when there are conditions for all fields before its last (equality with a string or
    number, Has or HasAny for the list) and that last one alone is the order; no `order` means that
    any will do. Of several the one with the fewest strings to look for is taken; none when a unique
    index leaves one document anyway.
    """
    if order is not None and len(order) != 1:
        return None
    equal = {
        one.field: one.value
        for one in where
        if isinstance(one, Eq) and one.value is not None and not isinstance(one.value, bool)
    }
    if any(
        index.unique and not index.where and all(field in equal for field in index.fields)
        for index in collection.indexes
    ):
        return None
    found: list[Driven] = []
    for condition in where:
        if not isinstance(condition, Has | HasAny):
            continue
        sought = [condition.value] if isinstance(condition, Has) else condition.values
        for index in collection.indexes:
            keys = [field for field in index.fields[:-1] if field != index.multi]
            if (
                index.multi == condition.field
                and all(key in equal for key in keys)
                and (order is None or index.fields[-1] == order[0].field)
            ):
                chosen = {key: equal[key] for key in keys}
                found.append(
                    Driven(
                        collection=collection.name,
                        index=index,
                        values=list(dict.fromkeys(sought)),
                        equal=chosen,
                        rest=[
                            one
                            for one in where
                            if one is not condition and not _answered(one, chosen)
                        ],
                    )
                )
    return min(found, key=lambda one: len(one.values), default=None)


def count(driven: Driven) -> tuple[str, _sql.Params]:
    """Return the statement that counts documents; it reads none when nothing is left to check."""
    guard, params = _sql.conditions(driven.rest)
    terms, keys = _keys(driven, driven.values)
    # With one string each document has one row at most.
    what = "*" if len(driven.values) == 1 else f"DISTINCT m.{_sql.SIDE_ID}"
    statement = (
        f"SELECT count({what}) FROM {_source(driven, join=bool(driven.rest))} "  # noqa: S608
        f"WHERE {terms} AND {guard}"
    )
    return statement, [*keys, *params]


def page(
    driven: Driven, order: Sequence[Order], after: Sequence[Scalar] | None
) -> Callable[[sqlite3.Connection, int], list[Stored]]:
    """Return the function that reads a page of at most so many documents.

    It takes the rows of each string in their order and merges them, so that it reads what it
    returns, and of each further string one document, or one again if it holds several.
    """
    names = dict(zip(driven.index.fields, _sql.side_columns(driven.index), strict=False))
    last = f"m.{names[order[0].field]}"
    columns = {order[0].field: last, "id": f"m.{_sql.SIDE_ID}"}
    guard, params = _sql.conditions(driven.rest)
    if after is not None:
        behind, more = _sql.behind(order, after, columns)
        guard, params = f"{behind} AND {guard}", [*more, *params]
    key = _descending if order[0].descending else _ascending

    def find(db: sqlite3.Connection, limit: int) -> list[Stored]:
        rows: list[_Row] = []
        for first in range(0, len(driven.values), _OPEN_AT_ONCE):
            with ExitStack() as stack:
                cursors: list[Iterable[_Row]] = []
                for value in driven.values[first : first + _OPEN_AT_ONCE]:
                    terms, keys = _keys(driven, [value])
                    statement = (
                        f"SELECT t.id, revision, body, {last} "  # noqa: S608
                        f"FROM {_source(driven, join=True)} WHERE {terms} AND {guard} "
                        f"ORDER BY {_sql.order_by(order, columns)} LIMIT ?"
                    )
                    cursor = db.execute(statement, [*keys, *params, limit])
                    cursors.append(stack.enter_context(closing(cursor)))
                rows = _first(limit, heapq.merge(rows, *cursors, key=key))
        return [stored_row(row[:3]) for row in rows]

    return find


def _answered(condition: Condition, equal: Mapping[str, str | int | float]) -> bool:
    """Whether the key says all that the condition asks (true and false are 1 and 0 there)."""
    return (
        isinstance(condition, Eq)
        and condition.field in equal
        and condition.value == equal[condition.field]
        and condition.value not in (0, 1)
    )


def _source(driven: Driven, *, join: bool) -> str:
    side = f'"{_sql.side_table(driven.collection, driven.index)}" m'
    if not join:
        return side
    # CROSS JOIN: SQLite goes through the side table and looks documents up, never the other way
    return f"{side} CROSS JOIN {_sql.table(driven.collection)} t ON t.id = m.{_sql.SIDE_ID}"


def _keys(driven: Driven, values: Sequence[str]) -> tuple[str, _sql.Params]:
    terms, params = [], list[Scalar]()
    for field, column in zip(
        driven.index.fields[:-1], _sql.side_columns(driven.index), strict=False
    ):
        if field == driven.index.multi:
            terms.append(f"m.{column} IN ({', '.join('?' * len(values))})")
            params += values
        else:
            terms.append(f"m.{column} = ?")
            params.append(driven.equal[field])
    return " AND ".join(terms), params


def _first(limit: int, rows: Iterable[_Row]) -> list[_Row]:
    """Return the first rows of different documents; equal ones stand together."""
    found: list[_Row] = []
    for row in rows:
        if not found or found[-1][0] != row[0]:
            found.append(row)
        if len(found) == limit:
            break
    return found


class _Reversed:
    """A value that comes before smaller ones."""

    __slots__ = ("value",)

    def __init__(self, value: str | float) -> None:
        self.value = value

    def __lt__(self, other: _Reversed) -> bool:
        return bool(other.value < self.value)  # type: ignore[operator]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reversed) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)


def _ascending(row: _Row) -> tuple[str | int | float, str]:
    return row[3], row[0]


def _descending(row: _Row) -> tuple[_Reversed, str]:
    return _Reversed(row[3]), row[0]
