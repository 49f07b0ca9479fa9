"""Documents that remember the request that made them, so that its repeat makes no second one."""

from __future__ import annotations

from services.common.idempotency import (
    REQUEST_FINGERPRINT_FIELD,
    REQUEST_KEY_FIELD,
    RequestKey,
    check_repeat,
)
from services.common.store.port import (
    Document,
    DocumentStore,
    DuplicateError,
    Eq,
    Index,
    Stored,
)

REQUEST_INDEX = Index(fields=(REQUEST_KEY_FIELD,), unique=True)
"""The index that a collection of such documents needs."""


def request_fields(request: RequestKey | None) -> Document:
    """Return the fields by which a document remembers the request that made it."""
    if request is None:
        return {}
    return {REQUEST_KEY_FIELD: request.key, REQUEST_FINGERPRINT_FIELD: request.fingerprint}


async def find_request(store: DocumentStore, collection: str, request: RequestKey) -> Stored | None:
    """Return the document that a request made.

    Raises:
        InvalidArgumentError: Its id belongs to a different request (REQUEST_ID_REUSED).
    """
    found = await store.find(collection, where=[Eq(REQUEST_KEY_FIELD, request.key)], limit=1)
    if not found:
        return None
    check_repeat(found[0].body[REQUEST_FINGERPRINT_FIELD], request)
    return found[0]


async def insert_once(
    store: DocumentStore, collection: str, id: str, body: Document, request: RequestKey | None
) -> tuple[Stored, bool]:
    """Insert a document, or return the one that the same request made before.

    Returns:
        The document, and whether it is new.

    Raises:
        DuplicateError: The id or a unique value is taken, and not by this request.
        InvalidArgumentError: The request's id belongs to a different one (REQUEST_ID_REUSED).
    """
    try:
        return await store.insert(collection, id, body | request_fields(request)), True
    except DuplicateError:
        first = None if request is None else await find_request(store, collection, request)
        if first is None:
            raise
        return first, False
