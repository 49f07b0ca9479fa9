"""Times in files: RFC 3339 in UTC, exact to the microsecond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.annotation.formats.json_fields import a_string
from services.common.errors import invalid_field

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_rfc3339(time: int) -> str:
    """Return microseconds since the epoch as text, e.g. ``2024-05-01T12:00:00.250000Z``."""
    moment = _EPOCH + timedelta(microseconds=time)
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def from_rfc3339(value: object, field: str) -> int | None:
    """Return a time as microseconds, None for None, or raise FIELD_INVALID."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(a_string(value, field))
        # No zone, no time: whose it would be cannot be told.
        if moment.tzinfo is not None:
            return (moment - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        pass
    raise invalid_field(field, "must be a time like 2024-05-01T12:00:00Z.")
