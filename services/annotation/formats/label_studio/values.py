"""Single values as both tools write them: times, scores, ids, people."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from services.annotation.formats.json_building import extra_of
from services.annotation.formats.json_fields import to_json
from services.annotation.formats.jsonl.times import to_rfc3339
from services.common.errors import InvalidArgumentError, invalid_field
from services.common.validate import check_line

__all__ = ["is_line", "keep", "number", "parse_time", "person", "person_json", "to_rfc3339"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}", re.ASCII)
# Beyond this a whole number counts milliseconds: as seconds it would be the year 5138.
_MAX_SECONDS = 1e11


def parse_time(value: object) -> int | None:
    """Return a time in microseconds, or None for what is none, such as ``4 days ago``.

    Text without a zone is UTC; numbers are seconds, or milliseconds, since the epoch.
    """
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            return (moment - _EPOCH) // _MICROSECOND
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            seconds = value / 1000 if value > _MAX_SECONDS else value
            return (_EPOCH + timedelta(seconds=seconds) - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        pass
    return None


def number(value: object) -> float | None:
    """Return a finite number, also one written as text, or None."""
    try:
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            found = float(value)
            return found if math.isfinite(found) else None
    except (ValueError, OverflowError):
        pass
    return None


def person(value: object) -> str:
    """Return who somebody is: the e-mail address or user name, else the number; empty: unknown."""
    if isinstance(value, dict):
        for key in ("email", "username", "id"):
            found = person(value.get(key))
            if found:
                return found
        return ""
    if type(value) is int:
        value = str(value)
    return value.strip() if isinstance(value, str) and is_line(value.strip(), 200) else ""


def person_json(name: str) -> int | dict[str, str]:
    """Return somebody as Label Studio takes them: the number of a user, or an e-mail address."""
    return int(name) if _NUMBER.fullmatch(name) else {"email": name}


def is_line(value: object, longest: int) -> bool:
    """Whether a value is a text in one line of 1 to `longest` characters."""
    if not isinstance(value, str):
        return False
    try:
        check_line(value, "value", 1, longest)
    except InvalidArgumentError:
        return False
    return True


def whole(text: str) -> int | str:
    """Return a text as a number if that reads back as the same text."""
    return int(text) if _NUMBER.fullmatch(text) else text


def keep(name: str, rest: Mapping[str, Any], field: str) -> str:
    """Return what has no place as `extra`, or raise FIELD_INVALID for what JSON cannot hold."""
    try:
        return extra_of(name, {key: one for key, one in rest.items() if one}, field)
    except (ValueError, RecursionError):
        raise invalid_field(
            field, "holds a number or a nesting that cannot be kept: make it smaller."
        ) from None


def same(left: object, right: object) -> bool:
    """Whether two values are written as the same JSON; 1 and true are not."""
    return to_json(left) == to_json(right)
