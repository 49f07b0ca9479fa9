"""The stores that the contract holds for: SQLite, MongoDB's adapter on mongomock, MongoDB."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from mongomock_motor import AsyncMongoMockClient

from services.common.store.mongo import MongoStore
from services.common.store.port import DocumentStore
from services.common.store.sqlite import SqliteStore


@pytest.fixture(params=["sqlite", "mongomock", "mongodb"])
async def reopen(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Callable[[], DocumentStore]]:
    """Return a function that makes one more store object on the same data."""
    if request.param == "sqlite":
        yield lambda: SqliteStore(tmp_path / "data" / "items.db")
    elif request.param == "mongomock":
        mock: Any = AsyncMongoMockClient()
        yield lambda: MongoStore("mongodb://mock/", "test", client=mock)
    else:
        uri = os.environ.get("SPANLOOP_TEST_MONGODB_URI")
        if not uri:
            pytest.skip("SPANLOOP_TEST_MONGODB_URI is not set: no real MongoDB to test against")
        from motor.motor_asyncio import AsyncIOMotorClient

        name = f"spanloop_test_{uuid.uuid4().hex[:12]}"
        yield lambda: MongoStore(uri, name)
        client: Any = AsyncIOMotorClient(uri)
        await client.drop_database(name)
        client.close()
