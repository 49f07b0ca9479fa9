"""Between a row of a SQLite table and a document as the port shows it."""

from __future__ import annotations

import json
import sqlite3

from services.common.store._documents import MAX_DOCUMENT_BYTES
from services.common.store.port import Document, MissingError, RevisionError, Stored

# Bodies were copied by `checked_body`, so they hold no cycles to look for.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)
_MAX_BYTES_PER_CHARACTER = 4


def dump(body: Document) -> str:
    """Return the text of a checked body.

    Raises:
        ValueError: It is too large.
    """
    text = _ENCODER.encode(body)
    if (
        len(text) * _MAX_BYTES_PER_CHARACTER > MAX_DOCUMENT_BYTES
        and len(text.encode()) > MAX_DOCUMENT_BYTES
    ):
        raise ValueError(f"a document has at most {MAX_DOCUMENT_BYTES} bytes")
    return text


def stored_row(row: tuple[str, int, str]) -> Stored:
    """Return the document of a row (id, revision, body)."""
    return Stored(id=row[0], revision=row[1], body=json.loads(row[2]))


def at_revision(db: sqlite3.Connection, table: str, id: str, expected: int) -> None:
    """Raise MissingError or RevisionError unless the document is at the expected revision."""
    row = db.execute(f"SELECT revision FROM {table} WHERE id = ?", [id]).fetchone()  # noqa: S608
    if row is None:
        raise MissingError(id)
    if row[0] != expected:
        raise RevisionError(id)
