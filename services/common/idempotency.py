"""Creating calls that may be repeated: the created document carries the request that made it.

A repository inserts the document with ``request_key`` (unique partial index) and
``request_fingerprint``; when that index refuses the insert, it reads the first document, calls
`check_repeat` and returns it (`services.common.store.requests`). One write does both, so a crash in
between cannot part them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass

from services.common.errors import InvalidArgumentError, Reason, invalid_field

MAX_REQUEST_ID = 100
REQUEST_KEY_FIELD = "request_key"
REQUEST_FINGERPRINT_FIELD = "request_fingerprint"


@dataclass(frozen=True, kw_only=True)
class RequestKey:
    """Identity and content of a request that may be repeated.

    Attributes:
        key: Unique per method, parent and request id; for the index on ``request_key``.
        fingerprint: Differs between different requests.
    """

    key: str
    fingerprint: str

    @staticmethod
    def of(method: str, parent: str, request_id: str, fingerprint_of: bytes) -> RequestKey | None:
        """Return the key of a request, or None when it has no `request_id`.

        Args:
            method: The method's name.
            parent: Name of the resource under which it creates; may be empty.
            request_id: As the caller sent it.
            fingerprint_of: The request without what may differ between repeats, in a canonical
                form (``SerializeToString(deterministic=True)``).

        Raises:
            InvalidArgumentError: The id is too long.
        """
        if not request_id:
            return None
        if len(request_id) > MAX_REQUEST_ID:
            raise invalid_field("request_id", f"must have at most {MAX_REQUEST_ID} characters.")
        # Hashed: of one length and free of characters that an index would not take.
        identity = json.dumps([method, parent, request_id]).encode()
        return RequestKey(
            key=hashlib.sha256(identity).hexdigest(),
            fingerprint=hashlib.sha256(fingerprint_of).hexdigest(),
        )


def check_repeat(stored_fingerprint: str, key: RequestKey) -> None:
    """Return when the first request under this id was the same as this one.

    Raises:
        InvalidArgumentError: REQUEST_ID_REUSED: it was another.
    """
    if not hmac.compare_digest(stored_fingerprint, key.fingerprint):
        raise InvalidArgumentError(
            Reason.REQUEST_ID_REUSED,
            "This request_id was used before with a different request: use a new one.",
            metadata={"field": "request_id"},
        )
