"""Times on the wire: documents hold integer microseconds, messages hold Timestamps."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from services.common.errors import invalid_field

# 0001-01-01 and 9999-12-31, what a Timestamp can hold.
_MIN_MICROS = -62_135_596_800_000_000
_MAX_MICROS = 253_402_300_799_999_999


def to_timestamp(micros: int) -> Timestamp:
    """Return the Timestamp of microseconds since the epoch, UTC."""
    message = Timestamp()
    message.FromMicroseconds(micros)
    return message


def from_timestamp(message: Timestamp, field: str) -> int:
    """Return microseconds since the epoch; nanoseconds are cut off.

    Raises:
        InvalidArgumentError: `field` holds no time from the year 1 to 9999.
    """
    micros = message.seconds * 1_000_000 + message.nanos // 1000
    if not _MIN_MICROS <= micros <= _MAX_MICROS or not 0 <= message.nanos < 1_000_000_000:
        raise invalid_field(field, "is not a valid time.")
    return micros
