"""Tables, indexes and triggers of declared collections in a SQLite file.

A multi-value index is a side table. A row of it is one string of the list with the other fields of
the index and the document's id; rows are keyed by all of it, so that a page of one string in its
order is one range of the table. Triggers keep it, in the transaction of the write itself and
whatever program writes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from services.common.store import _sql
from services.common.store._sqlite_connection import transaction
from services.common.store.port import Collection, Index, SchemaError


def declare(db: sqlite3.Connection, collections: Sequence[Collection]) -> None:
    """Create what is missing and make anew what was declared otherwise, all or nothing.

    Documents that are there already are in a new index at once. An index that is declared no
    longer stays, and is kept, unless the collection says that it must be dropped.

    Raises:
        SchemaError: Documents break a new unique index.
    """
    # Sorting a large collection for a new index may need more than memory.
    db.execute("PRAGMA temp_store = DEFAULT")
    try:
        with transaction(db):
            for collection in collections:
                db.execute(_sql.table_ddl(collection))
                for index in collection.dropped:
                    db.execute(f'DROP INDEX IF EXISTS "{_sql.index_name(collection.name, index)}"')
                for index in collection.indexes:
                    if index.multi:
                        _declare_multi(db, collection.name, index)
                    else:
                        _declare_index(db, collection.name, index)
    finally:
        db.execute("PRAGMA temp_store = MEMORY")


def _declare_index(db: sqlite3.Connection, collection: str, index: Index) -> None:
    name, ddl = _sql.index_name(collection, index), _sql.index_ddl(collection, index)
    found = _sql_of(db, name)
    if found == ddl:
        return
    if found is not None:
        db.execute(f'DROP INDEX "{name}"')
    try:
        db.execute(ddl)
    except sqlite3.IntegrityError as error:
        raise SchemaError(
            f"documents of {collection} break the new unique index {index.name}"
        ) from error


def _declare_multi(db: sqlite3.Connection, collection: str, index: Index) -> None:
    wanted = _multi_ddl(collection, index)
    if all(_sql_of(db, name) == ddl for name, ddl in wanted.items()):
        return
    side, *triggers = wanted
    for name in triggers:
        db.execute(f'DROP TRIGGER IF EXISTS "{name}"')
    db.execute(f'DROP TABLE IF EXISTS "{side}"')
    for ddl in wanted.values():
        db.execute(ddl)
    db.execute(_entries(collection, index, source=_sql.table(collection)))


def _multi_ddl(collection: str, index: Index) -> dict[str, str]:
    """Return the statements that create the side table and its triggers, by name."""
    side, main = _sql.side_table(collection, index), _sql.table(collection)
    name = _sql.index_name(collection, index)
    columns = ", ".join(_sql.side_columns(index))
    add = _entries(collection, index, row="NEW")
    # By key, not by document id: the table is in order of its key only.
    remove = f'DELETE FROM "{side}" WHERE ({columns}) IN ({_select(index, row="OLD")})'  # noqa: S608
    changed = " OR ".join(
        f"{_value(index, field, 'OLD')} IS NOT {_value(index, field, 'NEW')}"
        for field in index.fields
    )
    triggers = {
        "insert": f"AFTER INSERT ON {main} BEGIN {add}; END",
        "delete": f"AFTER DELETE ON {main} BEGIN {remove}; END",
        "update": f"AFTER UPDATE ON {main} WHEN {changed} BEGIN {remove}; {add}; END",
    }
    return {
        side: f'CREATE TABLE "{side}" ({columns}, PRIMARY KEY ({columns})) WITHOUT ROWID',
        **{
            f"{name}_{event}": f'CREATE TRIGGER "{name}_{event}" {text}'
            for event, text in triggers.items()
        },
    }


def _entries(collection: str, index: Index, *, row: str = "", source: str = "") -> str:
    """Return the statement that enters one row, or all of the table `source`."""
    side, columns = _sql.side_table(collection, index), ", ".join(_sql.side_columns(index))
    # IGNORE: a string that stands twice in a list is entered once.
    return f'INSERT OR IGNORE INTO "{side}" ({columns}) {_select(index, row=row, source=source)}'


def _select(index: Index, *, row: str = "", source: str = "") -> str:
    row = row or source
    values = [
        "e.value" if field == index.multi else _value(index, field, row) for field in index.fields
    ]
    # Items of a list have numbers for keys: this leaves objects and scalars out.
    return (
        f"SELECT {', '.join(values)}, {row}.id "  # noqa: S608
        f"FROM {f'{source}, ' if source else ''}json_each({_value(index, index.multi, row)}) e "
        "WHERE e.type = 'text' AND typeof(e.key) = 'integer'"
    )


def _value(index: Index, field: str, row: str) -> str:
    value = f"json_extract({row}.body, {_sql.json_path(field)})"
    # Quoted, a list and a string that looks like one differ. And json_each then parses the list
    # alone, while the parsed document is shared by all that is extracted from it.
    return f"json_quote({value})" if field == index.multi else value


def _sql_of(db: sqlite3.Connection, name: str) -> str | None:
    found = db.execute("SELECT sql FROM sqlite_master WHERE name = ?", [name]).fetchone()
    return None if found is None else str(found[0])
