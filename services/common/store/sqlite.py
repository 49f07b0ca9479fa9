"""The document store on one SQLite file: the embedded default.

Two connections, each owned by one thread: all writes go through the first, one transaction after
the other; reads go through the second and see the last committed state (WAL). A call hands its
whole transaction to the thread as one function, JSON work included. So the event loop never
blocks, transactions never interleave, and a cancelled caller leaves none half done: it commits or
rolls back on its own. (That is why this is not aiosqlite, which takes one statement at a time.)
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from services.common.store import _multi, _sql
from services.common.store._documents import (
    apply_changes,
    check_collections,
    check_conditions,
    check_id,
    check_page,
    checked_body,
    checked_changes,
    unique_indexes,
)
from services.common.store._sqlite_connection import Connection, prepare, transaction
from services.common.store._sqlite_rows import at_revision, dump, stored_row
from services.common.store._sqlite_schema import declare
from services.common.store.port import (
    Collection,
    Condition,
    Document,
    DuplicateError,
    MissingError,
    Order,
    Scalar,
    Stored,
    StoreUnavailableError,
)

_UNIQUE = re.compile(r"UNIQUE constraint failed: index '(?P<index>[^']+)'")

T = TypeVar("T")


class SqliteStore:
    """A `DocumentStore` in one file. Use one object per file and process.

    Other processes may open the same file; a write waits up to five seconds for theirs.
    """

    def __init__(self, path: Path | str) -> None:
        """Remember the file; `open` creates it and its directory."""
        self._path = Path(path)
        self._collections: dict[str, Collection] = {}
        self._writer: Connection | None = None
        self._reader: Connection | None = None

    async def open(self, collections: Sequence[Collection]) -> None:
        """See `DocumentStore.open`.

        Raises:
            SchemaError: The file is another program's, was written by another schema version, or
                holds documents that a new unique index forbids.
        """
        check_collections(collections)
        if self._writer is None:
            writer = Connection(self._path, write=True)
            reader = Connection(self._path, write=False)
            try:
                await writer.run(prepare)
                await reader.run(lambda _: None)
            except BaseException:
                await asyncio.shield(asyncio.gather(writer.close(), reader.close()))
                raise
            self._writer, self._reader = writer, reader
        await self._writer.run(lambda db: declare(db, collections))
        self._collections |= {collection.name: collection for collection in collections}

    async def close(self) -> None:
        """See `DocumentStore.close`."""
        writer, reader = self._writer, self._reader
        self._writer = self._reader = None
        for connection in (reader, writer):  # the writer last: it folds the WAL into the file
            if connection is not None:
                await connection.close()

    async def ping(self) -> None:
        """See `DocumentStore.ping`."""
        await self._read(lambda db: db.execute("SELECT count(*) FROM sqlite_master").fetchone())

    async def insert(self, collection: str, id: str, body: Document) -> Stored:
        """See `DocumentStore.insert`."""
        (outcome,) = await self.insert_many(collection, [(id, body)])
        if isinstance(outcome, DuplicateError):
            raise outcome
        return outcome

    async def insert_many(
        self, collection: str, items: Sequence[tuple[str, Document]]
    ) -> list[Stored | DuplicateError]:
        """See `DocumentStore.insert_many`. The whole batch is one transaction."""
        table = self._table(collection)
        statement = f"INSERT INTO {table} (id, revision, body) VALUES (?, 1, ?)"  # noqa: S608

        def work(db: sqlite3.Connection) -> list[Stored | DuplicateError]:
            rows = [(check_id(key), checked_body(body)) for key, body in items]
            texts = [dump(body) for _, body in rows]
            outcomes: list[Stored | DuplicateError] = []
            with transaction(db):
                for (key, body), text in zip(rows, texts, strict=True):
                    try:
                        db.execute(statement, (key, text))
                    except sqlite3.IntegrityError as error:  # undoes this statement only
                        outcomes.append(self._duplicate(db, collection, key, error))
                    else:
                        outcomes.append(Stored(id=key, revision=1, body=body))
            return outcomes

        return await self._write(work) if items else []

    async def get(self, collection: str, id: str) -> Stored | None:
        """See `DocumentStore.get`."""
        return (await self.get_many(collection, [id])).get(id)

    async def get_many(self, collection: str, ids: Sequence[str]) -> dict[str, Stored]:
        """See `DocumentStore.get_many`."""
        statement = (
            f"SELECT id, revision, body FROM {self._table(collection)} "  # noqa: S608
            "WHERE id IN (SELECT value FROM json_each(?))"
        )
        wanted = json.dumps([check_id(key) for key in ids])
        found = await self._read(
            lambda db: [stored_row(row) for row in db.execute(statement, [wanted])]
        )
        return {stored.id: stored for stored in found}

    async def replace(
        self, collection: str, id: str, body: Document, *, expected_revision: int
    ) -> Stored:
        """See `DocumentStore.replace`."""
        table = self._table(collection)
        check_id(id)

        def work(db: sqlite3.Connection) -> Stored:
            new = checked_body(body)
            text = dump(new)
            with transaction(db):
                at_revision(db, table, id, expected_revision)
                return self._rewrite(db, collection, id, expected_revision + 1, new, text)

        return await self._write(work)

    async def update(
        self,
        collection: str,
        id: str,
        *,
        where: Sequence[Condition] = (),
        set: Mapping[str, Any] | None = None,
        increment: Mapping[str, int] | None = None,
    ) -> Stored | None:
        """See `DocumentStore.update`."""
        check_conditions(where)
        guard, params = _sql.conditions(where)
        return await self._change(
            collection, f"id = ? AND {guard}", [check_id(id), *params], "id", set, increment
        )

    async def claim_one(
        self,
        collection: str,
        *,
        where: Sequence[Condition],
        order: Sequence[Order],
        set: Mapping[str, Any],
        increment: Mapping[str, int] | None = None,
    ) -> Stored | None:
        """See `DocumentStore.claim_one`."""
        check_conditions(where)
        check_page(order, 1, None)
        guard, params = _sql.conditions(where)
        return await self._change(collection, guard, params, _sql.order_by(order), set, increment)

    async def delete(
        self, collection: str, id: str, *, expected_revision: int | None = None
    ) -> bool:
        """See `DocumentStore.delete`."""
        table = self._table(collection)
        check_id(id)

        def work(db: sqlite3.Connection) -> bool:
            with transaction(db):
                if expected_revision is not None:
                    try:
                        at_revision(db, table, id, expected_revision)
                    except MissingError:
                        return False
                done = db.execute(f"DELETE FROM {table} WHERE id = ?", [id])  # noqa: S608
                return done.rowcount == 1

        return await self._write(work)

    async def delete_many(self, collection: str, ids: Sequence[str]) -> int:
        """See `DocumentStore.delete_many`. The whole batch is one transaction."""
        statement = (
            f"DELETE FROM {self._table(collection)} "  # noqa: S608
            "WHERE id IN (SELECT value FROM json_each(?))"
        )
        wanted = json.dumps([check_id(key) for key in ids])

        def work(db: sqlite3.Connection) -> int:
            with transaction(db):
                return db.execute(statement, [wanted]).rowcount

        return await self._write(work) if ids else 0

    async def find(
        self,
        collection: str,
        *,
        where: Sequence[Condition] = (),
        order: Sequence[Order] = (),
        limit: int,
        after: Sequence[Scalar] | None = None,
    ) -> list[Stored]:
        """See `DocumentStore.find`."""
        table = self._table(collection)
        check_conditions(where)
        check_page(order, limit, after)
        guard, params = _sql.conditions(where)
        driven = _multi.drive(self._collections[collection], where, order)
        if driven is not None:
            find = _multi.page(driven, order, after)
            return await self._read(lambda db: find(db, limit))
        if after is not None:
            behind, more = _sql.behind(order, after)
            guard, params = f"{guard} AND {behind}", [*params, *more]
        statement = (
            f"SELECT id, revision, body FROM {table} WHERE {guard} "  # noqa: S608
            f"ORDER BY {_sql.order_by(order)} LIMIT ?"
        )
        return await self._read(
            lambda db: [stored_row(row) for row in db.execute(statement, [*params, limit])]
        )

    async def count(self, collection: str, *, where: Sequence[Condition] = ()) -> int:
        """See `DocumentStore.count`."""
        table = self._table(collection)
        check_conditions(where)
        driven = _multi.drive(self._collections[collection], where)
        if driven is not None:
            statement, params = _multi.count(driven)
        else:
            guard, params = _sql.conditions(where)
            statement = f"SELECT count(*) FROM {table} WHERE {guard}"  # noqa: S608
        return await self._read(lambda db: int(db.execute(statement, params).fetchone()[0]))

    async def _change(
        self,
        collection: str,
        guard: str,
        params: Sequence[Scalar],
        order: str,
        set: Mapping[str, Any] | None,
        increment: Mapping[str, int] | None,
    ) -> Stored | None:
        """Change the first document that meets the guard, all in one write transaction."""
        values, steps = checked_changes(set, increment)
        statement = (
            f"SELECT id, revision, body FROM {self._table(collection)} "  # noqa: S608
            f"WHERE {guard} ORDER BY {order} LIMIT 1"
        )

        def work(db: sqlite3.Connection) -> Stored | None:
            with transaction(db):
                row = db.execute(statement, params).fetchone()
                if row is None:
                    return None
                old = stored_row(row)
                apply_changes(old.body, values, steps)
                text = dump(old.body)
                return self._rewrite(db, collection, old.id, old.revision + 1, old.body, text)

        return await self._write(work)

    def _rewrite(
        self,
        db: sqlite3.Connection,
        collection: str,
        id: str,
        revision: int,
        body: Document,
        text: str,
    ) -> Stored:
        table = self._table(collection)
        try:
            db.execute(
                f"UPDATE {table} SET revision = ?, body = ? WHERE id = ?",  # noqa: S608
                [revision, text, id],
            )
        except sqlite3.IntegrityError as error:
            raise self._duplicate(db, collection, None, error) from None
        return Stored(id=id, revision=revision, body=body)

    def _duplicate(
        self,
        db: sqlite3.Connection,
        collection: str,
        id: str | None,
        error: sqlite3.IntegrityError,
    ) -> DuplicateError:
        """Name the index that refused a write; a taken id is named before any other."""
        table = self._table(collection)
        taken = f"SELECT 1 FROM {table} WHERE id = ?"  # noqa: S608
        if id is not None and db.execute(taken, [id]).fetchone():
            return DuplicateError("id")
        named = _UNIQUE.search(str(error))
        for index in unique_indexes(self._collections[collection]):
            if named and named["index"] == _sql.index_name(collection, index):
                return DuplicateError(index.name)
        raise error

    def _table(self, collection: str) -> str:
        if self._writer is None:
            raise StoreUnavailableError("the store is not open")
        if collection not in self._collections:
            raise ValueError(f"collection {collection!r} was not declared to open()")
        return _sql.table(collection)

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._reader is None:
            raise StoreUnavailableError("the store is not open")
        return await self._reader.run(work)

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._writer is None:
            raise StoreUnavailableError("the store is not open")
        return await self._writer.run(work)
