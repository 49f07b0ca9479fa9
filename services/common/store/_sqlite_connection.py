"""One SQLite connection on its own thread, and the checks and errors that go with the file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from services.common.store.port import SchemaError, StoreUnavailableError

SCHEMA_VERSION = 1
# "SPLN": tells our files from other programs' databases
APPLICATION_ID = 0x53504C4E

_BUSY_TIMEOUT_MS = 5_000

T = TypeVar("T")


class Connection:
    """One SQLite connection and the one thread that may touch it."""

    def __init__(self, path: Path, *, write: bool) -> None:
        self._path = path
        self._write = write
        self._db: sqlite3.Connection | None = None
        self._closed = False
        name = f"sqlite-{'write' if write else 'read'}"
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on the thread; a cancelled caller does not stop it once it has started."""
        if self._closed:
            raise StoreUnavailableError("the store is not open")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._guarded, work)

    async def close(self) -> None:
        """Finish what is queued, then close the connection and end the thread."""
        if not self._closed:
            self._closed = True
            closing = asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
            self._thread.shutdown(wait=False)
            await asyncio.shield(closing)

    def _guarded(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._db is None:
                self._db = self._connect()
            return work(self._db)
        except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
            if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                raise
            raise StoreUnavailableError(_explain(error)) from error

    def _connect(self) -> sqlite3.Connection:
        if self._write:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreUnavailableError("its directory cannot be created") from error
        db = sqlite3.connect(self._path, isolation_level=None)
        try:
            db.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
            if self._write:
                _refuse_foreign(db)  # before anything is changed in a file that is not ours
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")
                # what a statement needs to undo itself, and small sorts: no file for each insert
                db.execute("PRAGMA temp_store = MEMORY")
            else:
                db.execute("PRAGMA query_only = ON")
        except BaseException:
            db.close()
            raise
        return db

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Hold the write lock from the first read on; commit, or roll back on any exception."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk may have ended it already
            db.execute("ROLLBACK")
        raise


def _refuse_foreign(db: sqlite3.Connection) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (owner,) = db.execute("PRAGMA application_id").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if owner == APPLICATION_ID:
        if version != SCHEMA_VERSION:
            raise SchemaError(
                f"the file has schema version {version}, this program reads {SCHEMA_VERSION}: "
                "use the release that wrote it, or restore a backup of this release"
            )
    elif owner or version or tables:
        raise SchemaError("the file is another program's SQLite database: choose another path")


def prepare(db: sqlite3.Connection) -> None:
    with transaction(db):
        _refuse_foreign(db)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _explain(error: sqlite3.Error) -> str:
    """Say in our words what is wrong; the driver's text stays in the exception's cause."""
    name = getattr(error, "sqlite_errorname", "")
    for prefix, text in (
        ("SQLITE_FULL", "the disk is full"),
        ("SQLITE_BUSY", "another process holds the database"),
        ("SQLITE_LOCKED", "another process holds the database"),
        ("SQLITE_READONLY", "the database file cannot be written"),
        ("SQLITE_IOERR", "the disk reports an error"),
        ("SQLITE_CANTOPEN", "the database file cannot be opened"),
        ("SQLITE_CORRUPT", "the database file is damaged"),
        ("SQLITE_NOTADB", "the file is not a SQLite database"),
    ):
        if name.startswith(prefix):
            return text
    return "the database cannot be used just now"
