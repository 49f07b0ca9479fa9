"""The document store on MongoDB, for production: the only module that imports motor.

Motor is deprecated in favour of PyMongo's asynchronous API; the change to that is confined to this
module. Every write is one command on one document with ``w=majority`` and the journal on, its guard
inside the command, so concurrent writers need no lock of ours. Reads go to the primary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import ReadPreference, ReturnDocument, WriteConcern
from pymongo.errors import (
    BulkWriteError,
    DocumentTooLarge,
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
)

from services.common.store import _mongo_query as _mongo
from services.common.store._documents import (
    check_collections,
    check_conditions,
    check_id,
    check_page,
    checked_body,
    checked_changes,
    unique_indexes,
)
from services.common.store.port import (
    Collection,
    Condition,
    Document,
    DuplicateError,
    Index,
    MissingError,
    Order,
    RevisionError,
    Scalar,
    SchemaError,
    Stored,
    StoreUnavailableError,
)

# A service must answer that its database is away well before its callers' deadlines pass.
_DEFAULTS = {
    "serverSelectionTimeoutMS": 5_000,
    "connectTimeoutMS": 5_000,
    "socketTimeoutMS": 30_000,
}
_WRITE_TIMEOUT_MS = 10_000
_DUPLICATE_KEY = 11000
# the server's words for: wrong type to increment, nothing to step through, document too large
_MISUSE = frozenset({2, 14, 28, 10334, 17280, 17419})
_INDEX_NOT_FOUND = 27
_INDEX_CONFLICT = frozenset({85, 86})


class MongoStore:
    """A `DocumentStore` in one MongoDB database (server 5.0 or later, a replica set)."""

    def __init__(self, uri: str, database: str, *, client: Any | None = None) -> None:
        """Remember where to connect.

        Args:
            uri: A ``mongodb://`` or ``mongodb+srv://`` address; its options override the defaults
                for time limits, not the write concern.
            database: The database's name.
            client: A ready client to use instead, which `close` then leaves open (tests).
        """
        self._uri = uri
        self._name = database
        self._given = client
        self._client: Any | None = None
        self._collections: dict[str, Collection] = {}
        self._unique: dict[str, frozenset[str]] = {}

    async def open(self, collections: Sequence[Collection]) -> None:
        """See `DocumentStore.open`.

        Raises:
            SchemaError: An index exists with another definition, or documents break a new one.
        """
        check_collections(collections)
        with _translated():
            if self._client is None:
                self._client = self._given or AsyncIOMotorClient(self._uri, **_defaults(self._uri))
            for collection in collections:
                self._collections[collection.name] = collection
                self._unique[collection.name] = _mongo.unique_paths(collection)
                for index in collection.dropped:
                    await self._drop_index(collection.name, index)
                for index in collection.indexes:
                    options: dict[str, Any] = {"name": index.name, "unique": index.unique}
                    if selected := _mongo.index_filter(index):
                        options["partialFilterExpression"] = selected
                    try:
                        keys = _mongo.index_keys(index)
                        await self._collection(collection.name).create_index(keys, **options)
                    except OperationFailure as error:
                        raise _index_refused(collection.name, index.name, error) from error

    async def _drop_index(self, collection: str, index: Index) -> None:
        target = self._collection(collection)
        if index.name in await target.index_information():
            try:
                await target.drop_index(index.name)
            except OperationFailure as error:
                # Another process that opens the database may have been faster.
                if error.code != _INDEX_NOT_FOUND:
                    raise

    async def close(self) -> None:
        """See `DocumentStore.close`."""
        client, self._client = self._client, None
        if client is not None and self._given is None:
            client.close()

    async def ping(self) -> None:
        """See `DocumentStore.ping`."""
        with _translated():
            await self._database().command("ping")

    async def insert(self, collection: str, id: str, body: Document) -> Stored:
        """See `DocumentStore.insert`."""
        target = self._collection(collection)
        new = checked_body(body)
        document = _mongo.packed(check_id(id), 1, new, self._unique[collection])
        with _translated():
            try:
                await target.insert_one(document)
            except DuplicateKeyError as error:
                raise await self._duplicate(collection, error.details, document) from None
        return Stored(id=id, revision=1, body=new)

    async def insert_many(
        self, collection: str, items: Sequence[tuple[str, Document]]
    ) -> list[Stored | DuplicateError]:
        """See `DocumentStore.insert_many`. The batch is one unordered command."""
        target = self._collection(collection)
        unique = self._unique[collection]
        rows = [(check_id(key), checked_body(body)) for key, body in items]
        documents = [_mongo.packed(key, 1, body, unique) for key, body in rows]
        outcomes: list[Stored | DuplicateError] = [
            Stored(id=key, revision=1, body=body) for key, body in rows
        ]
        if not documents:
            return outcomes
        with _translated():
            try:
                await target.insert_many(documents, ordered=False)
            except BulkWriteError as error:
                refused = error.details.get("writeErrors", [])
                for one in refused:
                    if one["code"] != _DUPLICATE_KEY:
                        raise OperationFailure("bulk write", one["code"]) from error
                if error.details.get("writeConcernErrors"):
                    raise
                for one in refused:
                    place = one["index"]
                    why = await self._duplicate(collection, one, documents[place])
                    outcomes[place] = why
        return outcomes

    async def get(self, collection: str, id: str) -> Stored | None:
        """See `DocumentStore.get`."""
        with _translated():
            found = await self._collection(collection).find_one({"_id": check_id(id)})
        return None if found is None else _mongo.unpacked(found)

    async def get_many(self, collection: str, ids: Sequence[str]) -> dict[str, Stored]:
        """See `DocumentStore.get_many`."""
        wanted = [check_id(key) for key in ids]
        with _translated():
            cursor = self._collection(collection).find({"_id": {"$in": wanted}})
            found = await cursor.to_list(None)
        return {document["_id"]: _mongo.unpacked(document) for document in found}

    async def replace(
        self, collection: str, id: str, body: Document, *, expected_revision: int
    ) -> Stored:
        """See `DocumentStore.replace`."""
        target = self._collection(collection)
        new = checked_body(body)
        unique = self._unique[collection]
        document = _mongo.packed(check_id(id), expected_revision + 1, new, unique)
        with _translated():
            try:
                before = await target.find_one_and_replace(
                    {"_id": id, "revision": expected_revision}, document, projection={"_id": 1}
                )
            except DuplicateKeyError as error:
                raise await self._duplicate(collection, error.details, document) from None
            if before is None:
                raise await self._why_not(collection, id)
        return Stored(id=id, revision=expected_revision + 1, body=new)

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
        guard = {"_id": check_id(id), **_mongo.query(where)}
        return await self._change(collection, guard, (), set, increment)

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
        return await self._change(collection, _mongo.query(where), order, set, increment)

    async def delete(
        self, collection: str, id: str, *, expected_revision: int | None = None
    ) -> bool:
        """See `DocumentStore.delete`."""
        guard: dict[str, Any] = {"_id": check_id(id)}
        if expected_revision is not None:
            guard["revision"] = expected_revision
        with _translated():
            done = await self._collection(collection).delete_one(guard)
            if done.deleted_count == 0 and expected_revision is not None:
                why = await self._why_not(collection, id)
                if isinstance(why, RevisionError):
                    raise why
        return bool(done.deleted_count)

    async def delete_many(self, collection: str, ids: Sequence[str]) -> int:
        """See `DocumentStore.delete_many`."""
        wanted = {"_id": {"$in": [check_id(key) for key in ids]}}
        with _translated():
            done = await self._collection(collection).delete_many(wanted)
        return int(done.deleted_count)

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
        check_conditions(where)
        check_page(order, limit, after)
        selected = _mongo.query(where)
        if after is not None:
            selected = {"$and": [*selected.get("$and", ()), _mongo.behind(order, after)]}
        with _translated():
            cursor = self._collection(collection).find(selected)
            found = await cursor.sort(_mongo.sort_keys(order)).limit(limit).to_list(limit)
        return [_mongo.unpacked(document) for document in found]

    async def count(self, collection: str, *, where: Sequence[Condition] = ()) -> int:
        """See `DocumentStore.count`."""
        check_conditions(where)
        with _translated():
            return int(await self._collection(collection).count_documents(_mongo.query(where)))

    async def _change(
        self,
        collection: str,
        guard: Mapping[str, Any],
        order: Sequence[Order],
        set: Mapping[str, Any] | None,
        increment: Mapping[str, int] | None,
    ) -> Stored | None:
        target = self._collection(collection)
        values, steps = checked_changes(set, increment)
        update = _mongo.change(values, steps, self._unique[collection])
        with _translated():
            try:
                found = await target.find_one_and_update(
                    guard,
                    update,
                    sort=_mongo.sort_keys(order),
                    return_document=ReturnDocument.AFTER,
                )
            except DuplicateKeyError as error:
                raise await self._duplicate(collection, error.details, None) from None
        return None if found is None else _mongo.unpacked(found)

    async def _why_not(self, collection: str, id: str) -> MissingError | RevisionError:
        there = await self._collection(collection).find_one({"_id": id}, {"_id": 1})
        return MissingError(id) if there is None else RevisionError(id)

    async def _duplicate(
        self, collection: str, details: Mapping[str, Any] | None, document: Document | None
    ) -> DuplicateError:
        """Name the index that refused a write: as the server says, else by looking."""
        pattern = list((details or {}).get("keyPattern", ()))
        declared = unique_indexes(self._collections[collection])
        for index in declared:
            if pattern == [key for key, _ in _mongo.index_keys(index)]:
                return DuplicateError(index.name)
        if pattern != ["_id"] and document is not None:
            target = self._collection(collection)
            if await target.find_one({"_id": document["_id"]}, {"_id": 1}) is None:
                return DuplicateError(declared[0].name if declared else "id")
        return DuplicateError("id")

    def _database(self) -> Any:
        if self._client is None:
            raise StoreUnavailableError("the store is not open")
        return self._client[self._name]

    def _collection(self, name: str) -> Any:
        database = self._database()
        if name not in self._collections:
            raise ValueError(f"collection {name!r} was not declared to open()")
        return database.get_collection(
            name,
            write_concern=WriteConcern(w="majority", j=True, wtimeout=_WRITE_TIMEOUT_MS),
            read_preference=ReadPreference.PRIMARY,
        )


def _defaults(uri: str) -> dict[str, Any]:
    """Return the options that the address leaves open; an argument would win over its options."""
    return {name: value for name, value in _DEFAULTS.items() if name.lower() not in uri.lower()}


def _index_refused(collection: str, index: str, error: OperationFailure) -> Exception:
    if error.code in _INDEX_CONFLICT:
        return SchemaError(
            f"index {index} of {collection} exists with another definition: drop it and start again"
        )
    if error.code == _DUPLICATE_KEY or isinstance(error, DuplicateKeyError):
        return SchemaError(f"documents of {collection} break the new unique index {index}")
    return error


@contextmanager
def _translated() -> Iterator[None]:
    """Let no driver error out; its text stays in the exception's cause."""
    try:
        yield
    except DocumentTooLarge as error:
        raise ValueError("a document is larger than MongoDB allows") from error
    except PyMongoError as error:
        if isinstance(error, OperationFailure) and error.code in _MISUSE:
            raise ValueError(
                "the change does not fit the document, or makes it too large"
            ) from error
        raise StoreUnavailableError("the database cannot be used just now") from error
