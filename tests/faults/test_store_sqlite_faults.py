"""SQLite's file under kill -9, full disks, other processes and foreign files."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from services.common.store import _sqlite_connection
from services.common.store.port import (
    Collection,
    Eq,
    Index,
    SchemaError,
    Stored,
    StoreUnavailableError,
)
from services.common.store.sqlite import SqliteStore

ITEMS = Collection(name="items", indexes=(Index(fields=("n",)),))

WRITER = """
import asyncio, itertools, sys
from services.common.store.port import Collection, Index
from services.common.store.sqlite import SqliteStore

async def main():
    store = SqliteStore(sys.argv[1])
    await store.open([Collection(name="items", indexes=(Index(fields=("n",)),))])
    async def write(worker):
        for i in itertools.count():
            id = f"{worker}-{i}"
            await store.insert("items", id, {"n": i, "text": "x" * 2000})
            await store.update("items", id, set={"done": True})
            sys.stdout.write(id + "\\n")
            sys.stdout.flush()
    await asyncio.gather(*(write(w) for w in range(4)))

asyncio.run(main())
"""


def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "items.db"
    acknowledged: list[str] = []
    for round_ in range(2):
        file = path if round_ == 0 else tmp_path / "second.db"
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            acknowledged = [child.stdout.readline().strip() for _ in range(150 + 100 * round_)]
            os.kill(child.pid, signal.SIGKILL)
            acknowledged += [line.strip() for line in child.stdout if line.endswith("\n")]
            assert child.wait() == -signal.SIGKILL
        assert len(acknowledged) >= 150

        async def read(file: Path = file, wanted: list[str] = acknowledged) -> None:
            store = SqliteStore(file)
            await store.open([ITEMS])
            found = await store.get_many("items", wanted)
            assert sorted(found) == sorted(wanted)
            assert all(s.body["done"] is True and s.revision == 2 for s in found.values())
            await store.insert("items", "after", {"n": 0})
            await store.close()

        asyncio.run(read())
        with sqlite3.connect(file) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        db.close()


async def test_every_commit_is_flushed(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "items.db")
    await store.open([ITEMS])
    assert store._writer is not None
    mode = await store._writer.run(
        lambda db: (
            db.execute("PRAGMA journal_mode").fetchone()[0],
            db.execute("PRAGMA synchronous").fetchone()[0],
        )
    )
    assert mode == ("wal", 2)
    await store.close()


async def test_a_full_disk_is_said_in_our_words_and_passes(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "items.db")
    await store.open([ITEMS])
    await store.insert("items", "a", {"n": 1})
    assert store._writer is not None
    await store._writer.run(lambda db: db.execute("PRAGMA max_page_count = 20").fetchone())
    with pytest.raises(StoreUnavailableError, match="the disk is full"):
        await store.insert_many("items", [("b", {"n": 2}), ("c", {"text": "x" * 500_000})])
    with pytest.raises(StoreUnavailableError, match="the disk is full"):
        await store.update("items", "a", set={"text": "x" * 500_000})
    assert await store.get_many("items", ["a", "b", "c"]) == {
        "a": Stored(id="a", revision=1, body={"n": 1})
    }
    await store._writer.run(lambda db: db.execute("PRAGMA max_page_count = 100000").fetchone())
    await store.update("items", "a", set={"text": "x" * 500_000})
    await store.close()


async def test_a_writer_waits_for_another_process_and_gives_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sqlite_connection, "_BUSY_TIMEOUT_MS", 300)
    store = SqliteStore(tmp_path / "items.db")
    await store.open([ITEMS])
    await store.insert("items", "a", {"n": 1})
    other = sqlite3.connect(tmp_path / "items.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError, match="another process"):
        await store.update("items", "a", set={"n": 2})
    assert await store.count("items", where=[Eq("n", 1)]) == 1, "readers never wait"
    waiting = asyncio.create_task(store.update("items", "a", set={"n": 3}))
    await asyncio.sleep(0.05)
    other.execute("COMMIT")
    other.close()
    assert await waiting == Stored(id="a", revision=2, body={"n": 3})
    await store.close()


async def test_the_loop_runs_on_while_the_database_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sqlite_connection, "_BUSY_TIMEOUT_MS", 400)
    store = SqliteStore(tmp_path / "items.db")
    await store.open([ITEMS])
    other = sqlite3.connect(tmp_path / "items.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    blocked = asyncio.create_task(store.insert("items", "a", {}))
    ticks = 0
    while not blocked.done():
        await asyncio.sleep(0.01)
        ticks += 1
    with pytest.raises(StoreUnavailableError):
        await blocked
    other.close()
    await store.close()
    assert ticks >= 15


async def test_a_cancelled_caller_leaves_no_open_transaction(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "items.db")
    await store.open([ITEMS])
    for i in range(30):
        task = asyncio.create_task(store.insert("items", f"{i}", {"n": i}))
        await asyncio.sleep(i / 50_000)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    other = sqlite3.connect(tmp_path / "items.db", isolation_level=None, timeout=1)
    await store.ping()
    await store.insert("items", "last", {"n": 0})
    other.execute("BEGIN IMMEDIATE")
    other.execute("COMMIT")
    other.close()
    await store.close()


async def test_other_programs_files_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    theirs = sqlite3.connect(path)
    theirs.execute("CREATE TABLE notes (text)")
    theirs.commit()
    theirs.close()
    before = path.read_bytes()
    with pytest.raises(SchemaError, match="another program's"):
        await SqliteStore(path).open([ITEMS])
    assert path.read_bytes() == before


async def test_files_of_another_schema_version_are_refused(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "items.db")
    await store.open([ITEMS])
    await store.close()
    later = sqlite3.connect(tmp_path / "items.db")
    later.execute("PRAGMA user_version = 99")
    later.close()
    with pytest.raises(SchemaError, match="schema version 99"):
        await SqliteStore(tmp_path / "items.db").open([ITEMS])


async def test_damaged_files_and_bad_places(tmp_path: Path) -> None:
    (tmp_path / "noise.db").write_bytes(b"not a database at all" * 500)
    with pytest.raises(StoreUnavailableError, match="not a SQLite database"):
        await SqliteStore(tmp_path / "noise.db").open([ITEMS])
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnavailableError, match="directory"):
        await SqliteStore(tmp_path / "file" / "items.db").open([ITEMS])


async def test_a_new_unique_index_over_documents_that_break_it(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "items.db")
    await store.open([ITEMS])
    await store.insert_many("items", [("a", {"m": 1}), ("b", {"m": 1})])
    unique = Collection(name="items", indexes=(Index(fields=("m",), unique=True),))
    with pytest.raises(SchemaError, match="m_u"):
        await store.open([unique])
    await store.delete("items", "b")
    await store.open([unique])
    await store.close()


async def test_an_index_declared_otherwise_is_made_anew(tmp_path: Path) -> None:
    def items(state: str) -> Collection:
        index = Index(fields=("m",), unique=True, where={"state": state})
        return Collection(name="items", indexes=(index,))

    store = SqliteStore(tmp_path / "items.db")
    await store.open([items("OPEN")])
    await store.insert_many("items", [("a", {"m": 1, "state": "HELD"})])
    await store.open([items("HELD")])
    (outcome,) = await store.insert_many("items", [("b", {"m": 1, "state": "HELD"})])
    assert not isinstance(outcome, Stored)
    await store.close()


async def test_declared_indexes_are_used(tmp_path: Path) -> None:
    from services.common.store import _sql
    from services.common.store.port import Order

    jobs = Collection(
        name="jobs",
        indexes=(
            Index(fields=("project", "created")),
            Index(fields=("created",), where={"state": "WAITING"}),
            Index(fields=("due",), where={"cancel": True}),
        ),
    )
    store = SqliteStore(tmp_path / "jobs.db")
    await store.open([jobs])
    await store.close()
    db = sqlite3.connect(tmp_path / "jobs.db")

    def plan(where: str, params: list[object], order: str) -> str:
        rows = db.execute(
            f"EXPLAIN QUERY PLAN SELECT id, body FROM c_jobs WHERE {where} ORDER BY {order}", params
        )
        return "; ".join(row[3] for row in rows)

    created = [Order(field="created")]
    where, params = _sql.conditions([Eq("project", "p")])
    behind, more = _sql.behind(created, [5, "x"])
    pages = plan(f"{where} AND {behind}", [*params, *more], _sql.order_by(created))
    assert "ix_jobs__project_created (<expr>=? AND <expr>>?)" in pages
    assert "TEMP B-TREE" not in pages
    where, params = _sql.conditions([Eq("state", "WAITING")])
    claims = plan(where, [*params], _sql.order_by(created))
    assert "ix_jobs__created" in claims
    assert "TEMP B-TREE" not in claims
    where, params = _sql.conditions([Eq("cancel", True)])
    assert "ix_jobs__due" in plan(where, [*params], _sql.order_by([Order(field="due")]))
    db.close()


async def test_a_closed_file_needs_no_wal_to_be_copied(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "items.db")
    await store.open([ITEMS])
    await store.insert("items", "a", {"n": 1})
    await store.close()
    assert not (tmp_path / "items.db-wal").exists()
    shutil.copy(tmp_path / "items.db", tmp_path / "copy.db")
    copy = SqliteStore(tmp_path / "copy.db")
    await copy.open([ITEMS])
    assert await copy.count("items") == 1
    await copy.close()
