"""Between a row of a SQLite table and a document as the port shows it."""

from __future__ import annotations

import sqlite3

import orjson

from services.common.store._documents import MAX_DOCUMENT_BYTES
from services.common.store.port import Document, MissingError, RevisionError, Stored


def dump(body: Document) -> str:
    """Return the text of a checked body.

    Raises:
        ValueError: It is too large.
    """
    # Safe because bodies were copied by `checked_body`: of the rest, orjson writes some as null.
    text = orjson.dumps(body)
    if len(text) > MAX_DOCUMENT_BYTES:
        raise ValueError(f"a document has at most {MAX_DOCUMENT_BYTES} bytes")
    return text.decode()


def stored_row(row: tuple[str, int, str]) -> Stored:
    """Return the document of a row (id, revision, body)."""
    return Stored(id=row[0], revision=row[1], body=orjson.loads(row[2]))


def at_revision(db: sqlite3.Connection, table: str, id: str, expected: int) -> None:
    """Raise MissingError or RevisionError unless the document is at the expected revision."""
    row = db.execute(f"SELECT revision FROM {table} WHERE id = ?", [id]).fetchone()  # noqa: S608
    if row is None:
        raise MissingError(id)
    if row[0] != expected:
        raise RevisionError(id)
