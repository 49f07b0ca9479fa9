"""Pages of lists: sizes, and tokens that say where the next page begins."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from services.common.errors import Reason, invalid_field
from services.common.store.port import (
    Condition,
    DocumentStore,
    Order,
    Scalar,
    Stored,
    position,
)

DEFAULT_PAGE = 100
MAX_PAGE = 1000

_MAX_TOKEN = 8192
_CHECKSUM_BYTES = 8


@dataclass(frozen=True, kw_only=True)
class Page:
    """Which page is asked for.

    Attributes:
        size: At most this many resources, from 1 to MAX_PAGE.
        after: Position of the last resource of the page before; None on the first page.
    """

    size: int
    after: list[Scalar] | None


def parse_page(page_size: int, page_token: str, scope: str) -> Page:
    """Read the paging fields of a list request.

    Args:
        page_size: 0 means DEFAULT_PAGE; more than MAX_PAGE means MAX_PAGE.
        page_token: Empty, or what `next_token` returned for the same scope.
        scope: Method, parent and filters of the list: a token fits no other list.

    Raises:
        InvalidArgumentError: FIELD_INVALID for a negative size, PAGE_TOKEN_INVALID for any other
            token.
    """
    if page_size < 0:
        raise invalid_field("page_size", "must not be negative.")
    size = min(page_size, MAX_PAGE) or DEFAULT_PAGE
    return Page(size=size, after=_read_token(page_token, scope) if page_token else None)


def next_token(position: Sequence[Scalar], scope: str) -> str:
    """Return the token of the page that begins behind `position`."""
    payload = json.dumps(list(position), separators=(",", ":")).encode()
    raw = _checksum(payload, scope) + payload
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


async def find_page(
    store: DocumentStore,
    collection: str,
    where: Sequence[Condition],
    order: Sequence[Order],
    page: Page,
    scope: str,
) -> tuple[list[Stored], str]:
    """Read one page of a collection.

    Returns:
        The documents, and the token of the next page: empty when there is none.

    Raises:
        InvalidArgumentError: PAGE_TOKEN_INVALID: the page's position is not one of this order.
    """
    if page.after is not None and (
        len(page.after) != len(order) + 1 or not isinstance(page.after[-1], str)
    ):
        raise _invalid_token()
    # One more than asked for tells whether another page follows.
    found = await store.find(
        collection, where=where, order=order, limit=page.size + 1, after=page.after
    )
    if len(found) <= page.size:
        return found, ""
    found = found[: page.size]
    return found, next_token(position(found[-1], order), scope)


def _read_token(token: str, scope: str) -> list[Scalar]:
    if len(token) > _MAX_TOKEN or not token.isascii():
        raise _invalid_token()
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise _invalid_token() from None
    checksum, payload = raw[:_CHECKSUM_BYTES], raw[_CHECKSUM_BYTES:]
    if checksum != _checksum(payload, scope):
        raise _invalid_token()
    try:
        found = json.loads(payload)
    except ValueError:
        raise _invalid_token() from None
    if not isinstance(found, list) or not found or not all(_is_scalar(value) for value in found):
        raise _invalid_token()
    return found


def _is_scalar(value: object) -> bool:
    """Whether a store takes the value: anyone can compute a checksum."""
    match value:
        case bool():
            return False  # no list is ordered by one
        case int():
            return -(2**63) <= value < 2**63
        case float():
            return math.isfinite(value)
        case str():
            return "\0" not in value and not any("\ud800" <= char <= "\udfff" for char in value)
        case _:
            return False


def _checksum(payload: bytes, scope: str) -> bytes:
    return hashlib.sha256(
        hashlib.sha256(scope.encode("utf-8", "surrogatepass")).digest() + payload
    ).digest()[:_CHECKSUM_BYTES]


def _invalid_token() -> Exception:
    return invalid_field(
        "page_token",
        "is not a next_page_token of this list with the same parent and filters; "
        "leave it empty to begin anew.",
        reason=Reason.PAGE_TOKEN_INVALID,
    )
