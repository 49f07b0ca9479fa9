"""From a URL in the settings to a document store."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from services.common.store.port import DocumentStore

_FORMS = "sqlite:///path/to/file.db, mongodb://host/database or mongodb+srv://host/database"


def store_from_url(url: str) -> DocumentStore:
    """Return the store that `url` names, not yet opened.

    Args:
        url: ``sqlite:///relative.db``, ``sqlite:////absolute.db`` (both forms of SQLAlchemy), or a
            MongoDB address whose path names the database.

    Raises:
        ValueError: The URL has another form. The message never repeats it, as it may hold a
            password.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError(f"not a database URL; write {_FORMS}") from None
    path = unquote(parts.path)
    if parts.scheme == "sqlite":
        if parts.netloc or len(path) < 2 or path.endswith("/") or parts.query or parts.fragment:
            raise ValueError("a SQLite URL names a file: sqlite:///path/to/file.db")
        from services.common.store.sqlite import SqliteStore

        return SqliteStore(Path(path[1:]))
    if parts.scheme in ("mongodb", "mongodb+srv"):
        database = path.removeprefix("/")
        if not parts.netloc or not database or "/" in database:
            raise ValueError("a MongoDB URL names a database: mongodb://host:27017/database")
        from services.common.store.mongo import MongoStore

        return MongoStore(url, database)
    raise ValueError(f"unknown kind of database {parts.scheme!r}; write {_FORMS}")
