from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import BulkWriteError, OperationFailure, ServerSelectionTimeoutError

from services.common.store.mongo import MongoStore
from services.common.store.open import store_from_url
from services.common.store.port import Collection, SchemaError, StoreUnavailableError
from services.common.store.sqlite import SqliteStore

PLAIN = Collection(name="plain")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///data/a.db", "data/a.db"),
        ("sqlite:////var/lib/a.db", "/var/lib/a.db"),
        ("sqlite:////var/with%20space/a.db", "/var/with space/a.db"),
    ],
)
def test_sqlite_urls(url: str, path: str) -> None:
    store = store_from_url(url)
    assert isinstance(store, SqliteStore)
    assert store._path == Path(path)


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://localhost:27017/spanloop",
        "mongodb://user:pw@a:1,b:2/spanloop?replicaSet=rs0",
        "mongodb+srv://cluster.example/spanloop",
    ],
)
def test_mongodb_urls(url: str) -> None:
    store = store_from_url(url)
    assert isinstance(store, MongoStore)
    assert store._name == "spanloop"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "data/a.db",
        "sqlite://data/a.db",
        "sqlite:///",
        "sqlite:///dir/",
        "sqlite:///a.db?mode=ro",
        "postgres://user:hunter2@host/db",
        "mongodb://user:hunter2@host",
        "mongodb://user:hunter2@host/",
        "mongodb:///db",
        "mongodb://[user:hunter2@host/db",
    ],
)
def test_other_urls_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|kind of database") as caught:
        store_from_url(url)
    assert "hunter2" not in str(caught.value)


async def test_an_unreachable_server_is_unavailable() -> None:
    with socket.socket() as held:  # bound, not listening: connections are refused
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        uri = f"mongodb://127.0.0.1:{port}/?serverSelectionTimeoutMS=200"
        store = MongoStore(uri, "test")
        await store.open([PLAIN])
        with pytest.raises(StoreUnavailableError) as caught:
            await store.insert("plain", "a", {})
        assert str(port) not in str(caught.value)
        with pytest.raises(StoreUnavailableError):
            await store.ping()
        await store.close()


class Refusing:
    """Stands for a client, database and collection, all of whose commands raise."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getitem__(self, name: str) -> Refusing:
        return self

    def get_collection(self, name: str, **options: Any) -> Refusing:
        assert options["write_concern"].document == {"w": "majority", "j": True, "wtimeout": 10_000}
        return self

    async def _refuse(self, *args: Any, **kwargs: Any) -> Any:
        raise self._error

    command = insert_one = insert_many = find_one = find_one_and_update = create_index = _refuse
    count_documents = delete_one = find_one_and_replace = _refuse


@pytest.mark.parametrize(
    ("error", "becomes"),
    [
        (ServerSelectionTimeoutError("secret-host:27017"), StoreUnavailableError),
        (OperationFailure("secret-host: not authorized", 13), StoreUnavailableError),
        (OperationFailure("secret-host: no path", 28), ValueError),
        (OperationFailure("secret-host: too large", 17419), ValueError),
    ],
)
async def test_no_driver_error_leaves(error: Exception, becomes: type[Exception]) -> None:
    store = MongoStore("mongodb://x/", "test", client=Refusing(error))
    await store.open([PLAIN])
    for call in (
        store.ping(),
        store.insert("plain", "a", {}),
        store.insert_many("plain", [("a", {})]),
        store.get("plain", "a"),
        store.replace("plain", "a", {}, expected_revision=1),
        store.update("plain", "a", set={"n": 1}),
        store.claim_one("plain", where=[], order=[], set={"n": 1}),
        store.delete("plain", "a"),
        store.count("plain"),
    ):
        with pytest.raises(becomes) as caught:
            await call
        assert type(caught.value) is becomes
        assert "secret" not in str(caught.value)


async def test_a_batch_that_was_not_acknowledged_is_not_reported_as_stored() -> None:
    for details in (
        {"writeErrors": [], "writeConcernErrors": [{"code": 64, "errmsg": "waiting timed out"}]},
        {"writeErrors": [{"index": 0, "code": 121, "errmsg": "validation"}]},
    ):
        store = MongoStore("mongodb://x/", "test", client=Refusing(BulkWriteError(details)))
        await store.open([PLAIN])
        with pytest.raises(StoreUnavailableError):
            await store.insert_many("plain", [("a", {}), ("b", {})])


@pytest.mark.parametrize(("code", "text"), [(85, "another definition"), (11000, "break")])
async def test_indexes_that_cannot_be_made(code: int, text: str) -> None:
    from services.common.store.port import Index

    store = MongoStore("mongodb://x/", "test", client=Refusing(OperationFailure("no", code)))
    with pytest.raises(SchemaError, match=text):
        await store.open([Collection(name="c", indexes=(Index(fields=("a",), unique=True),))])
